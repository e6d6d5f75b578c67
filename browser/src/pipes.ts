/** Pipes between processes: bounded, with ends in whatever workers. Everything that passes between two workers passes here. */

import type { ToGuest } from "./protocol.js";

/** Who has an end: a worker, or the page. */
export type Owner = (message: Extract<ToGuest, { kind: "data" | "unwanted" | "credit" | "broken" }>) => void;

let count = 0;

/** One end of a pipe, of one process. */
export class End {
  readonly id = (count += 1);

  constructor(
    readonly pipe: Pipe,
    readonly mode: "read" | "write",
    readonly owner: Owner,
  ) {
    (mode === "read" ? pipe.readers : pipe.writers).add(this);
  }

  /** The same for somebody else, while this one stays. */
  share(owner: Owner): End {
    return new End(this.pipe, this.mode, owner);
  }

  close(): void {
    if (this.mode === "read") this.pipe.closeReader(this);
    else this.pipe.closeWriter(this);
  }
}

export class Pipe {
  readonly readers = new Set<End>();
  readonly writers = new Set<End>();
  readonly #chunks: { bytes: Uint8Array; from: End | undefined }[] = [];
  #wanting: End[] = [];
  /** Bytes that were ever written. */
  total = 0;

  write(from: End | undefined, bytes: Uint8Array): void {
    this.total += bytes.length;
    if (this.readers.size === 0) {
      from?.owner({ kind: "broken", end: from.id });
      return;
    }
    this.#chunks.push({ bytes, from });
    this.#serve();
  }

  /** What was taken and not read. */
  unread(bytes: Uint8Array): void {
    this.#chunks.unshift({ bytes, from: undefined });
    this.#serve();
  }

  want(end: End): void {
    this.#wanting.push(end);
    this.#serve();
  }

  unwant(end: End): void {
    this.#wanting = this.#wanting.filter((each) => each !== end);
    end.owner({ kind: "unwanted", end: end.id });
  }

  #serve(): void {
    while (this.#wanting.length > 0) {
      const chunk = this.#chunks.shift();
      if (!chunk) {
        if (this.writers.size === 0) {
          for (const end of this.#wanting.splice(0)) end.owner({ kind: "data", end: end.id, bytes: undefined });
        }
        return;
      }
      const end = this.#wanting.shift();
      end?.owner({ kind: "data", end: end.id, bytes: chunk.bytes });
      if (chunk.from && this.writers.has(chunk.from)) {
        chunk.from.owner({ kind: "credit", end: chunk.from.id, bytes: chunk.bytes.length });
      }
    }
  }

  closeReader(end: End): void {
    if (!this.readers.delete(end)) return;
    this.#wanting = this.#wanting.filter((each) => each !== end);
    if (this.readers.size > 0) return;
    this.#chunks.length = 0;
    for (const writer of this.writers) writer.owner({ kind: "broken", end: writer.id });
  }

  closeWriter(end: End): void {
    if (!this.writers.delete(end)) return;
    this.#serve();
  }
}
