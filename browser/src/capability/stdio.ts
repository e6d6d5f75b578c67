/** Standard streams of a process: they are there until it ends, whoever drops what it has of them. */

import type { Meter } from "../limits.js";
import type { PipeWriter } from "./pipe.js";
import { EMPTY, SINK, type Reader, type Writer } from "./streams.js";

/** It wrote to a pipe that nobody reads any more. */
export class BrokenPipe extends Error {}

export const standardInput = (reader: Reader | undefined): Reader => {
  const from = reader ?? EMPTY;
  return {
    ready: () => from.ready(),
    watch: (wake) => from.watch(wake),
    read: (size) => from.read(size),
    close() {},
  };
};

/** Counted towards the output of its process; `noted` hears what is written. */
export function standardOutput(writer: PipeWriter | undefined, meter: Meter, noted: (bytes: Uint8Array) => void): Writer {
  const to: Writer = writer ?? SINK;
  const check = () => {
    // What natively a signal does.
    if (writer?.isBroken) throw new BrokenPipe("nobody reads what it writes");
  };
  return {
    ready: () => to.ready(),
    watch: (wake) => to.watch(wake),
    room() {
      check();
      return to.room();
    },
    write(bytes) {
      check();
      meter.putOut(bytes.length);
      noted(bytes);
      to.write(bytes);
    },
    close() {},
  };
}
