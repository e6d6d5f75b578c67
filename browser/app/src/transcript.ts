/** What a session looks like to its user: entries, made from the journal's lines and from what is streamed between them. */

import { batch, signal, type Signal } from "@preact/signals";
import type { AgentEvent, ChangeKind, EventError, OutputPart } from "wardian";

export interface Output {
  text: string;
  parts?: OutputPart[];
  data?: unknown;
}

export interface Process {
  id: number;
  parent?: number;
  argv: string[];
  component: string;
  state: Signal<"running" | "ended">;
  status?: number;
  killed?: string;
  ms?: number;
  memory?: number;
}

export interface NetRequest {
  method: string;
  url: string;
  decision: "allow" | "deny";
  rule: string;
  status: number | null;
  bytesIn: number;
  bytesOut: number;
  ms: number;
  error: EventError | null;
}

export type CallState = "waiting" | "asking" | "running" | "done" | "failed" | "refused";

/** A tool call. */
export class Call {
  readonly summary = signal("");
  readonly input = signal("");
  readonly state = signal<CallState>("waiting");
  readonly ms = signal<number | undefined>(undefined);
  readonly output = signal<Output | null>(null);
  readonly error = signal<EventError | null>(null);
  readonly progress = signal<{ message: string; done?: [number, number] } | null>(null);
  readonly processes = signal<Process[]>([]);
  readonly requests = signal<NetRequest[]>([]);
  readonly changes = signal<{ path: string; kind: ChangeKind | "more"; count?: number }[]>([]);
  readonly powers = signal<string[]>([]);
  readonly component = signal("");
  /** Who let it run, or did not. */
  readonly permission = signal("");
  readonly truncated = signal(false);

  constructor(
    readonly id: string,
    readonly tool: string,
  ) {}
}

export interface Usage {
  input: number;
  cached: number;
  output: number;
}

export type Entry =
  | { kind: "user"; key: number; text: string; at?: string }
  | {
      kind: "answer";
      key: number;
      text: Signal<string>;
      reasoning: Signal<string>;
      streaming: Signal<boolean>;
    }
  | { kind: "call"; key: number; call: Call }
  | { kind: "notice"; key: number; tone: "quiet" | "warning" | "error" | "good"; text: string; detail?: string };

type Answer = Extract<Entry, { kind: "answer" }>;

/** At most so much of one streamed answer is kept, as the session does. */
const ANSWER_CHARS_MAX = 4 << 20;

export class Transcript {
  readonly entries = signal<Entry[]>([]);
  readonly usage = signal<Usage>({ input: 0, cached: 0, output: 0 });
  /** What is going on when nothing else shows it. */
  readonly activity = signal<string>("");
  /** How the last run ended; none: it is under way, or was cut off. */
  readonly stop = signal<string | undefined>(undefined);
  /** It ended because the page did. */
  readonly wasInterrupted = signal(false);
  readonly model = signal("");
  readonly project = signal("");
  readonly approve = signal("");
  readonly components = signal<Record<string, string>>({});
  readonly agent = signal("");
  readonly limits = signal<Record<string, number>>({});
  readonly lines = signal(0);

  #calls = new Map<string, Call>();
  #processes = new Map<number, Process>();
  #answer: Answer | null = null;
  /** Streamed to its end; its line is still to come. */
  #streamed: Answer | null = null;
  #compacting = new Set<number>();
  #isCompacting = false;
  #key = 0;
  #waitingText = "";
  #waitingReasoning = "";
  #frame = 0;
  #new: Entry[] | null = null;

  /** Many at once, as when a journal is read. */
  applyAll(events: AgentEvent[]): void {
    batch(() => {
      this.#new = [...this.entries.value];
      for (const event of events) this.#apply(event);
      this.entries.value = this.#new;
      this.#new = null;
    });
  }

  apply(event: AgentEvent): void {
    // Streamed text comes in small pieces: what came within a frame is shown at once.
    if (event.type === "text.delta" || event.type === "reasoning.delta") {
      if (this.#isCompacting) return;
      if (event.type === "text.delta") this.#waitingText += event.text;
      else this.#waitingReasoning += event.text;
      this.#frame ||= requestAnimationFrame(() => this.#flush());
      return;
    }
    this.#flush();
    batch(() => this.#apply(event));
  }

  #flush(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const [text, reasoning] = [this.#waitingText, this.#waitingReasoning];
    if (!text && !reasoning) return;
    this.#waitingText = this.#waitingReasoning = "";
    batch(() => {
      const answer = (this.#answer ??= this.#begin());
      this.activity.value = "";
      if (answer.text.value.length < ANSWER_CHARS_MAX) answer.text.value += text;
      if (answer.reasoning.value.length < ANSWER_CHARS_MAX) answer.reasoning.value += reasoning;
    });
  }

  #begin(): Answer {
    const answer: Answer = {
      kind: "answer",
      key: this.#key++,
      text: signal(""),
      reasoning: signal(""),
      streaming: signal(true),
    };
    this.#push(answer);
    return answer;
  }

  #push(entry: Entry): void {
    if (this.#new) this.#new.push(entry);
    else this.entries.value = [...this.entries.value, entry];
  }

  notice(tone: "quiet" | "warning" | "error" | "good", text: string, detail?: string): void {
    this.#push({ kind: "notice", key: this.#key++, tone, text, ...(detail ? { detail } : {}) });
  }

  #call(id: string, tool: string): Call {
    const known = this.#calls.get(id);
    if (known) return known;
    const call = new Call(id, tool);
    this.#calls.set(id, call);
    this.#push({ kind: "call", key: this.#key++, call });
    return call;
  }

  #endAnswer(): void {
    if (!this.#answer) return;
    this.#answer.streaming.value = false;
    this.#answer = null;
  }

  #apply(event: AgentEvent): void {
    if ("seq" in event) this.lines.value = event.seq + 1;
    switch (event.type) {
      case "session.start":
        this.model.value = event.model;
        this.project.value = event.project;
        this.approve.value = event.approve;
        this.components.value = event.components;
        this.agent.value = event.agent;
        this.limits.value = { ...event.limits };
        if (event.resumed && this.#unfinished()) this.notice("quiet", "The session was opened again here.");
        return;
      case "user.message":
        this.stop.value = undefined;
        this.wasInterrupted.value = false;
        this.#push({ kind: "user", key: this.#key++, text: event.text, at: event.ts });
        return;
      case "model.request":
        this.#streamed = null;
        this.#isCompacting = event.purpose === "compact";
        if (this.#isCompacting) this.#compacting.add(event.call);
        this.activity.value = this.#isCompacting ? "Summing up the conversation so far" : "Waiting for the model";
        return;
      case "model.response":
        return this.#response(event);
      case "text.delta":
      case "reasoning.delta": {
        const answer = (this.#answer ??= this.#begin());
        const kind = event.type === "text.delta" ? answer.text : answer.reasoning;
        kind.value += event.text;
        return;
      }
      case "response.end":
        this.#streamed = this.#answer;
        return this.#endAnswer();
      case "tool.started": {
        const call = this.#call(event.id, event.tool);
        this.activity.value = "";
        call.summary.value = event.summary;
        call.input.value = event.input;
        return;
      }
      case "permission.ask": {
        const call = this.#call(event.id, event.tool);
        call.state.value = "asking";
        if (!event.net) call.summary.value ||= event.summary;
        call.powers.value = [...new Set([...call.powers.value, ...event.powers])];
        return;
      }
      case "permission.answer": {
        const call = this.#calls.get(event.id);
        if (!call) return;
        const by = { user: "you", rule: "a rule", mode: "the approval mode" }[event.by];
        const what = event.net ? `${event.net} ` : "";
        const words = event.allowed ? "allowed by" : "refused by";
        const scope = event.allowed && event.by === "user" && event.scope === "session" ? ", for the session" : "";
        call.permission.value = `${what}${words} ${by}${scope}`;
        if (event.net) call.state.value = "running";
        else call.state.value = event.allowed ? "waiting" : "refused";
        return;
      }
      case "tool.use": {
        const call = this.#call(event.id, event.tool);
        call.state.value = "running";
        call.component.value = event.component;
        const input = typeof event.input === "string" ? event.input : JSON.stringify(event.input);
        call.input.value ||= input;
        call.summary.value ||= summarize(input);
        return;
      }
      case "tool.progress": {
        const call = this.#calls.get(event.id);
        if (call) call.progress.value = { message: event.message, ...(event.done ? { done: event.done } : {}) };
        return;
      }
      case "tool.result": {
        const call = this.#call(event.id, event.tool);
        call.output.value = event.output;
        call.error.value = event.error;
        call.ms.value = event.ms;
        call.truncated.value = event.truncated;
        call.progress.value = null;
        if (call.state.value !== "refused") call.state.value = event.error ? "failed" : "done";
        return;
      }
      case "tool.finished": {
        const call = this.#calls.get(event.id);
        if (!call) return;
        call.ms.value = event.ms;
        call.progress.value = null;
        if (call.state.value !== "refused") call.state.value = event.error ? "failed" : "done";
        return;
      }
      case "process.started":
        return this.#started(event);
      case "process.ended": {
        const process = this.#processes.get(event.process);
        if (!process) return;
        process.status = event.status;
        process.ms = event.ms;
        process.memory = event.memory_peak_bytes;
        if (event.killed) process.killed = event.killed;
        process.state.value = "ended";
        return;
      }
      case "net.request": {
        const call = event.id ? this.#calls.get(event.id) : undefined;
        if (!call) return;
        const { method, url, decision, rule, status, ms, error } = event;
        const request = { method, url, decision, rule, status, ms, error, bytesIn: event.bytes_in, bytesOut: event.bytes_out };
        call.requests.value = [...call.requests.value, request];
        return;
      }
      case "workspace.change": {
        const call = this.#calls.get(event.id);
        if (!call) return;
        const { path, kind, count } = event;
        call.changes.value = [...call.changes.value, { path, kind, ...(count === undefined ? {} : { count }) }];
        return;
      }
      case "workspace.commit":
        return this.notice("good", `Committed ${count(event.paths.length, "path")} to the project`, event.paths.join("\n"));
      case "workspace.undo":
        return this.notice("quiet", `Took commit ${event.undoes ?? ""} back`, event.paths.join("\n"));
      case "workspace.discard":
        return this.notice("quiet", `Dropped ${count(event.paths.length, "change")}`, event.paths.join("\n"));
      case "context.compact":
        return this.notice("quiet", "The conversation so far was summed up to make room", event.summary);
      case "retrying":
        this.activity.value = `${event.reason}: trying again in ${Math.ceil(event.delay_ms / 1000)} s`;
        return;
      case "compacting":
        this.activity.value = "Summing up the conversation so far";
        return;
      case "fetching": {
        const share = event.total > 0 ? ` · ${Math.round((100 * event.done) / event.total)} %` : "";
        this.activity.value = event.done < event.total ? `Fetching ${event.component}${share}` : "";
        return;
      }
      case "session.end":
        return this.#end(event);
      // A later format's types are passed over, as docs/journal.md asks of readers.
    }
  }

  #unfinished(): boolean {
    const entries = this.#new ?? this.entries.value;
    return entries.length > 0 && this.stop.value === undefined;
  }

  #response(event: Extract<AgentEvent, { type: "model.response" }>): void {
    this.activity.value = "";
    this.#isCompacting = false;
    const { input_tokens: input, cached_tokens: cached, output_tokens: output } = event.usage;
    const usage = this.usage.value;
    this.usage.value = { input: usage.input + input, cached: usage.cached + cached, output: usage.output + output };
    if (this.#compacting.delete(event.call)) return this.#endAnswer();
    const answer = this.#answer ?? this.#streamed;
    if (answer) {
      // The journal's word is the last one.
      if (answer.text.value !== event.text) answer.text.value = event.text;
      answer.streaming.value = false;
    } else if (event.text) {
      const begun = this.#begin();
      begun.text.value = event.text;
      begun.streaming.value = false;
    }
    this.#answer = this.#streamed = null;
    for (const { id, tool, input } of event.tool_calls) {
      const call = this.#call(id, tool);
      const text = typeof input === "string" ? input : JSON.stringify(input);
      call.input.value ||= text;
      call.summary.value ||= summarize(text);
    }
  }

  #started(event: Extract<AgentEvent, { type: "process.started" }>): void {
    const { process: id, parent, argv, component } = event;
    const process: Process = { id, argv, component, state: signal("running"), ...(parent === undefined ? {} : { parent }) };
    this.#processes.set(id, process);
    const call = event.call ? this.#calls.get(event.call) : undefined;
    if (call) call.processes.value = [...call.processes.value, process];
  }

  #end(event: Extract<AgentEvent, { type: "session.end" }>): void {
    this.#endAnswer();
    this.activity.value = "";
    this.stop.value = event.stop;
    for (const call of this.#calls.values()) {
      if (["waiting", "asking", "running"].includes(call.state.value)) call.state.value = "failed";
    }
    if (event.stop === "cancelled") this.notice("quiet", "Stopped");
    if (event.stop === "budget") {
      const limit = event.error ? ` (${event.error.message.replaceAll("-", "_")}: ${event.error.at ?? ""})` : "";
      this.notice("warning", `The run's budget is used up${limit}`);
    }
    if (event.stop === "error") {
      this.wasInterrupted.value = event.error?.kind === "interrupted";
      if (this.wasInterrupted.value) this.notice("warning", "The run was cut off: the page was closed or reloaded in the middle of it");
      else this.notice("error", event.error?.message ?? "The run failed");
    }
  }
}

export function count(n: number, noun: string): string {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

/** One line about a call that nobody has described: the first words of its input. */
export function summarize(input: string): string {
  try {
    const fields: unknown = JSON.parse(input);
    if (fields && typeof fields === "object" && !Array.isArray(fields)) {
      const named = fields as Record<string, unknown>;
      for (const name of ["command", "file_path", "path", "pattern", "url", "query", "code", "argv"]) {
        const value = named[name];
        if (typeof value === "string" && value) return firstLine(value);
        if (Array.isArray(value)) return firstLine(value.join(" "));
      }
      const first = Object.values(named).find((value) => typeof value === "string" && value);
      if (typeof first === "string") return firstLine(first);
    }
  } catch {
    // What is no JSON is shown as it is.
  }
  return firstLine(input === "{}" ? "" : input);
}

function firstLine(text: string): string {
  const line = text.trimStart().split("\n", 1)[0] ?? "";
  return line.length > 160 ? `${line.slice(0, 159)}…` : line;
}
