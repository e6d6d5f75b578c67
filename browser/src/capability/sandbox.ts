/** `wardian:host/sandbox`: starts tools for the session. */

import type { Limits, StreamEvent } from "../api.js";
import type { Components, ManifestTool } from "../components.js";
import type { Jobs } from "../jobs.js";
import type { Kernel } from "../kernel.js";
import type { LimitFault } from "../limits.js";
import type { Fault, FromGuest, Layers, Powers, ToolAnswer } from "../protocol.js";
import type { Ended, Running as Guest, Workers } from "../workers.js";
import { Activities, type Activity } from "./activities.js";
import type { SessionNet } from "./http/net.js";
import type { Pending } from "./approver.js";
import { Pollable, Signal, type Source } from "./poll.js";
import { dispose } from "./streams.js";
import type { Turns } from "./turns.js";

interface ToolCall {
  id: string;
  tool: string;
  input: string;
}

interface Grant {
  powers: Powers;
  limits: {
    wallMsMax: bigint;
    cpuMsMax: bigint;
    memoryBytesMax: bigint;
    tableElementsMax: number;
    outputBytesMax: bigint;
    hostcallsMax: bigint;
  };
  unlisted: "deny" | "ask" | "allow";
}

interface Finished {
  result: { tag: "ok"; val: unknown } | { tag: "err"; val: unknown };
  wallMs: bigint;
  memoryPeakBytes: bigint;
}

/** The tools of a session, and what they run with. */
export interface SandboxOptions {
  components: Components;
  workers: Workers;
  tools: ManifestTool[];
  layers: Layers;
  turns: Turns;
  config: (tool: string) => Record<string, string>;
  kernel: Kernel;
  /** None: tools have no network. */
  net: SessionNet | undefined;
  /** What the agent's own composition does. */
  own: Activities;
  jobs: Jobs;
  show: (event: StreamEvent) => void;
}

export function limits(of: Grant["limits"]): Limits {
  return {
    wall_ms_max: Number(of.wallMsMax),
    cpu_ms_max: Number(of.cpuMsMax),
    memory_bytes_max: Number(of.memoryBytesMax),
    table_elements_max: of.tableElementsMax,
    output_bytes_max: Number(of.outputBytesMax),
    hostcalls_max: Number(of.hostcallsMax),
  };
}

/** A fault, with numbers as the contract has them. */
function told(fault: Fault): unknown {
  return fault.tag === "limit" ? { tag: "limit", val: limitFault(fault.val) } : fault;
}

const limitFault = (fault: LimitFault) => ({ name: fault.name, at: BigInt(fault.at) });

/** A call under way. Dropping it ends the instance. */
export class Running {
  readonly #signal = new Signal();
  readonly #begin = performance.now();
  readonly #activities = new Activities(true);
  #guest: Guest | undefined;
  #finished: Finished | undefined;
  #isOver = false;
  /** Questions about this call, and calls that its code makes. */
  #awaited: Source[] = [];
  #inner = new Set<Running>();
  #isDropped = false;

  constructor(options: SandboxOptions, tool: ManifestTool, call: ToolCall, grant: Grant) {
    void this.#run(options, tool, call, grant);
  }

  async #run(options: SandboxOptions, tool: ManifestTool, call: ToolCall, grant: Grant): Promise<void> {
    const bounds = limits(grant.limits);
    let ended: Ended;
    const needsNet = grant.powers.net.length > 0;
    if (tool.http !== undefined && needsNet && !options.net?.allowsAnything) {
      // A tool that did not ask for the power runs without it, beside others of its component that did.
      const why = `${call.tool} imports ${tool.http}, which needs the power \`net\`, and no host is allowed here`;
      return this.#over({ result: { tag: "err", val: { tag: "refused", val: why } }, wallMs: 0n, memoryPeakBytes: 0n });
    }
    try {
      const program = await options.components.program(tool.program, bounds);
      if (this.#isOver) return;
      const member = options.kernel.member(
        grant.powers,
        bounds,
        call.id,
        this.#activities,
        { sending: options.net?.call(grant.powers.net, this.#activities), jobs: options.jobs },
      );
      const job = {
        commands: options.kernel.commands(grant.powers),
        limits: bounds,
        layers: options.layers,
        files: grant.powers.files,
        config: options.config(tool.name),
        what: { kind: "tool" as const, call },
      };
      const hear = (message: FromGuest) => {
        if (message.kind !== "progress") return options.kernel.hear(member, message);
        const done = message.done?.map(Number) as [number, number] | undefined;
        options.show({ type: "tool.progress", id: call.id, message: message.message, ...(done ? { done } : {}) });
      };
      const begun = (running: Guest) => (member.running = running);
      const watch = { message: hear, asked: () => this.#activities.asked() };
      this.#guest = options.workers.run(job, program, options.turns, watch, begun);
      ended = await this.#guest.ended;
      options.kernel.ended(member);
    } catch (error) {
      ended = { broken: error instanceof Error ? error.message : String(error) };
    }
    if (!this.#isOver) this.#over(this.#told(ended));
  }

  #over(finished: Finished): void {
    this.#isOver = true;
    // Before it is over: whoever sees the end can take everything.
    this.#activities.close();
    this.#finished = finished;
    this.#signal.fire();
  }

  #told(ended: Ended): Finished {
    const wallMs = BigInt(Math.floor(performance.now() - this.#begin));
    const failed = (fault: unknown): Finished => ({
      result: { tag: "err", val: fault },
      wallMs,
      memoryPeakBytes: 0n,
    });
    if ("limit" in ended) return failed({ tag: "limit", val: limitFault(ended.limit) });
    if ("broken" in ended) return failed({ tag: "host", val: ended.broken });
    if ("killed" in ended) return failed({ tag: "host", val: "the call was dropped" });
    const { result, memoryPeak } = ended.done;
    const memoryPeakBytes = BigInt(memoryPeak);
    if (result.tag === "ok") return { result, wallMs, memoryPeakBytes };
    return { result: { tag: "err", val: told(result.val) }, wallMs, memoryPeakBytes };
  }

  subscribe(): Pollable {
    return new Pollable(this.#source);
  }

  get #source(): Source {
    for (const inner of this.#inner) if (inner.#isDropped) this.#inner.delete(inner);
    const ahead = [this.#activities.some, ...this.#awaited, ...[...this.#inner].map((inner) => inner.#source)];
    return {
      ready: () => this.#finished !== undefined || ahead.some((source) => source.ready()),
      watch: (wake) => {
        const undo = [this.#signal.watch(wake), ...ahead.map((source) => source.watch(wake))];
        return () => undo.forEach((each) => each());
      },
    };
  }

  finish(): Finished | undefined {
    return this.#finished;
  }

  activities(): Activity[] {
    return this.#activities.take();
  }

  answer(id: number, allowed: boolean): void {
    this.#activities.answer(id, allowed);
    this.#forgetAnswered();
  }

  /** Or it would be ready for ever. */
  #forgetAnswered(): void {
    this.#awaited = this.#awaited.filter((source) => !source.ready());
  }

  awaits(question: Pending): void {
    this.#awaited.push(question.source);
  }

  answerCall(id: number, answer: ToolAnswer): void {
    this.#activities.answerCall(id, answer);
    this.#forgetAnswered();
  }

  follows(inner: Running): void {
    this.#forgetAnswered();
    this.#inner.add(inner);
  }

  end(): Activity[] {
    this.#isOver = true;
    this.#guest?.kill();
    this.#activities.close();
    return this.#activities.take();
  }

  [dispose](): void {
    this.#isDropped = true;
    this.end();
  }
}

export const sandbox = (options: SandboxOptions) => ({
  Running,
  components: () => options.tools.map(({ name, digest, tools }) => ({ name, digest, tools })),
  ownActivities: (): Activity[] => options.own.take(),
  startTool(component: string, call: ToolCall, grant: Grant): Running {
    const tool = options.tools.find((tool) => tool.digest === component);
    if (!tool) throw { tag: "not-found", val: component };
    return new Running(options, tool, call, grant);
  },
});
