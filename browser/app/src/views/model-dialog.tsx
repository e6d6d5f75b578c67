import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { choice, choose, PROTOCOLS, serve, servedBy, type Choice, type Protocol } from "../models.ts";
import { Dialog } from "./dialog.tsx";

const SCENARIO_BYTES_MAX = 16 << 20;

export function ModelDialog({ onClose }: { onClose: (changed: boolean) => void }) {
  const kind = useSignal(choice.value.kind);
  const known = choice.value;
  const served = serve.value?.services.filter((service) => service.path !== undefined) ?? [];
  const protocol = useSignal<Protocol>("protocol" in known ? known.protocol : (served[0]?.name ?? "openai"));
  const name = useSignal("model" in known ? known.model : "");
  const baseUrl = useSignal(known.kind === "direct" ? known.baseUrl : defaultUrl(protocol.value));
  const key = useSignal(known.kind === "direct" ? known.key : "");
  const script = useSignal<{ name: string; scenario: string } | null>(known.kind === "script" ? known : null);
  const problem = useSignal("");

  const chosen = (): Choice | string => {
    switch (kind.value) {
      case "demo":
        return { kind: "demo" };
      case "script":
        return script.value ? { kind: "script", ...script.value } : "Choose a scenario file.";
      case "served":
        if (!servedBy(protocol.value)) return "`wardian serve` has no way to this service.";
        return name.value.trim() ? { kind: "served", protocol: protocol.value, model: name.value.trim() } : "Name a model.";
      case "direct": {
        if (!name.value.trim()) return "Name a model.";
        const url = URL.parse(baseUrl.value.trim());
        if (!url || !["http:", "https:"].includes(url.protocol)) return "The base URL must begin with https:// or http://.";
        if (url.username || url.password) return "The base URL must not have a user name or a password in it.";
        const isLocal = ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
        if (key.value && url.protocol === "http:" && !isLocal) return "The key would be sent over the network in the clear.";
        return { kind: "direct", protocol: protocol.value, model: name.value.trim(), baseUrl: url.href, key: key.value.trim() };
      }
    }
  };

  const changed = useRef(false);
  return (
    <Dialog title="Model" onClose={() => onClose(changed.current)}>
      <form
        method="dialog"
        class="form"
        onSubmit={(event) => {
          const result = chosen();
          if (typeof result === "string") {
            event.preventDefault();
            problem.value = result;
            return;
          }
          choose(result);
          changed.current = true;
        }}
      >
        <fieldset class="options">
          <legend class="visually-hidden">How it is reached</legend>
          <Option of={kind} value="demo" title="Demo">An embedded scenario that does useful work on any project. Needs no key.</Option>
          <Option of={kind} value="served" title="Through wardian serve" isDisabled={served.length === 0}>
            {served.length > 0
              ? "The key stays with the program that serves this page."
              : serve.value
                ? `It has no key: ${serve.value.services[0]?.missing ?? ""}. Export one, and start it again.`
                : "For pages that were opened from the address that `wardian serve` prints."}
          </Option>
          {kind.value === "served" && (
            <div class="fields">
              <Protocols of={protocol} known={served.map((service) => service.name)} />
              <p class="quiet small">{servedBy(protocol.value)?.server} · {servedBy(protocol.value)?.hasKey ? "with a key" : "without a key"}</p>
              <Name of={name} protocol={protocol.value} />
            </div>
          )}
          <Option of={kind} value="direct" title="Directly, with a key">
            For services that let pages ask them. The key is kept in memory, and gone with this tab.
          </Option>
          {kind.value === "direct" && (
            <div class="fields">
              <Protocols of={protocol} onChange={(to) => (baseUrl.value = defaultUrl(to))} />
              <Field label="Base URL"><input type="url" value={baseUrl.value} onInput={(event) => (baseUrl.value = event.currentTarget.value)} /></Field>
              <Name of={name} protocol={protocol.value} />
              <Field label="Key">
                <input type="password" autoComplete="off" spellcheck={false} value={key.value} onInput={(event) => (key.value = event.currentTarget.value)} />
              </Field>
            </div>
          )}
          <Option of={kind} value="script" title="A scenario file">Plays what a file says, in place of a model.</Option>
          {kind.value === "script" && (
            <div class="fields">
              <Field label={script.value ? `Scenario: ${script.value.name}` : "Scenario"}>
                <input
                  type="file"
                  accept=".json,application/json"
                  onChange={async (event) => {
                    const file = event.currentTarget.files?.[0];
                    if (!file) return;
                    if (file.size > SCENARIO_BYTES_MAX) problem.value = "The file is too large for a scenario.";
                    else script.value = { name: file.name, scenario: await file.text() };
                  }}
                />
              </Field>
            </div>
          )}
        </fieldset>
        {problem.value && <p class="notice is-error" role="alert">{problem.value}</p>}
        <div class="form-end">
          <button type="submit" class="button is-primary">Use this model</button>
        </div>
      </form>
    </Dialog>
  );
}

function defaultUrl(protocol: Protocol): string {
  return PROTOCOLS.find((known) => known.protocol === protocol)?.baseUrl ?? "";
}

interface OptionProps {
  of: { value: Choice["kind"] };
  value: Choice["kind"];
  title: string;
  isDisabled?: boolean;
  children: ComponentChildren;
}

function Option({ of, value, title, isDisabled, children }: OptionProps) {
  return (
    <label class={isDisabled ? "option is-disabled" : "option"}>
      <input type="radio" name="kind" value={value} checked={of.value === value} disabled={isDisabled} onChange={() => (of.value = value)} />
      <span>
        <span class="option-title">{title}</span>
        <span class="option-note">{children}</span>
      </span>
    </label>
  );
}

function Protocols({ of, known, onChange }: { of: { value: Protocol }; known?: Protocol[]; onChange?: (to: Protocol) => void }) {
  return (
    <Field label="Protocol">
      <select
        value={of.value}
        onChange={(event) => {
          of.value = event.currentTarget.value as Protocol;
          onChange?.(of.value);
        }}
      >
        {PROTOCOLS.filter(({ protocol }) => known?.includes(protocol) ?? true).map(({ protocol, label }) => (
          <option key={protocol} value={protocol}>{label}</option>
        ))}
      </select>
    </Field>
  );
}

function Name({ of, protocol }: { of: { value: string }; protocol: Protocol }) {
  const hint = PROTOCOLS.find((known) => known.protocol === protocol)?.hint;
  return (
    <Field label="Model">
      <input type="text" value={of.value} placeholder={hint} spellcheck={false} autoComplete="off" onInput={(event) => (of.value = event.currentTarget.value)} />
    </Field>
  );
}

function Field({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <label class="field">
      <span>{label}</span>
      {children}
    </label>
  );
}
