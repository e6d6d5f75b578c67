/** What code does besides computing, as its session is told: requests, questions about them, processes. */

import type { LimitFault } from "../limits.js";
import type { Exit, ToolAnswer } from "../protocol.js";
import { Signal, wait, type Source } from "./poll.js";

/** What is told and not yet taken; whoever does more waits. */
const WAITING_MAX = 256;

export interface NetError {
  kind: string;
  message: string;
  at?: bigint;
}

export const netError = (kind: string, message: string): NetError => ({ kind, message });
export const netLimit = (name: string, at: number): NetError => ({ kind: "limit", message: name, at: BigInt(at) });

/** `wardian:host/sandbox#activity`. */
export type Activity =
  | { tag: "net-request"; val: NetRequest }
  | { tag: "net-question"; val: { id: number; method: string; host: string; url: string } }
  | { tag: "process-start"; val: { process: number; argv: string[]; component: string; cwd: string } }
  | { tag: "process-exit"; val: ProcessExit }
  | { tag: "tool-call"; val: { id: number; tool: string; input: string } };

interface NetRequest {
  method: string;
  url: string;
  allowed: boolean;
  rule: string;
  status?: number;
  bytesIn: bigint;
  bytesOut: bigint;
  ms: bigint;
  error?: NetError;
}

interface ProcessExit {
  process: number;
  status: { tag: "ok"; val: number } | { tag: "err"; val: unknown };
  wallMs: bigint;
  memoryPeakBytes: bigint;
}

/** A request under way. */
export class Record {
  status: number | undefined;
  bytesIn = 0;
  bytesOut = 0;
  readonly #since = performance.now();

  constructor(
    readonly activities: Activities,
    readonly method: string,
    readonly url: string,
    public rule: string,
  ) {}

  end(allowed: boolean, error?: NetError): void {
    this.activities.over(this, {
      method: this.method,
      url: this.url,
      allowed,
      rule: this.rule,
      ...(this.status === undefined ? {} : { status: this.status }),
      bytesIn: BigInt(this.bytesIn),
      bytesOut: BigInt(this.bytesOut),
      ms: BigInt(Math.floor(performance.now() - this.#since)),
      ...(error ? { error } : {}),
    });
  }
}

const limitFault = (fault: LimitFault) => ({ name: fault.name, at: BigInt(fault.at) });

function exitStatus({ status }: Exit): ProcessExit["status"] {
  if (status.tag === "exited") return { tag: "ok", val: status.val };
  const killed = status.val;
  return { tag: "err", val: killed.tag === "limit" ? { tag: "limit", val: limitFault(killed.val) } : killed };
}

const refusal = (kind: string, message: string): ToolAnswer => ({ tag: "err", val: { kind, message } });

export class Activities {
  readonly #signal = new Signal();
  readonly #open = new Set<Record>();
  readonly #questions = new Map<number, (allowed: boolean) => void>();
  readonly #calls = new Map<number, (answer: ToolAnswer) => void>();
  readonly #processes = new Map<number, number>();
  #waiting: Activity[] = [];
  #next = 0;
  #processesStarted = 0;
  #isClosed = false;
  /** How long questions have waited for an answer: that time is not the call's. */
  #asked = 0;
  #askingSince: number | undefined;

  /** `takesCalls`: whoever watches answers calls of other tools. */
  constructor(readonly takesCalls = false) {}

  #put(activity: Activity): void {
    if (!this.#isClosed) this.#waiting.push(activity);
    this.#signal.fire();
  }

  /** Takes what there is, the oldest first. */
  take(): Activity[] {
    const taken = this.#waiting;
    this.#waiting = [];
    this.#signal.fire();
    return taken;
  }

  /** Ready when there is something to take. */
  get some(): Source {
    return { ready: () => this.#waiting.length > 0, watch: (wake) => this.#signal.watch(wake) };
  }

  /** Waits until there is room for more. */
  async room(): Promise<void> {
    const source = { ready: () => this.#waiting.length < WAITING_MAX, watch: (wake: () => void) => this.#signal.watch(wake) };
    await wait([source]);
  }

  /** Ends what is under way: nothing comes after it. */
  close(): void {
    if (this.#isClosed) return;
    const cutOff = netError("cut-off", "the code ended, or lost interest, before the request was over");
    for (const record of [...this.#open]) record.end(true, cutOff);
    for (const answer of this.#questions.values()) answer(false);
    this.#questions.clear();
    for (const answer of this.#calls.values()) answer(refusal("cancelled", "the call was ended"));
    this.#calls.clear();
    for (const [process, since] of this.#processes) {
      const status = { tag: "err" as const, val: { tag: "killed" } };
      const wallMs = BigInt(Math.floor(performance.now() - since));
      this.#waiting.push({ tag: "process-exit", val: { process, status, wallMs, memoryPeakBytes: 0n } });
    }
    this.#processes.clear();
    this.#isClosed = true;
    this.#signal.fire();
  }

  /** A request is about to be sent. */
  begin(method: string, url: string, rule: string): Record {
    const record = new Record(this, method, url, rule);
    if (!this.#isClosed) this.#open.add(record);
    return record;
  }

  over(record: Record, request: NetRequest): void {
    if (this.#open.delete(record)) this.#put({ tag: "net-request", val: request });
  }

  /** A request that is not sent. */
  refused(method: string, url: string, rule: string, error: NetError): void {
    this.begin(method, url, rule).end(false, error);
  }

  /** Asks, and waits for the answer. No answer is a no. */
  async ask(method: string, host: string, url: string): Promise<boolean> {
    if (this.#isClosed) return false;
    const id = (this.#next += 1);
    this.#askingSince ??= performance.now();
    const allowed = await new Promise<boolean>((resolve) => {
      this.#questions.set(id, resolve);
      this.#put({ tag: "net-question", val: { id, method, host, url } });
    });
    this.#answered();
    return allowed;
  }

  /** When nothing is waited for any more, the clock goes on. */
  #answered(): void {
    if (this.#questions.size > 0 || this.#calls.size > 0 || this.#askingSince === undefined) return;
    this.#asked += performance.now() - this.#askingSince;
    this.#askingSince = undefined;
  }

  /** Calls another tool of the session, and waits for what comes back. */
  async call(tool: string, input: string): Promise<ToolAnswer> {
    await this.room();
    if (this.#isClosed || !this.takesCalls) return refusal("not-permitted", "no session is here whose tools could be called");
    const id = (this.#next += 1);
    this.#askingSince ??= performance.now();
    const answer = await new Promise<ToolAnswer>((resolve) => {
      this.#calls.set(id, resolve);
      this.#put({ tag: "tool-call", val: { id, tool, input } });
    });
    this.#answered();
    return answer;
  }

  answerCall(id: number, answer: ToolAnswer): void {
    const answered = this.#calls.get(id);
    this.#calls.delete(id);
    answered?.(answer);
  }

  answer(id: number, allowed: boolean): void {
    const answer = this.#questions.get(id);
    this.#questions.delete(id);
    answer?.(allowed);
  }

  /** How long questions have waited so far. */
  asked(): number {
    return this.#asked + (this.#askingSince === undefined ? 0 : performance.now() - this.#askingSince);
  }

  /** A process is about to run. Gives its number. */
  processStarted(argv: string[], component: string, cwd: string): number {
    this.#processesStarted += 1;
    const process = this.#processesStarted;
    if (!this.#isClosed) this.#processes.set(process, performance.now());
    this.#put({ tag: "process-start", val: { process, argv, component, cwd } });
    return process;
  }

  processEnded(process: number, exit: Exit): void {
    if (!this.#processes.delete(process)) return;
    const [wallMs, memoryPeakBytes] = [BigInt(exit.wallMs), BigInt(exit.memoryPeak)];
    this.#put({ tag: "process-exit", val: { process, status: exitStatus(exit), wallMs, memoryPeakBytes } });
  }
}
