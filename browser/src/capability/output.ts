/** stdout and stderr of a call: counted, and the last bytes kept. */

import type { Meter } from "../limits.js";
import { READY } from "./poll.js";
import type { Writer } from "./streams.js";

/** What is kept of a stream: enough for a panic message. */
const KEPT_BYTES_MAX = 4096;

/** What one write may carry. */
const WRITE_BYTES_MAX = 64 << 10;

/** The last bytes that were written. */
export class Captured {
  #kept = new Uint8Array();

  push(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#kept.length + bytes.length);
    all.set(this.#kept);
    all.set(bytes, this.#kept.length);
    this.#kept = all.subarray(Math.max(all.length - KEPT_BYTES_MAX, 0));
  }

  /** The last line that says something. */
  lastLine(): string | undefined {
    const lines = new TextDecoder().decode(this.#kept).split("\n").map((line) => line.trim());
    // Rust's runtime adds a hint about backtraces that helps nobody here.
    return lines.reverse().find((line) => line !== "" && !line.startsWith("note: run with"));
  }
}

export const output = (meter: Meter, captured: Captured): Writer => ({
  ...READY,
  room: () => WRITE_BYTES_MAX,
  write(bytes) {
    captured.push(bytes);
    meter.putOut(bytes.length);
  },
  close() {},
});
