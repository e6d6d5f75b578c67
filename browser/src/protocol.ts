/** What workers say to each other. */

import type { Limits } from "./api.js";
import type { GuestRequest } from "./capability/http.js";
import type { ErrorCode } from "./capability/http/send.js";
import type { Content } from "./capability/recent.js";
import type { Folder } from "./capability/tree.js";
import type { LimitFault } from "./limits.js";

/** A component, ready to be instantiated in any worker. */
export interface Program {
  key: string;
  glue: string;
  /** By the name that the glue asks for. */
  modules: Record<string, WebAssembly.Module>;
}

export interface Powers {
  files: "none" | "read" | "write";
  net: string[];
  process: string[];
  env: string[];
}

/** As in `wardian:host/types`. */
export type Fault =
  | { tag: "not-found" | "integrity" | "refused" | "trapped" | "host"; val: string }
  | { tag: "limit"; val: LimitFault };

/** The folders that a workspace is made of. */
export interface Layers {
  project: Folder;
  upper: Folder;
  tmp: Folder;
}

/** A command that may be started. */
export interface CommandInfo {
  name: string;
  component: string;
  digest: string;
}

export interface Job {
  program: Program | { key: string };
  limits: Limits;
  layers: Layers;
  files: Powers["files"];
  /** Turns that had ended when the job was made. */
  turns: number;
  config: Record<string, string>;
  /** What it may start. */
  commands: CommandInfo[];
  what: { kind: "tool"; call: { id: string; tool: string; input: string } } | ({ kind: "command" } & CommandStart);
}

/** Ends of pipes are known by numbers. None: nothing is read, what is written is not kept. */
export interface Standard {
  stdin: number | undefined;
  stdout: number | undefined;
  stderr: number | undefined;
}

export interface CommandStart extends Standard {
  argv: string[];
  env: [string, string][];
  cwd: string;
  /** It finds out by itself where it starts. */
  asksForDirectory: boolean;
}

/** How a process ended, as in `wardian:process/process`. */
export type Status =
  | { tag: "exited"; val: number }
  | {
      tag: "killed";
      val: { tag: "pipe" | "killed" } | { tag: "limit"; val: LimitFault } | { tag: "trapped" | "host"; val: string };
    };

export interface Exit {
  status: Status;
  wallMs: number;
  memoryPeak: number;
}

export type SpawnError =
  | { tag: "not-found" }
  | { tag: "not-permitted" | "invalid" | "broken"; val: string }
  | { tag: "too-many"; val: number };

/** Where a process's stream leads; `pump`: to its starter, who passes it on to or from a file. */
export type Stream =
  | { tag: "inherit" | "null" | "pipe" | "pump" | "stdout" }
  | { tag: "end"; end: number; unread: Uint8Array | undefined }
  /** Of a job, whose starter may be gone before it. Without `at`: always at the end. */
  | { tag: "file"; mount: string; path: string; at: number | undefined };

export interface JobInfo {
  id: number;
  argv: string[];
  label: string;
  exit: Exit | undefined;
}

/** What is asked about jobs, and what is answered. */
export type JobRequest = { ask: "start"; spawn: Spawn; label: string } | { ask: "list" } | { ask: "kill"; id: number };
export type JobAnswer = { id: number } | { error: SpawnError } | { jobs: JobInfo[] } | { found: boolean };

/** What another tool of the session answered, or why it did not: `wardian:tool/others`. */
export type ToolAnswer = { tag: "ok"; val: unknown } | { tag: "err"; val: { kind: string; message: string } };

export interface Spawn {
  argv: string[];
  env: [string, string][];
  cwd: string;
  stdin: Stream;
  stdout: Stream;
  stderr: Stream;
  limits: Partial<Limits>;
}

/** The starter's ends, where it has any. */
export interface Spawned extends Standard {
  process: number;
}

/** To a worker that runs guests. */
export type ToGuest =
  | { kind: "warm"; program: Program }
  | { kind: "run"; job: Job }
  | { kind: "turn"; request: number; ended: number | undefined }
  | { kind: "turns"; ended: number }
  | { kind: "ping"; ping: number }
  | { kind: "spawned"; request: number; spawned: Spawned | { error: SpawnError } }
  /** `total`: bytes that were written to an end that the starter pumps from. */
  | { kind: "job"; request: number; answer: JobAnswer }
  | { kind: "called"; request: number; answer: ToolAnswer }
  | { kind: "exited"; process: number; exit: Exit; totals: [number, number][] }
  /** No bytes: the end. */
  | { kind: "data"; end: number; bytes: Uint8Array | undefined }
  | { kind: "unwanted"; end: number }
  | { kind: "credit"; end: number; bytes: number }
  | { kind: "broken"; end: number }
  /** The response's body is read from an end. */
  | { kind: "response"; request: number; status: number; headers: [string, Uint8Array][]; end: number }
  | { kind: "no-response"; request: number; code: ErrorCode }
  /** Why a body ends before it is whole; told before its end. */
  | { kind: "body-failed"; end: number; code: ErrorCode };

/** From it. */
export type FromGuest =
  | { kind: "ready" }
  | { kind: "done"; done: Done }
  | { kind: "take-turn"; request: number }
  | { kind: "end-turn"; ended: number }
  | { kind: "progress"; message: string; done: [bigint, bigint] | undefined }
  | { kind: "pong"; ping: number; active: number; memory: number }
  | { kind: "spawn"; request: number; spawn: Spawn }
  | { kind: "job"; request: number; job: JobRequest }
  | { kind: "call"; request: number; tool: string; input: string }
  | { kind: "kill"; process: number }
  | { kind: "want"; end: number }
  | { kind: "unwant"; end: number }
  | { kind: "write"; end: number; bytes: Uint8Array }
  | { kind: "close"; end: number }
  /** A file of the layer: see `capability/recent.ts`. */
  | { kind: "wrote"; path: string; content: Content | undefined }
  | { kind: "request"; request: number; outgoing: GuestRequest }
  | { kind: "cancel-request"; request: number };

export interface Done {
  /** Of a tool: its answer or error. Of a command: its status. */
  result: { tag: "ok"; val: unknown } | { tag: "err"; val: Fault };
  memoryPeak: number;
}

/** Bytes that one end may have written and nobody has read yet. */
export const CREDIT_BYTES = 64 << 10;
