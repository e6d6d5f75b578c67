/** Workers that guests run in, and what holds for a guest that does not answer. */

import { hear } from "./capability/ahead.js";
import type { Turns } from "./capability/turns.js";
import type { LimitFault } from "./limits.js";
import type { Done, FromGuest, Job, Program, ToGuest } from "./protocol.js";

/** Workers that wait for their next guest. */
const IDLE_MAX = 4;

/** Guests at once, as in the native host. */
const WORKERS_MAX = 256;

/** Between two looks at a guest's processor time. */
const PING_MS = 200;

class GuestWorker {
  readonly #worker: Worker;
  readonly #programs = new Set<string>();
  listener: (message: FromGuest) => void = () => {};
  broken: (reason: string) => void = () => {};

  constructor(url: URL) {
    this.#worker = new Worker(url, { type: "module", name: "wardian guest" });
    this.#worker.onmessage = ({ data }: MessageEvent<FromGuest>) => {
      if (data.kind !== "pong") hear();
      this.listener(data);
    };
    this.#worker.onerror = (event) => this.broken(event.message || "its worker cannot be started");
    this.#worker.onmessageerror = () => this.broken("a message of its worker cannot be read");
  }

  say(message: ToGuest): void {
    this.#worker.postMessage(message);
  }

  /** Sends the program's modules along if the worker does not have them. */
  run(job: Omit<Job, "program">, program: Program): void {
    const known = this.#programs.has(program.key);
    this.#programs.add(program.key);
    this.say({ kind: "run", job: { ...job, program: known ? { key: program.key } : program } });
  }

  warm(program: Program): void {
    this.#programs.add(program.key);
    this.say({ kind: "warm", program });
  }

  end(): void {
    this.#worker.terminate();
  }
}

/** How a guest ended. */
export type Ended = { done: Done } | { limit: LimitFault } | { broken: string } | { killed: true };

export interface Watch {
  /** Hears all that is not about the instance itself. */
  message(message: FromGuest): void;
  /** Time of the user's, which is not the guest's, in milliseconds. */
  asked(): number;
}

export class Workers {
  readonly #url: URL;
  readonly #idle: GuestWorker[] = [];
  #busy = 0;

  /** `lost`: told when a worker is ended in the middle of its work. */
  constructor(
    url: URL,
    readonly lost: () => void,
  ) {
    this.#url = url;
  }

  /** Starts a worker before it is needed, with the code that it will need. */
  warm(program: Program): void {
    if (this.#idle.length > 0) return;
    const worker = new GuestWorker(this.#url);
    worker.warm(program);
    this.#idle.push(worker);
  }

  /** Runs one guest to its end. `kill` ends it. */
  run(
    job: Omit<Job, "program" | "turns">,
    program: Program,
    turns: Turns,
    watch: Watch,
    begun: (running: Running) => void = () => {},
  ): Running {
    if (this.#busy >= WORKERS_MAX) return new Running(undefined, { broken: "there are too many instances" });
    this.#busy += 1;
    const worker = this.#idle.pop() ?? new GuestWorker(this.#url);
    const running = new Running((isIdle) => {
      this.#busy -= 1;
      if (isIdle && this.#idle.length < IDLE_MAX) this.#idle.push(worker);
      else worker.end();
      if (!isIdle) this.lost();
    });
    begun(running);
    running.begin(worker, job, program, turns, watch);
    return running;
  }

  close(): void {
    for (const worker of this.#idle.splice(0)) worker.end();
  }
}

/** A guest under way. */
export class Running {
  readonly ended: Promise<Ended>;
  #end: (ended: Ended) => void = () => {};
  #isOver = false;

  constructor(
    readonly done: ((isIdle: boolean) => void) | undefined,
    ended?: Ended,
  ) {
    this.ended = new Promise((resolve) => (this.#end = resolve));
    if (ended) {
      this.#isOver = true;
      this.#end(ended);
    }
  }

  begin(worker: GuestWorker, job: Omit<Job, "program" | "turns">, program: Program, turns: Turns, watch: Watch): void {
    this.#worker = worker;
    const { limits } = job;
    const begin = performance.now();
    const look = () => {
      const left = limits.wall_ms_max + watch.asked() - (performance.now() - begin);
      if (left > 0) wall = setTimeout(look, Math.min(left, 2 ** 31 - 1));
      else this.#finish({ limit: { name: "wall-ms-max", at: limits.wall_ms_max } });
    };
    let wall: ReturnType<typeof setTimeout>;
    look();
    // Of a guest that does not answer it is known that it computes, at least since it was asked.
    let [known, asked, ping] = [0, undefined as number | undefined, 0];
    const pings = setInterval(() => {
      const active = known + (asked === undefined ? 0 : performance.now() - asked);
      if (active > limits.cpu_ms_max) {
        this.#finish({ limit: { name: "cpu-ms-max", at: limits.cpu_ms_max } });
      } else if (asked === undefined) {
        asked = performance.now();
        ping += 1;
        worker.say({ kind: "ping", ping });
      }
    }, PING_MS);
    let isHolding = false;
    const listener = (ended: number) => worker.say({ kind: "turns", ended });
    turns.listeners.add(listener);
    this.#cleanup = (isIdle) => {
      clearTimeout(wall);
      clearInterval(pings);
      turns.listeners.delete(listener);
      worker.listener = () => {};
      worker.broken = () => {};
      // A turn ends with its instance.
      if (isHolding) turns.end();
      isHolding = false;
      this.done?.(isIdle);
    };
    worker.broken = (reason) => this.#finish({ broken: reason });
    worker.listener = (message) => {
      switch (message.kind) {
        case "done":
          this.#finish({ done: message.done });
          break;
        case "take-turn":
          void turns.take().then((ended) => {
            if (ended === undefined) worker.say({ kind: "turn", request: message.request, ended });
            else if (this.#isOver) turns.end();
            else {
              isHolding = true;
              worker.say({ kind: "turn", request: message.request, ended });
            }
          });
          break;
        case "end-turn":
          if (isHolding) {
            isHolding = false;
            turns.listeners.delete(listener);
            turns.end();
            turns.listeners.add(listener);
          }
          break;
        case "pong":
          known = message.active;
          asked = undefined;
          watch.message(message);
          break;
        default:
          watch.message(message);
      }
    };
    worker.run({ ...job, turns: turns.ended } as Omit<Job, "program">, program);
  }

  #cleanup: (isIdle: boolean) => void = () => {};
  #worker: GuestWorker | undefined;

  /** Tells the guest's worker something, as long as the guest runs. */
  say(message: ToGuest): void {
    if (!this.#isOver) this.#worker?.say(message);
  }

  /** A limit was reached that holds for several guests together. */
  limit(limit: LimitFault): void {
    this.#finish({ limit });
  }

  #finish(ended: Ended): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // A worker whose guest came to its end by itself may take another one.
    this.#cleanup("done" in ended && ended.done.result.tag === "ok");
    this.#end(ended);
  }

  /** Ends it, wherever it is. */
  kill(): void {
    this.#finish({ killed: true });
  }
}
