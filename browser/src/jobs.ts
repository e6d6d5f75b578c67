/** Processes that outlive the call that starts them: see `wardian:process/jobs`. */

import type { Activities } from "./capability/activities.js";
import type { Exit, JobInfo } from "./protocol.js";

/** Jobs that run at once. */
export const RUNNING_MAX = 8;

/** Jobs that have ended and are still told about. */
const ENDED_MAX = 32;

interface Running {
  argv: string[];
  label: string;
  exit: Exit | undefined;
  kill: () => void;
}

/** The jobs of a session. */
export class Jobs {
  readonly #byId = new Map<number, Running>();
  #isOver = false;

  /** Of all jobs together, and what they start. */
  constructor(readonly activities: Activities) {}

  get running(): number {
    return [...this.#byId.values()].filter(({ exit }) => !exit).length;
  }

  add(id: number, argv: string[], label: string, kill: () => void): void {
    const ended = [...this.#byId].filter(([, job]) => job.exit).map(([id]) => id);
    for (const old of ended.slice(0, Math.max(ended.length - ENDED_MAX, 0))) this.#byId.delete(old);
    this.#byId.set(id, { argv, label, exit: undefined, kill });
    if (this.#isOver) kill();
  }

  ended(id: number, exit: Exit): void {
    const job = this.#byId.get(id);
    if (job) job.exit = exit;
  }

  list(): JobInfo[] {
    return [...this.#byId].map(([id, { argv, label, exit }]) => ({ id, argv, label, exit }));
  }

  kill(id: number): boolean {
    const job = this.#byId.get(id);
    job?.kill();
    return job !== undefined;
  }

  /** Ends them all. */
  end(): void {
    this.#isOver = true;
    for (const { exit, kill } of this.#byId.values()) if (!exit) kill();
  }
}
