/** Which model the user wants, and how it is reached. */

import { signal } from "@preact/signals";
import type { Model } from "wardian";

export type Protocol = "openai" | "chat" | "anthropic";

/** A service that `wardian serve` has the way to. */
export interface Served {
  name: Protocol;
  /** Of its base URL on this origin. */
  path?: string;
  server?: string;
  hasKey?: boolean;
  config?: Record<string, string>;
  /** Why there is none. */
  missing?: string;
}

export interface Serve {
  version: string;
  /** As `-m` has it. */
  model: string;
  services: Served[];
}

export type Choice =
  | { kind: "demo" }
  | { kind: "script"; name: string; scenario: string }
  /** Through `wardian serve`, which has the key. */
  | { kind: "served"; protocol: Protocol; model: string }
  /** From the page itself. */
  | { kind: "direct"; protocol: Protocol; model: string; baseUrl: string; key: string };

export const PROTOCOLS: { protocol: Protocol; label: string; baseUrl: string; hint: string }[] = [
  { protocol: "openai", label: "OpenAI Responses", baseUrl: "https://api.openai.com/v1", hint: "gpt-5" },
  { protocol: "chat", label: "Chat Completions", baseUrl: "http://127.0.0.1:11434/v1", hint: "qwen3:8b" },
  { protocol: "anthropic", label: "Anthropic Messages", baseUrl: "https://api.anthropic.com", hint: "claude-sonnet-4-5" },
];

const TOKEN_HEADER = "wardian-token";
const TOKEN_KEY = "wardian.token";
const CHOICE_KEY = "wardian.model";
/** `wardian serve` answers at once, or it is not there. */
const SERVE_MS_MAX = 5_000;

/** None: the page is a static one, or was opened without its token. */
export const serve = signal<Serve | null>(null);
/** Why the token does not open anything. */
export const serveProblem = signal("");
export const choice = signal<Choice>({ kind: "demo" });

/**
 * The token is in the address's fragment, which goes nowhere; from there it moves into this tab's own memory, which a
 * reload leaves as it is.
 */
function token(): string | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const given = fragment.get("token");
  if (given) {
    sessionStorage.setItem(TOKEN_KEY, given);
    fragment.delete("token");
    const rest = fragment.toString();
    history.replaceState(null, "", rest ? `#${rest}` : location.pathname);
  }
  return sessionStorage.getItem(TOKEN_KEY);
}

export async function findServe(): Promise<void> {
  const known = token();
  if (!known) return restore();
  try {
    const response = await fetch("/model", {
      headers: { [TOKEN_HEADER]: known },
      credentials: "omit",
      signal: AbortSignal.timeout(SERVE_MS_MAX),
    });
    if (response.ok) {
      serve.value = read(await response.json());
    } else if (response.status === 401) {
      sessionStorage.removeItem(TOKEN_KEY);
      serveProblem.value = "`wardian serve` was started anew: open the address that it printed to use its models.";
    }
  } catch {
    serveProblem.value = "`wardian serve` does not answer: what it serves models with cannot be used.";
  }
  restore();
}

function read(json: unknown): Serve {
  const { wardian, model, services } = json as { wardian: string; model: string; services: Record<string, unknown>[] };
  return {
    version: wardian,
    model,
    services: services.map((service) => ({
      name: service["name"] as Protocol,
      ...(typeof service["path"] === "string" ? { path: service["path"] } : {}),
      ...(typeof service["server"] === "string" ? { server: service["server"] } : {}),
      hasKey: service["has_key"] === true,
      config: (service["config"] ?? {}) as Record<string, string>,
      ...(typeof service["missing"] === "string" ? { missing: service["missing"] } : {}),
    })),
  };
}

/** What was chosen last, as far as it was no secret; else what `wardian serve` was started with. */
function restore(): void {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(CHOICE_KEY) ?? "null");
    if (isKept(kept) && (kept.kind !== "served" || servedBy(kept.protocol))) {
      choice.value = kept;
      return;
    }
  } catch {
    // Nothing of ours.
  }
  const [protocol, ...rest] = (serve.value?.model ?? "").split("/");
  const served = serve.value?.services.find((service) => service.name === protocol && service.path);
  if (served && rest.length > 0) choice.value = { kind: "served", protocol: served.name, model: rest.join("/") };
}

function isKept(kept: unknown): kept is Extract<Choice, { kind: "demo" | "served" }> {
  if (!kept || typeof kept !== "object" || !("kind" in kept)) return false;
  if (kept.kind === "demo") return true;
  const { protocol, model } = kept as { protocol?: unknown; model?: unknown };
  return kept.kind === "served" && PROTOCOLS.some((known) => known.protocol === protocol) && typeof model === "string";
}

export function choose(chosen: Choice): void {
  choice.value = chosen;
  // Keys and scenarios live as long as the page.
  if (chosen.kind === "demo" || chosen.kind === "served") localStorage.setItem(CHOICE_KEY, JSON.stringify(chosen));
  else localStorage.removeItem(CHOICE_KEY);
}

export function servedBy(protocol: Protocol): Served | undefined {
  return serve.value?.services.find((service) => service.name === protocol && service.path !== undefined);
}

/** As people read it. */
export function label(chosen: Choice): string {
  switch (chosen.kind) {
    case "demo":
      return "Demo";
    case "script":
      return chosen.name;
    case "served":
    case "direct":
      return chosen.model;
  }
}

/** As the package takes it. */
export function model(chosen: Choice): Model {
  switch (chosen.kind) {
    case "demo":
      return { kind: "demo" };
    case "script":
      return { kind: "script", scenario: chosen.scenario, name: chosen.name };
    case "served": {
      const served = servedBy(chosen.protocol);
      const known = sessionStorage.getItem(TOKEN_KEY);
      if (!served?.path || !known) throw new Error("wardian serve has no way to this service: choose another model");
      return {
        kind: "service",
        protocol: chosen.protocol,
        name: chosen.model,
        baseUrl: new URL(served.path, location.origin).href,
        headers: { [TOKEN_HEADER]: known },
        ...(served.config ? { config: served.config } : {}),
      };
    }
    case "direct":
      return {
        kind: "service",
        protocol: chosen.protocol,
        name: chosen.model,
        baseUrl: chosen.baseUrl,
        ...(chosen.key ? { key: chosen.key } : {}),
      };
  }
}
