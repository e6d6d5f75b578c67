/** `wardian:host/turns`: who may change a session's layer, one instance after the other, in whatever worker it runs. */

import { dispose } from "./streams.js";

/** How long an instance waits for its turn. */
const WAIT_MS = 10_000;

/** The turns of one session's layer. There is one of these, in the worker that has the session. */
export class Turns {
  #isTaken = false;
  readonly #waiting: (() => void)[] = [];
  ended = 0;
  /** Told of each turn that ended. */
  readonly listeners = new Set<(ended: number) => void>();

  /** Number of turns that had ended when this one began; none: it took too long. */
  take(): Promise<number | undefined> {
    if (!this.#isTaken) {
      this.#isTaken = true;
      return Promise.resolve(this.ended);
    }
    return new Promise((resolve) => {
      const begin = () => {
        clearTimeout(timer);
        resolve(this.ended);
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1);
        resolve(undefined);
      }, WAIT_MS);
      this.#waiting.push(begin);
    });
  }

  end(): void {
    this.ended += 1;
    for (const listener of this.listeners) listener(this.ended);
    const next = this.#waiting.shift();
    if (next) next();
    else this.#isTaken = false;
  }
}

/** How an instance reaches them. */
export interface TurnsAccess {
  take(): Promise<number | undefined>;
  end(): void;
  /** As many as this worker has heard of. */
  ended(): number;
}

export function turns(access: TurnsAccess) {
  class Turn {
    isOver = false;

    [dispose](): void {
      if (this.isOver) return;
      this.isOver = true;
      access.end();
    }
  }
  return {
    Turn,
    take: async (): Promise<Turn | undefined> => ((await access.take()) === undefined ? undefined : new Turn()),
    ended: (): bigint => BigInt(access.ended()),
  };
}
