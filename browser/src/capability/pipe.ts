/** Ends of pipes, as a guest's worker has them. The pipes themselves are where all workers are started from. */

import { CREDIT_BYTES, type FromGuest } from "../protocol.js";
import { Signal, wait } from "./poll.js";
import { closed, type Reader, type StreamError, type Writer } from "./streams.js";

type Say = (message: FromGuest) => void;

/** The end that is read from. Bytes come when they are asked for, one piece at a time. */
export class PipeReader implements Reader {
  readonly #signal = new Signal();
  #bytes: Uint8Array | undefined;
  #isOver = false;
  #isWanted = false;
  #isClosed = false;
  #unwanted: (() => void) | undefined;
  #failure: StreamError | undefined;

  constructor(
    readonly end: number,
    readonly say: Say,
  ) {}

  #want(): void {
    if (this.#isWanted || this.#isOver || this.#bytes || this.#isClosed) return;
    this.#isWanted = true;
    this.say({ kind: "want", end: this.end });
  }

  hear(bytes: Uint8Array | undefined): void {
    this.#isWanted = false;
    if (bytes) this.#bytes = bytes;
    else this.#isOver = true;
    this.#signal.fire();
  }

  /** Why the end will be none. */
  failed(failure: StreamError): void {
    this.#failure = failure;
  }

  unwanted(): void {
    this.#isWanted = false;
    this.#unwanted?.();
  }

  /** Stops reading, and gives back what was not read: another process goes on from there. */
  async detach(): Promise<Uint8Array | undefined> {
    if (this.#isWanted) {
      const unwanted = new Promise<void>((resolve) => (this.#unwanted = resolve));
      this.say({ kind: "unwant", end: this.end });
      await unwanted;
    }
    this.#isClosed = true;
    return this.#bytes;
  }

  ready(): boolean {
    return this.#bytes !== undefined || this.#isOver;
  }

  watch(wake: () => void): () => void {
    this.#want();
    return this.#signal.watch(wake);
  }

  read(size: number): Uint8Array {
    if (size === 0) return new Uint8Array();
    const bytes = this.#bytes;
    if (!bytes) {
      if (this.#isOver) throw this.#failure ?? closed();
      this.#want();
      return new Uint8Array();
    }
    this.#bytes = bytes.length > size ? bytes.subarray(size) : undefined;
    return bytes.subarray(0, size);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.say({ kind: "close", end: this.end });
  }
}

/** The end that is written to. What nobody has read yet is bounded. */
export class PipeWriter implements Writer {
  readonly #signal = new Signal();
  #credit = CREDIT_BYTES;
  #isBroken = false;
  #isClosed = false;

  constructor(
    readonly end: number,
    readonly say: Say,
  ) {}

  credit(bytes: number): void {
    this.#credit += bytes;
    this.#signal.fire();
  }

  broken(): void {
    this.#isBroken = true;
    this.#signal.fire();
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  ready(): boolean {
    return this.#credit > 0 || this.#isBroken;
  }

  watch(wake: () => void): () => void {
    return this.#signal.watch(wake);
  }

  room(): number {
    if (this.#isBroken || this.#isClosed) throw closed();
    return this.#credit;
  }

  write(bytes: Uint8Array): void {
    if (this.#isBroken || this.#isClosed) throw closed();
    if (bytes.length === 0) return;
    this.#credit -= bytes.length;
    this.say({ kind: "write", end: this.end, bytes: bytes.slice() });
  }

  /** Gives the end away: it is somebody else's to close. */
  detach(): void {
    this.#isClosed = true;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.say({ kind: "close", end: this.end });
  }
}

/** All ends of one worker. */
export class Ends {
  readonly #readers = new Map<number, PipeReader>();
  readonly #writers = new Map<number, PipeWriter>();

  constructor(readonly say: Say) {}

  reader(end: number): PipeReader {
    const reader = new PipeReader(end, this.say);
    this.#readers.set(end, reader);
    return reader;
  }

  writer(end: number): PipeWriter {
    const writer = new PipeWriter(end, this.say);
    this.#writers.set(end, writer);
    return writer;
  }

  data(end: number, bytes: Uint8Array | undefined): void {
    this.#readers.get(end)?.hear(bytes);
  }

  failed(end: number, failure: StreamError): void {
    this.#readers.get(end)?.failed(failure);
  }

  unwanted(end: number): void {
    this.#readers.get(end)?.unwanted();
  }

  credit(end: number, bytes: number): void {
    this.#writers.get(end)?.credit(bytes);
  }

  broken(end: number): void {
    this.#writers.get(end)?.broken();
  }

  clear(): void {
    this.#readers.clear();
    this.#writers.clear();
  }
}

/** Reads until the end of `reader`, into `writer`. Returns when one of them has no more. */
export async function pump(reader: Reader, writer: Writer, moved: (bytes: number) => void): Promise<void> {
  try {
    for (;;) {
      let bytes: Uint8Array;
      if (reader.readLater) bytes = await reader.readLater(CREDIT_BYTES);
      else {
        bytes = reader.read(CREDIT_BYTES);
        if (bytes.length === 0) {
          await wait([reader]);
          continue;
        }
      }
      if (writer.writeLater) await writer.writeLater(bytes.slice());
      else {
        for (let rest = bytes; rest.length > 0; ) {
          const room = writer.room();
          if (room === 0) await wait([writer]);
          else {
            writer.write(rest.subarray(0, room));
            rest = rest.subarray(room);
          }
        }
      }
      moved(bytes.length);
    }
  } catch {
    // The end of one is the end of the other; an error of a file is told to whoever writes, as a pipe that nobody reads.
  } finally {
    await writer.flush?.().catch(() => {});
    reader.close();
    writer.close();
    moved(Infinity);
  }
}
