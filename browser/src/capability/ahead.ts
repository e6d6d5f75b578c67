/**
 * Reading ahead, in the order of a listing.
 *
 * Each question about a file is a trip to another process and back, and a guest asks one at a time. Who lists a directory and
 * then goes through its files in that order is answered from what was asked for meanwhile, many at once.
 *
 * What was read ahead is used only while nothing has been heard from outside since, and for a moment: whoever learned of a
 * change, from wherever, sees it.
 */

import type { Snapshot, Told } from "./recent.js";

/** Directories whose order is remembered, and files of one. */
const LISTS_MAX = 8;
const FILES_MAX = 20_000;

/** Names that may be left out without the order being lost. */
const GAP_MAX = 16;

/** Files that are looked at ahead: few at first, more the longer the order holds. */
const WINDOW_MIN = 8;
const WINDOW_MAX = 128;

/** A larger file's content is not read ahead. */
const WHOLE_BYTES_MAX = 64 << 10;

/** From when the answer came. */
const FRESH_MS = 1000;

let heard = 0;

/** Something came from outside: what was read before may be old. */
export function hear(): void {
  heard += 1;
}

export interface Looked {
  handle: FileSystemFileHandle;
  file: Snapshot;
  /** Its content, if it was read ahead as well. */
  whole?: Promise<Uint8Array | undefined>;
}

interface Fetched {
  looked: Promise<Looked | undefined>;
  heard: number;
  /** When the answer came. */
  since: number | undefined;
}

class List {
  readonly files: { path: string; handle: FileSystemFileHandle }[] = [];
  readonly places = new Map<string, number>();
  readonly fetched = new Map<string, Fetched>();
  #last = -1;
  /** Files in order so far. */
  #run = 0;
  #asked = 0;
  #reads = 0;
  #window = WINDOW_MIN;

  constructor(readonly told: Told | undefined) {}

  add(path: string, handle: FileSystemFileHandle): void {
    this.places.set(path, this.files.length);
    this.files.push({ path, handle });
  }

  read(): void {
    this.#reads += 1;
  }

  async take(path: string): Promise<Looked | undefined> {
    const place = this.places.get(path);
    if (place === undefined) return undefined;
    const step = place - this.#last;
    if (step !== 0) {
      if (step > 0 && step <= GAP_MAX) this.#run += 1;
      else this.#reset(place);
      for (let at = Math.max(this.#last, 0); step > 0 && at < place && at < this.#asked; at++) this.#drop(at);
      this.#last = place;
    }
    const fetched = this.fetched.get(path);
    if (this.#run >= 2) this.#fetch(place + 1);
    if (!fetched) return undefined;
    const age = fetched.since === undefined ? 0 : performance.now() - fetched.since;
    const isFresh = fetched.heard === heard && age <= FRESH_MS;
    // More was asked for than is used in time.
    if (age > FRESH_MS) this.#window = Math.max(this.#window / 2, WINDOW_MIN);
    if (!isFresh) this.fetched.delete(path);
    return isFresh ? fetched.looked : undefined;
  }

  #reset(place: number): void {
    [this.#run, this.#reads, this.#asked, this.#window] = [0, 0, place, WINDOW_MIN];
    this.fetched.clear();
  }

  #drop(place: number): void {
    const file = this.files[place];
    if (file) this.fetched.delete(file.path);
  }

  #fetch(next: number): void {
    this.#asked = Math.max(this.#asked, next);
    // Only where half of what was asked for is used up: trips are cheap together.
    if (this.#asked - next > this.#window / 2) return;
    this.#window = Math.min(this.#window * 2, WINDOW_MAX);
    const isRead = this.#reads * 2 >= this.#run;
    const end = Math.min(next + this.#window, this.files.length);
    for (; this.#asked < end; this.#asked++) {
      const file = this.files[this.#asked];
      if (!file) continue;
      const fetched: Fetched = { looked: look(file, isRead, this.told), heard, since: undefined };
      void fetched.looked.then(() => (fetched.since = performance.now()));
      this.fetched.set(file.path, fetched);
    }
  }
}

async function look(
  { path, handle }: { path: string; handle: FileSystemFileHandle },
  isRead: boolean,
  told: Told | undefined,
): Promise<Looked | undefined> {
  try {
    const known = told?.find?.(path);
    if (known) return { handle, file: known };
    const file = await handle.getFile();
    if (!isRead || file.size > WHOLE_BYTES_MAX) return { handle, file };
    const whole = file.arrayBuffer().then(
      (bytes) => new Uint8Array(bytes),
      () => undefined,
    );
    return { handle, file, whole };
  } catch {
    // Gone, for instance: whoever asks for it is told why.
    return undefined;
  }
}

const parent = (path: string): string => path.slice(0, Math.max(path.lastIndexOf("/"), 0));

/** What is known ahead of one tree. */
export class Ahead {
  readonly #lists = new Map<string, List>();

  constructor(readonly told?: Told) {}

  /** A directory is listed: each file is to be added in its order. */
  list(directory: string): (path: string, handle: FileSystemFileHandle) => void {
    const list = new List(this.told);
    this.#lists.delete(directory);
    if (this.#lists.size >= LISTS_MAX) {
      for (const oldest of this.#lists.keys()) {
        this.#lists.delete(oldest);
        break;
      }
    }
    this.#lists.set(directory, list);
    return (path, handle) => {
      if (list.files.length < FILES_MAX) list.add(path, handle);
    };
  }

  take(path: string): Promise<Looked | undefined> | undefined {
    return this.#lists.get(parent(path))?.take(path);
  }

  /** A file's content was asked for. */
  read(path: string): void {
    this.#lists.get(parent(path))?.read();
  }

  /** It is changed, by whoever has this tree. */
  forget(path: string): void {
    this.#lists.get(parent(path))?.fetched.delete(path);
    this.#lists.delete(path);
  }

  /** Everything below a path is changed. */
  forgetBelow(path: string): void {
    this.forget(path);
    for (const directory of this.#lists.keys()) if (directory.startsWith(`${path}/`)) this.#lists.delete(directory);
  }
}
