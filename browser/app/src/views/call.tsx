import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { OutputPart } from "wardian";
import { Code } from "../code/code.tsx";
import { bytes, duration } from "../format.ts";
import { Icon, type IconName } from "../icon.tsx";
import { file, session, show } from "../store.ts";
import type { Call, CallState, NetRequest, Output, Process } from "../transcript.ts";
import { power, pretty } from "./asks.tsx";

/** Lines of an output that are shown before they are asked for. */
const LINES_SHOWN = 40;

const STATES: Record<CallState, { icon: IconName; label: string }> = {
  waiting: { icon: "loader", label: "waiting" },
  asking: { icon: "shield", label: "waiting for permission" },
  running: { icon: "loader", label: "running" },
  done: { icon: "check", label: "done" },
  failed: { icon: "alert", label: "failed" },
  refused: { icon: "ban", label: "refused" },
};

export function CallRow({ call }: { call: Call }) {
  const isOpen = useSignal(false);
  const state = STATES[call.state.value];
  const progress = call.progress.value;
  const ms = call.ms.value;
  return (
    <li class={`call is-${call.state.value}`}>
      <details open={isOpen.value} onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
        <summary>
          <span class="call-state" role="img" aria-label={state.label}><Icon name={state.icon} size={14} /></span>
          <span class="call-tool">{call.tool}</span>
          <span class="call-summary">{call.summary.value}</span>
          {progress && <Progress {...progress} />}
          <span class="call-facts">
            {call.changes.value.length > 0 && <span class="tag">{changed(call)}</span>}
            {ms !== undefined && <span>{duration(ms)}</span>}
          </span>
        </summary>
        {isOpen.value && <CallBody call={call} />}
      </details>
      {call.error.value && !isOpen.value && <p class="call-error">{call.error.value.message}</p>}
    </li>
  );
}

function changed(call: Call): string {
  const n = call.changes.value.reduce((sum, change) => sum + (change.count ?? 1), 0);
  return n === 1 ? "1 file" : `${n} files`;
}

function Progress({ message, done }: { message: string; done?: [number, number] }) {
  return (
    <span class="call-progress">
      {done && done[1] > 0 && <progress value={done[0]} max={done[1]} aria-label={message} />}
      {message}
    </span>
  );
}

function CallBody({ call }: { call: Call }) {
  const output = call.output.value;
  const error = call.error.value;
  return (
    <div class="call-body">
      {call.input.value && call.input.value !== "{}" && <Part title="Input"><Input call={call} /></Part>}
      {error && (
        <Part title="Error">
          <p class="call-error">
            {error.message}
            {error.at !== undefined && ` (${error.at})`} <span class="quiet">{error.kind}</span>
          </p>
        </Part>
      )}
      {output && <Part title={call.truncated.value ? "Output, cut by the tool" : "Output"}><OutputView output={output} /></Part>}
      {call.processes.value.length > 0 && <Part title="Programs"><Processes processes={call.processes.value} /></Part>}
      {call.requests.value.length > 0 && <Part title="Requests"><Requests requests={call.requests.value} /></Part>}
      {call.changes.value.length > 0 && (
        <Part title="Changed">
          <ul class="paths">
            {call.changes.value.map(({ path, kind, count }) => (
              <li key={path + kind}>
                {kind === "more" ? `and ${count ?? ""} more` : <PathButton path={path} kind={kind} />}
              </li>
            ))}
          </ul>
        </Part>
      )}
      <p class="call-fine">
        {call.powers.value.length > 0 && <>Powers: {call.powers.value.map(power).join(", ")}. </>}
        {call.permission.value && <>{sentence(call.permission.value)}. </>}
        {call.component.value && <>Component <code title={call.component.value}>{call.component.value.slice(0, 12)}</code>. </>}
      </p>
    </div>
  );
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function PathButton({ path, kind }: { path: string; kind: string }) {
  return (
    <button
      type="button"
      class="link mono"
      onClick={() => {
        if (session.value?.change(path)) {
          file.value = path;
          show("changes");
        } else if (kind !== "deleted") {
          file.value = path;
          show("files");
        }
      }}
    >
      {path}
    </button>
  );
}

function Part({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="call-part">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** A program as a program, and any other input as what it is. */
function Input({ call }: { call: Call }) {
  const text = call.input.value;
  const field = { Bash: ["command", "shell"], Python: ["code", "python"] }[call.tool];
  if (field) {
    try {
      const fields = JSON.parse(text) as Record<string, unknown>;
      const { [field[0] ?? ""]: program, ...rest } = fields;
      if (typeof program === "string") {
        return (
          <>
            <Code text={program} language={field[1] ?? ""} />
            {Object.keys(rest).length > 0 && <Code text={JSON.stringify(rest)} language="json" />}
          </>
        );
      }
    } catch {
      // It is shown as it was written.
    }
  }
  return <Code text={pretty(text)} language="json" />;
}

function OutputView({ output }: { output: Output }) {
  const parts: OutputPart[] = output.parts ?? [{ text: output.text }];
  return <>{parts.map((part, index) => <PartView key={index} part={part} />)}</>;
}

const IMAGE_TYPES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);

function PartView({ part }: { part: OutputPart }) {
  if ("text" in part) return <Long text={part.text} />;
  if ("image" in part) {
    const { media_type: type, base64 } = part.image;
    // Pictures made of pixels: an SVG is a document, and is not drawn.
    if (!IMAGE_TYPES.has(type)) return <p class="quiet">An image of type {type}</p>;
    return <img class="output-image" src={`data:${type};base64,${base64}`} alt="What the tool returned" />;
  }
  return <p class="quiet"><code>{part.file.path}</code> · {part.file.media_type} · {bytes(part.file.bytes)}</p>;
}

function Long({ text }: { text: string }) {
  const isWhole = useSignal(false);
  if (text === "") return <p class="quiet">Nothing</p>;
  const lines = text.split("\n");
  const cut = !isWhole.value && lines.length > LINES_SHOWN + 5;
  return (
    <>
      <pre class="code" tabIndex={0} aria-label="Output">{cut ? lines.slice(0, LINES_SHOWN).join("\n") : text}</pre>
      {cut && (
        <button type="button" class="link" onClick={() => (isWhole.value = true)}>
          Show all {lines.length.toLocaleString("en")} lines
        </button>
      )}
    </>
  );
}

function Processes({ processes }: { processes: Process[] }) {
  const byParent = new Map<number | undefined, Process[]>();
  const ids = new Set(processes.map((process) => process.id));
  for (const process of processes) {
    const parent = process.parent !== undefined && ids.has(process.parent) ? process.parent : undefined;
    byParent.set(parent, [...(byParent.get(parent) ?? []), process]);
  }
  const tree = (parent: number | undefined): ComponentChildren => {
    const children = byParent.get(parent);
    return children && (
      <ul class="processes">
        {children.map((process) => (
          <li key={process.id}>
            <ProcessRow process={process} />
            {tree(process.id)}
          </li>
        ))}
      </ul>
    );
  };
  return <>{tree(undefined)}</>;
}

function ProcessRow({ process }: { process: Process }) {
  const isRunning = process.state.value === "running";
  const ended = process.killed ? `ended: ${process.killed}` : `status ${process.status ?? 0}`;
  return (
    <span class={process.status || process.killed ? "process is-failed" : "process"}>
      <code>{process.argv.join(" ")}</code>
      <span class="quiet">
        {isRunning ? "running" : ended}
        {process.ms !== undefined && ` · ${duration(process.ms)}`}
        {process.memory !== undefined && process.memory > 0 && ` · ${bytes(process.memory)}`}
      </span>
    </span>
  );
}

function Requests({ requests }: { requests: NetRequest[] }) {
  return (
    <ul class="requests">
      {requests.map((request, index) => (
        <li key={index} class={request.decision === "deny" || request.error ? "is-failed" : undefined}>
          <code>{request.method} {request.url}</code>
          <span class="quiet">
            {request.status ?? (request.decision === "deny" ? "refused" : "failed")} · {request.rule} · {bytes(request.bytesIn)} · {duration(request.ms)}
            {request.error && ` · ${request.error.message}`}
          </span>
        </li>
      ))}
    </ul>
  );
}
