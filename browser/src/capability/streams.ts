/** `wasi:io/streams`. What bytes come from or go to is a `Reader` or a `Writer`; the contract's many forms are made here. */

import { Pollable, READY, wait, type Source } from "./poll.js";

/** `wasi:io/error`. */
export class IoError {
  readonly #message: string;

  constructor(message: string, readonly code?: string) {
    this.#message = message;
  }

  toDebugString(): string {
    return this.#message;
  }
}

export type StreamError = { tag: "closed" } | { tag: "last-operation-failed"; val: IoError };

export const closed = (): StreamError => ({ tag: "closed" });
export const failed = (message: string, code?: string): StreamError => ({
  tag: "last-operation-failed",
  val: new IoError(message, code),
});

/** Where bytes come from. Errors are thrown as `StreamError`. */
export interface Reader extends Source {
  /** At most `size` bytes; none: not yet. Throws `closed` at the end. */
  read(size: number): Uint8Array;
  /** The same, of what has to be waited for anyway: files. */
  readLater?(size: number): Promise<Uint8Array>;
  close(): void;
}

/** Where bytes go to. */
export interface Writer extends Source {
  /** How many bytes `write` takes now. Throws `closed` where nobody reads any more. */
  room(): number;
  write(bytes: Uint8Array): void;
  /** The same, of what has to be waited for anyway: files. */
  writeLater?(bytes: Uint8Array): Promise<void>;
  /** What was written has arrived, as far as that is known. */
  flush?(): Promise<void>;
  close(): void;
}

/** A guest may ask for any number of bytes: this many are made at once. */
const READ_BYTES_MAX = 1 << 20;

const size = (length: bigint): number => Number(length > BigInt(READ_BYTES_MAX) ? READ_BYTES_MAX : length);

const dispose: typeof Symbol.dispose = Symbol.dispose ?? (Symbol.for("dispose") as typeof Symbol.dispose);

export class InputStream {
  readonly #reader: Reader;
  #taken = false;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** Hands the reader on: this stream's owner gave it away. */
  take(): Reader {
    this.#taken = true;
    return this.#reader;
  }

  read(length: bigint): Uint8Array {
    return this.#reader.read(size(length));
  }

  /** At most `length` bytes of what can be had without a wait for somebody else: files are read. */
  async readNow(length: number): Promise<Uint8Array> {
    return this.#reader.readLater ? this.#reader.readLater(length) : this.#reader.read(length);
  }

  async blockingRead(length: bigint): Promise<Uint8Array> {
    const wanted = size(length);
    if (wanted === 0) return new Uint8Array();
    if (this.#reader.readLater) return this.#reader.readLater(wanted);
    for (;;) {
      const bytes = this.#reader.read(wanted);
      if (bytes.length > 0) return bytes;
      await wait([this.#reader]);
    }
  }

  skip(length: bigint): bigint {
    return BigInt(this.read(length).length);
  }

  async blockingSkip(length: bigint): Promise<bigint> {
    return BigInt((await this.blockingRead(length)).length);
  }

  subscribe(): Pollable {
    return new Pollable(this.#reader);
  }

  [dispose](): void {
    if (!this.#taken) this.#reader.close();
  }
}

export class OutputStream {
  readonly #writer: Writer;
  #taken = false;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  take(): Writer {
    this.#taken = true;
    return this.#writer;
  }

  checkWrite(): bigint {
    return BigInt(this.#writer.room());
  }

  write(bytes: Uint8Array): void {
    this.#writer.write(bytes);
  }

  async blockingWriteAndFlush(bytes: Uint8Array): Promise<void> {
    // The guest's memory may grow, and move, while this waits.
    await this.#writeAll(bytes.slice());
    await this.#writer.flush?.();
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    if (this.#writer.writeLater) return this.#writer.writeLater(bytes);
    let rest = bytes;
    while (rest.length > 0) {
      const room = this.#writer.room();
      if (room > 0) {
        this.#writer.write(rest.subarray(0, room));
        rest = rest.subarray(room);
      } else {
        await wait([this.#writer]);
      }
    }
  }

  flush(): void {
    // Nothing is held back: what was written is on its way. Files report their errors with the next blocking call.
  }

  async blockingFlush(): Promise<void> {
    await this.#writer.flush?.();
  }

  subscribe(): Pollable {
    return new Pollable(this.#writer);
  }

  writeZeroes(length: bigint): void {
    this.write(new Uint8Array(Number(length)));
  }

  async blockingWriteZeroesAndFlush(length: bigint): Promise<void> {
    await this.blockingWriteAndFlush(new Uint8Array(Number(length)));
  }

  /** Moves what is there, which may be nothing: whoever splices several streams waits for none of them alone. */
  async splice(source: InputStream, length: bigint): Promise<bigint> {
    const room = Math.min(this.#writer.room(), size(length));
    if (room === 0) return 0n;
    const bytes = await source.readNow(room);
    if (this.#writer.writeLater) await this.#writer.writeLater(bytes.slice());
    else this.#writer.write(bytes);
    return BigInt(bytes.length);
  }

  async blockingSplice(source: InputStream, length: bigint): Promise<bigint> {
    const bytes = await source.blockingRead(length);
    await this.#writeAll(bytes);
    return BigInt(bytes.length);
  }

  [dispose](): void {
    if (!this.#taken) this.#writer.close();
  }
}

export { dispose };

/** At its end from the start. */
export const EMPTY: Reader = {
  ...READY,
  read() {
    throw closed();
  },
  close() {},
};

/** Takes everything and keeps nothing. */
export const SINK: Writer = { ...READY, room: () => READ_BYTES_MAX, write() {}, close() {} };
