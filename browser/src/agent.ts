/** The composed agent: provider, session and core in one instance, and what this host lends it. */

import { WardianError, type StreamEvent } from "./api.js";
import { approver, type Asking } from "./capability/approver.js";
import { cli, NO_INPUT } from "./capability/cli.js";
import { config } from "./capability/config.js";
import type { Control } from "./capability/control.js";
import { Mounts, type Tap } from "./capability/filesystem.js";
import { http } from "./capability/http.js";
import { sendHere, sendNothing } from "./capability/http/net.js";
import type { Sending } from "./capability/http/send.js";
import { observer } from "./capability/observer.js";
import { Captured, output } from "./capability/output.js";
import type { Jobs } from "./jobs.js";
import type { Recent } from "./capability/recent.js";
import { sandbox, type SandboxOptions } from "./capability/sandbox.js";
import { start } from "./capability/start.js";
import type { Folder } from "./capability/tree.js";
import { turns } from "./capability/turns.js";
import { common, instantiate, trapName } from "./instance.js";
import { DEFAULT_LIMITS, Meter } from "./limits.js";

/** The agent's own bounds. It runs as long as its user wants, and what it does is bounded by the session's budget. */
export const AGENT_BOUNDS = { memory_bytes_max: 3 * 2 ** 30, table_elements_max: 200_000 };

export interface Start extends SandboxOptions {
  program: string;
  session: Folder;
  /** Whether a review may write to the project. */
  commits: boolean;
  provider: Record<string, string>;
  /** The network of the model's provider. None: it has none. */
  sending: Sending | undefined;
  control: Control;
  asking: Asking;
  /** What was written to the layer, by whomever. */
  recent: Recent;
  /** Told of what is written to the session's folder. */
  tap?: Tap;
}

export interface Opened {
  resumed: boolean;
  events: bigint;
  tornBytes: bigint;
  answered: string[];
}

type Stop = { tag: "cancelled" } | { tag: "budget"; val: { name: string; at: bigint } } | { tag: "error"; val: string };

/** The exports of the composed agent. Errors of a contract are thrown as its values. */
export interface Exports {
  "wardian:session/session@0.1.0": {
    open(options: unknown): Promise<Opened>;
    openReplay(): Promise<Opened>;
    nextPrompt(): Promise<string | undefined>;
    begin(prompt: string): Promise<void>;
    end(result: { tag: "ok"; val: string } | { tag: "err"; val: Stop }): Promise<unknown>;
    diverged(): Promise<{ seq: bigint; recorded: string; replayed: string } | undefined>;
  };
  "wardian:session/journal@0.1.0": {
    summarize(): Promise<Record<string, unknown>>;
    verify(): Promise<Record<string, unknown>>;
  };
  "wardian:agent/agent@0.1.0": { run(): Promise<string> };
  "wardian:workspace/review@0.1.0": Record<string, (...args: unknown[]) => Promise<unknown>>;
}

/** An agent in its own instance, with one session. */
export class Agent {
  readonly #exports: Exports;
  readonly #stderr: Captured;
  readonly #mounts: Mounts;

  readonly #jobs: Jobs;

  private constructor(exports: Exports, stderr: Captured, mounts: Mounts, jobs: Jobs) {
    this.#jobs = jobs;
    this.#exports = exports;
    this.#stderr = stderr;
    this.#mounts = mounts;
  }

  static async start(options: Start): Promise<Agent> {
    const program = await options.components.program(options.program, AGENT_BOUNDS);
    const meter = new Meter({ ...DEFAULT_LIMITS, memory_bytes_max: Infinity, output_bytes_max: 256 << 20 });
    const stderr = new Captured();
    const mounts = new Mounts();
    const { project, upper, tmp } = options.layers;
    const { writable } = options.session;
    mounts.lend("/session", options.session, { tap: options.tap });
    // A commit that the session's folder cannot take a record of must not begin.
    mounts.lend("/project", { ...project, writable: options.commits && writable && project.writable });
    mounts.lend("/upper", { ...upper, writable: writable && upper.writable }, { told: options.recent });
    mounts.lend("/tmp", { ...tmp, writable: writable && tmp.writable });
    const exports = await instantiate(program, {
      ...common(),
      ...cli({
        args: [],
        env: [],
        stdin: NO_INPUT,
        stdout: () => output(meter, new Captured()),
        stderr: () => output(meter, stderr),
      }),
      ...mounts.imports(),
      ...http(options.sending ? sendHere(options.sending) : sendNothing),
      "wasi:config/store": config(options.provider),
      "wardian:host/sandbox": sandbox(options),
      "wardian:host/approver": approver(options.asking),
      "wardian:host/observer": observer(options.show),
      "wardian:host/control": options.control.imports(),
      "wardian:host/turns": turns({
        take: () => options.turns.take(),
        end: () => options.turns.end(),
        ended: () => options.turns.ended,
      }),
      "wardian:host/start": start(),
    });
    return new Agent(exports as unknown as Exports, stderr, mounts, options.jobs);
  }

  get exports(): Exports {
    return this.#exports;
  }

  /** Calls an export. What is no value of a contract is how the code broke, and becomes a `WardianError`. */
  async call<T>(work: (exports: Exports) => Promise<T>): Promise<T> {
    try {
      return await work(this.#exports);
    } catch (error) {
      if (!(error instanceof Error) || error instanceof WardianError) throw error;
      const said = this.#stderr.lastLine();
      throw new WardianError("host", `the agent broke: ${trapName(error)}${said ? `: ${said}` : ""}`);
    }
  }

  /** One run: records the prompt, lets the agent answer it, records how it ended. */
  async run(prompt: string): Promise<void> {
    const journal = async (work: () => Promise<unknown>) => {
      try {
        await work();
      } catch (error) {
        throw typeof error === "string" ? new WardianError("journal", error) : error;
      }
    };
    await journal(() => this.call((exports) => exports["wardian:session/session@0.1.0"].begin(prompt)));
    let result: { tag: "ok"; val: string } | { tag: "err"; val: Stop };
    try {
      result = { tag: "ok", val: await this.call((exports) => exports["wardian:agent/agent@0.1.0"].run()) };
    } catch (error) {
      if (error instanceof Error) throw error;
      result = { tag: "err", val: error as Stop };
    }
    await journal(() => this.call((exports) => exports["wardian:session/session@0.1.0"].end(result)));
  }

  /** Ends what it has left running, and lets go of its files. */
  async close(): Promise<void> {
    this.#jobs.end();
    await this.#mounts.close().catch(() => {});
  }
}

export type { StreamEvent };
