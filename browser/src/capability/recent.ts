/**
 * What was written last to files of a private folder, by whichever worker.
 *
 * To read a file costs a trip to another process for each, and more than all else that is done with it where files are small.
 * Most that are looked at were written a moment ago, in a worker of this page: who closes one tells what is in it.
 *
 * It is used only for a file that has the size and is no newer. Where a worker was ended in the middle of its work, it may have
 * changed files that it told nothing of, and nothing that was told before counts any more.
 */

/** A larger file is not told. */
export const TOLD_BYTES_MAX = 16 << 10;

const KEPT_BYTES_MAX = 4 << 20;
const KEPT_FILES_MAX = 4096;

/** Who is told of files, by their paths in the folder. */
export interface Told {
  /** It was closed with this content, which was read at a time, as `Date.now()` has it. None: what was told of it holds no more. */
  wrote(path: string, content: { bytes: Uint8Array; at: number } | undefined): void;
  /** What is known to be in a file. */
  find?(path: string, file: File): Uint8Array | undefined;
}

export class Recent implements Told {
  readonly #files = new Map<string, { bytes: Uint8Array; at: number }>();
  #bytes = 0;

  wrote(path: string, content: { bytes: Uint8Array; at: number } | undefined): void {
    this.#drop(path);
    if (!content) return;
    this.#files.set(path, content);
    this.#bytes += content.bytes.length;
    for (const oldest of this.#files.keys()) {
      if (this.#bytes <= KEPT_BYTES_MAX && this.#files.size <= KEPT_FILES_MAX) break;
      this.#drop(oldest);
    }
  }

  find(path: string, file: File): Uint8Array | undefined {
    const known = this.#files.get(path);
    return known && known.bytes.length === file.size && file.lastModified <= known.at ? known.bytes : undefined;
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
