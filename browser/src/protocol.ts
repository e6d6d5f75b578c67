/** What workers say to each other. */

import type { Limits } from "./api.js";
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

export interface Job {
  program: Program | { key: string };
  limits: Limits;
  layers: Layers;
  files: Powers["files"];
  /** Turns that had ended when the job was made. */
  turns: number;
  config: Record<string, string>;
  what: { kind: "tool"; call: { id: string; tool: string; input: string } };
}

/** To a worker that runs guests. */
export type ToGuest =
  | { kind: "run"; job: Job }
  | { kind: "turn"; request: number; ended: number | undefined }
  | { kind: "turns"; ended: number }
  | { kind: "ping"; ping: number };

/** From it. */
export type FromGuest =
  | { kind: "ready" }
  | { kind: "done"; done: Done }
  | { kind: "take-turn"; request: number }
  | { kind: "end-turn"; ended: number }
  | { kind: "progress"; message: string; done: [bigint, bigint] | undefined }
  | { kind: "pong"; ping: number; active: number };

export interface Done {
  /** Of a tool: its answer or error. */
  result: { tag: "ok"; val: unknown } | { tag: "err"; val: Fault };
  memoryPeak: number;
}
