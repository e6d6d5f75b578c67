/** The bounds of one call, and what counts towards them. */

import type { Limits } from "./api.js";

/** As docs/settings.md has them. */
export const DEFAULT_LIMITS: Limits = {
  wall_ms_max: 120_000,
  cpu_ms_max: 60_000,
  memory_bytes_max: 512 << 20,
  table_elements_max: 100_000,
  output_bytes_max: 4 << 20,
  hostcalls_max: 50_000_000,
};

export interface LimitFault {
  name: string;
  at: number;
}

/** Ends the code that reached a limit: no guest can catch it. */
export class LimitReached extends Error {
  constructor(readonly fault: LimitFault) {
    super(`${fault.name} reached`);
  }
}

/** What one instance used, and the first limit that it reached. */
export class Meter {
  #output = 0;
  #hostcalls = 0;
  #reached: LimitFault | undefined;
  #memories: WebAssembly.Memory[] = [];
  memoryPeak = 0;
  /** Processor time, as far as it is known: the time in which the code did not wait. */
  #active = 0;
  #since: number | undefined;

  constructor(readonly limits: Limits) {}

  get reached(): LimitFault | undefined {
    return this.#reached;
  }

  reach(name: string, at: number): void {
    this.#reached ??= { name, at };
  }

  fail(name: string, at: number): never {
    this.reach(name, at);
    throw new LimitReached(this.#reached ?? { name, at });
  }

  putOut(bytes: number): void {
    this.#output += bytes;
    if (this.#output > this.limits.output_bytes_max) this.fail("output-bytes-max", this.limits.output_bytes_max);
  }

  watch(memory: WebAssembly.Memory): void {
    this.#memories.push(memory);
    this.look();
  }

  /** Bytes of all memories together. */
  memory(): number {
    return this.#memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
  }

  look(): void {
    const bytes = this.memory();
    this.memoryPeak = Math.max(this.memoryPeak, bytes);
    if (bytes > this.limits.memory_bytes_max) this.fail("memory-bytes-max", this.limits.memory_bytes_max);
  }

  resume(): void {
    this.#since ??= performance.now();
  }

  pause(): void {
    if (this.#since !== undefined) this.#active += performance.now() - this.#since;
    this.#since = undefined;
  }

  active(): number {
    return this.#active + (this.#since === undefined ? 0 : performance.now() - this.#since);
  }

  /** A call from the code into the host. */
  hostcall(): void {
    this.#hostcalls += 1;
    if (this.#hostcalls > this.limits.hostcalls_max) this.fail("hostcalls-max", this.limits.hostcalls_max);
    if ((this.#hostcalls & 63) === 0) {
      this.look();
      if (this.active() > this.limits.cpu_ms_max) this.fail("cpu-ms-max", this.limits.cpu_ms_max);
    }
  }
}
