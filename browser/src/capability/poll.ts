/** `wasi:io/poll`: waiting, without a promise that outlives the wait. */

import { hear } from "./ahead.js";

/** Something that becomes ready. */
export interface Source {
  ready(): boolean;
  /** Calls `wake` when it may have become ready, perhaps for nothing. Returns what takes that back. */
  watch(wake: () => void): () => void;
}

/** Whoever waits for one thing that changes. */
export class Signal {
  readonly #waiting = new Set<() => void>();

  watch(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }

  fire(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** Browsers take no longer delay; whoever waits longer waits again. */
const TIMER_MS_MAX = 1 << 30;

/** Ready from a time on, in milliseconds of `performance.now()`. */
export class Timer implements Source {
  constructor(readonly at: number) {}

  ready(): boolean {
    return performance.now() >= this.at;
  }

  watch(wake: () => void): () => void {
    const delay = Math.min(Math.max(Math.ceil(this.at - performance.now()), 0), TIMER_MS_MAX);
    const timer = setTimeout(wake, delay);
    return () => clearTimeout(timer);
  }
}

export const READY: Source = { ready: () => true, watch: () => () => {} };

/** Waits until one of them is ready, and says which are. */
export async function wait(sources: readonly Source[]): Promise<number[]> {
  for (;;) {
    const ready = sources.flatMap((source, index) => (source.ready() ? [index] : []));
    if (ready.length > 0) return ready;
    await new Promise<void>((resolve) => {
      const undo: (() => void)[] = [];
      let woken = false;
      const wake = () => {
        if (woken) return;
        woken = true;
        for (const each of undo) each();
        resolve();
      };
      for (const source of sources) {
        undo.push(source.watch(wake));
        // It may have become ready, and have said so, before anyone listened.
        if (woken) undo.pop()?.();
      }
      if (!woken && sources.some((source) => source.ready())) wake();
    });
    hear();
  }
}

/** A resource of `wasi:io/poll`. */
export class Pollable {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  get source(): Source {
    return this.#source;
  }

  ready(): boolean {
    return this.#source.ready();
  }

  async block(): Promise<void> {
    await wait([this.#source]);
  }
}

export async function poll(pollables: Pollable[]): Promise<Uint32Array> {
  if (pollables.length === 0) throw new Error("a poll of nothing would never end");
  return Uint32Array.from(await wait(pollables.map((pollable) => pollable.source)));
}
