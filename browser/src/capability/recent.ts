/**
 * What was written last to files of a private folder, by whichever worker.
 *
 * To ask for a file and to read it are two trips to another process, and more than all else that is done with it where files
 * are small. Most that are looked at were written a moment ago, by a worker of this page: who closes one tells what is in it.
 *
 * Who begins to write to a file tells that, too, and nothing is known of it until it is closed. Where a worker was ended in the
 * middle of its work, it may have changed what it told nothing of, and nothing that was told before counts any more.
 */

/** A larger file is not told, in bytes. */
export const TOLD_BYTES_MAX = 16 << 10;

/** What is kept of all files together; beyond that those go that were told of first. */
const KEPT_BYTES_MAX = 4 << 20;
const KEPT_FILES_MAX = 4096;

/** What a file was left with, and when, as `Date.now()` has it. */
export interface Content {
  bytes: Uint8Array;
  at: number;
}

/** Who is told of files, by their paths in the folder. */
export interface Told {
  /** It was closed with this content. None: what was told of it holds no more. */
  wrote(path: string, content: Content | undefined): void;
  /** What is known to be in a file. */
  find?(path: string): Snapshot | undefined;
}

/** As much of a `File` as is asked for. */
export interface Snapshot {
  readonly size: number;
  readonly lastModified: number;
  arrayBuffer(): Promise<ArrayBuffer>;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** A snapshot of bytes that are at hand. */
function snapshot({ bytes, at }: Content): Snapshot {
  const piece = (start: number, end: number) => ({
    arrayBuffer: async () => bytes.slice(start, end).buffer as ArrayBuffer,
  });
  return { size: bytes.length, lastModified: at, slice: piece, ...piece(0, bytes.length) };
}

export class Recent implements Told {
  readonly #files = new Map<string, Content>();
  #bytes = 0;

  wrote(path: string, content: Content | undefined): void {
    this.#drop(path);
    if (!content) return;
    this.#files.set(path, content);
    this.#bytes += content.bytes.length;
    for (const oldest of this.#files.keys()) {
      if (this.#bytes <= KEPT_BYTES_MAX && this.#files.size <= KEPT_FILES_MAX) break;
      this.#drop(oldest);
    }
  }

  find(path: string): Snapshot | undefined {
    const known = this.#files.get(path);
    return known && snapshot(known);
  }

  clear(): void {
    this.#files.clear();
    this.#bytes = 0;
  }

  #drop(path: string): void {
    const known = this.#files.get(path);
    if (!known) return;
    this.#bytes -= known.bytes.length;
    this.#files.delete(path);
  }
}
