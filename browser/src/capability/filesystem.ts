/** `wasi:filesystem`: descriptors over folders that the browser lends. */

import { datetime, type Datetime } from "./clocks.js";
import { Signal } from "./poll.js";
import {
  closed,
  dispose,
  failed,
  InputStream,
  IoError,
  OutputStream,
  type Reader,
  type StreamError,
  type Writer,
} from "./streams.js";
import type { Told } from "./recent.js";
import type { SmallFile } from "./small-files.js";
import { errorCode, join, Tree, type Folder, type OpenFile } from "./tree.js";

interface OpenFlags {
  create?: boolean;
  directory?: boolean;
  exclusive?: boolean;
  truncate?: boolean;
}

interface DescriptorFlags {
  read?: boolean;
  write?: boolean;
  mutateDirectory?: boolean;
}

interface Stat {
  type: "directory" | "regular-file";
  linkCount: bigint;
  size: bigint;
  dataAccessTimestamp?: Datetime;
  dataModificationTimestamp?: Datetime;
  statusChangeTimestamp?: Datetime;
}

type NewTimestamp = { tag: "no-change" | "now" } | { tag: "timestamp"; val: Datetime };

/** What one read may give. */
const READ_BYTES_MAX = 4 << 20;

/** Told of each write to a file, once it is done. */
export type Tap = (path: string, bytes: Uint8Array, offset: number) => void;

/** Runs, and says what went wrong in the contract's words. */
async function coded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw errorCode(error);
  }
}

/** A number for a place, the same in all workers. */
function placeHash(text: string): { lower: bigint; upper: bigint } {
  const mask = (1n << 64n) - 1n;
  let [lower, upper] = [0xcbf29ce484222325n, 0x84222325cbf29ce4n];
  for (let at = 0; at < text.length; at++) {
    const code = BigInt(text.charCodeAt(at));
    lower = ((lower ^ code) * 0x100000001b3n) & mask;
    upper = ((upper ^ (code + 1n)) * 0x100000001b3n) & mask;
  }
  return { lower, upper };
}

/** A place in a file, for whoever opens it anew. Without `at`: always its end. */
export interface FilePlace {
  mount: string;
  path: string;
  at: number | undefined;
}

/** What a stream reads ahead, for whoever does not wait. */
const AHEAD_BYTES = 64 << 10;

/** Reads a file in order. Whoever does not wait gets what was read ahead. */
export class FileReader implements Reader {
  readonly #signal = new Signal();
  #ahead: Uint8Array | undefined;
  #failure: StreamError | undefined;
  #reading: Promise<void> | undefined;

  constructor(
    readonly mount: string,
    readonly file: OpenFile,
    private at: number,
  ) {}

  /** Where it would go on reading. */
  async place(): Promise<FilePlace> {
    await this.#reading;
    return { mount: this.mount, path: this.file.path, at: this.at - (this.#ahead?.length ?? 0) };
  }

  async #load(size: number): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      bytes = await this.file.read(size, this.at);
    } catch (error) {
      throw failed(`cannot read ${this.file.path}`, errorCode(error));
    }
    if (bytes.length === 0) throw closed();
    this.at += bytes.length;
    return bytes;
  }

  #begin(): void {
    if (this.#reading || this.ready()) return;
    this.#reading = this.#load(AHEAD_BYTES)
      .then(
        (bytes) => void (this.#ahead = bytes),
        (error: unknown) => void (this.#failure = error as StreamError),
      )
      .then(() => {
        this.#reading = undefined;
        this.#signal.fire();
      });
  }

  ready(): boolean {
    return this.#ahead !== undefined || this.#failure !== undefined;
  }

  watch(wake: () => void): () => void {
    const undo = this.#signal.watch(wake);
    this.#begin();
    return undo;
  }

  read(size: number): Uint8Array {
    if (size === 0) return new Uint8Array();
    const bytes = this.#ahead;
    if (bytes) {
      this.#ahead = bytes.length > size ? bytes.subarray(size) : undefined;
      return bytes.subarray(0, size);
    }
    const failure = this.#failure;
    // A file may grow: the end is looked for anew.
    this.#failure = undefined;
    if (failure) throw failure;
    this.#begin();
    return new Uint8Array();
  }

  async readLater(size: number): Promise<Uint8Array> {
    await this.#reading;
    return this.ready() ? this.read(size) : this.#load(size);
  }

  close(): void {
    this.file.close();
  }
}

/** What one stream may have on its way to a file. */
const PENDING_BYTES_MAX = 256 << 10;

export class FileWriter implements Writer {
  readonly #signal = new Signal();
  #pending = 0;
  #last: Promise<void> = Promise.resolve();
  #failure: StreamError | undefined;

  constructor(
    readonly mount: string,
    readonly file: OpenFile,
    readonly put: (bytes: Uint8Array) => Promise<void>,
    readonly at: () => number | undefined,
  ) {}

  /** Where it would go on writing. */
  async place(): Promise<FilePlace> {
    await this.flush();
    return { mount: this.mount, path: this.file.path, at: this.at() };
  }

  #add(bytes: Uint8Array): Promise<void> {
    this.#pending += bytes.length;
    this.#last = this.#last
      .then(() => (this.#failure ? undefined : this.put(bytes)))
      .catch((error: unknown) => void (this.#failure ??= failed(`cannot write ${this.file.path}`, errorCode(error))))
      .then(() => {
        this.#pending -= bytes.length;
        this.#signal.fire();
      });
    return this.#last;
  }

  ready(): boolean {
    return this.#pending < PENDING_BYTES_MAX || this.#failure !== undefined;
  }

  watch(wake: () => void): () => void {
    return this.#signal.watch(wake);
  }

  room(): number {
    this.#check();
    return Math.max(PENDING_BYTES_MAX - this.#pending, 0);
  }

  #check(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
  }

  write(bytes: Uint8Array): void {
    this.#check();
    void this.#add(bytes.slice());
  }

  async writeLater(bytes: Uint8Array): Promise<void> {
    await this.#add(bytes);
    this.#check();
  }

  async flush(): Promise<void> {
    await this.#last;
    this.#check();
  }

  close(): void {
    void this.#last.then(() => this.file.close());
  }
}

export class DirectoryEntryStream {
  readonly #entries: AsyncGenerator<{ name: string; kind: "file" | "directory" }>;

  constructor(entries: AsyncGenerator<{ name: string; kind: "file" | "directory" }>) {
    this.#entries = entries;
  }

  async readDirectoryEntry(): Promise<{ type: string; name: string } | undefined> {
    return coded(async () => {
      const next = await this.#entries.next();
      if (next.done) return undefined;
      return { type: next.value.kind === "directory" ? "directory" : "regular-file", name: next.value.name };
    });
  }

  [dispose](): void {
    void this.#entries.return(undefined);
  }
}

export class Descriptor {
  readonly #tree: Tree;
  readonly #path: string;
  readonly #name: string;
  readonly #file: OpenFile | undefined;
  readonly #flags: DescriptorFlags;
  readonly #tap: Tap | undefined;

  constructor(tree: Tree, path: string, name: string, flags: DescriptorFlags, file?: OpenFile, tap?: Tap) {
    this.#tree = tree;
    this.#path = path;
    this.#name = name;
    this.#flags = flags;
    this.#file = file;
    this.#tap = tap;
  }

  #opened(): OpenFile {
    if (!this.#file) throw "is-directory";
    return this.#file;
  }

  #directory(): void {
    if (this.#file) throw "not-directory";
  }

  #mayMutate(): void {
    this.#directory();
    if (!this.#flags.mutateDirectory) throw "not-permitted";
  }

  #mayWrite(): OpenFile {
    const file = this.#opened();
    if (!this.#flags.write) throw "not-permitted";
    return file;
  }

  readViaStream(offset: bigint): InputStream {
    const file = this.#opened();
    if (!this.#flags.read) throw "not-permitted";
    file.users += 1;
    return new InputStream(new FileReader(this.#name, file, Number(offset)));
  }

  writeViaStream(offset: bigint): OutputStream {
    return this.#stream(Number(offset));
  }

  appendViaStream(): OutputStream {
    return this.#stream(undefined);
  }

  /** Without an offset: always at the end. */
  #stream(offset: number | undefined): OutputStream {
    const file = this.#mayWrite();
    file.users += 1;
    let at = offset;
    const tap = this.#tap;
    const put = async (bytes: Uint8Array) => {
      let rest = bytes;
      while (rest.length > 0) {
        const position = at ?? (await file.size());
        const written = await file.write(rest, position);
        if (written === 0) throw "insufficient-space";
        tap?.(file.path, rest.subarray(0, written), position);
        if (at !== undefined) at += written;
        rest = rest.subarray(written);
      }
    };
    return new OutputStream(new FileWriter(this.#name, file, put, () => at));
  }

  advise(): void {}

  async syncData(): Promise<void> {
    return this.sync();
  }

  async sync(): Promise<void> {
    return coded(async () => {
      await this.#file?.flush();
      await this.#tree.settled();
    });
  }

  getFlags(): DescriptorFlags {
    return this.#flags;
  }

  getType(): string {
    return this.#file ? "regular-file" : "directory";
  }

  async setSize(size: bigint): Promise<void> {
    return coded(() => this.#mayWrite().truncate(Number(size)));
  }

  // A browser keeps the times of files by itself. See docs/browser.md.
  async setTimes(_access: NewTimestamp, _modification: NewTimestamp): Promise<void> {
    if (this.#file ? !this.#flags.write : !this.#flags.mutateDirectory) throw "not-permitted";
  }

  async setTimesAt(_flags: unknown, path: string): Promise<void> {
    this.#mayMutate();
    return coded(async () => void (await this.#tree.look(join(this.#path, path))));
  }

  async read(length: bigint, offset: bigint): Promise<[Uint8Array, boolean]> {
    const file = this.#opened();
    if (!this.#flags.read) throw "not-permitted";
    const wanted = Number(length > BigInt(READ_BYTES_MAX) ? READ_BYTES_MAX : length);
    return coded(async () => {
      const bytes = await file.read(wanted, Number(offset));
      return [bytes, bytes.length < wanted];
    });
  }

  async write(bytes: Uint8Array, offset: bigint): Promise<bigint> {
    const file = this.#mayWrite();
    return coded(async () => {
      const written = await file.write(bytes, Number(offset));
      this.#tap?.(file.path, bytes.subarray(0, written), Number(offset));
      return BigInt(written);
    });
  }

  async readDirectory(): Promise<DirectoryEntryStream> {
    this.#directory();
    return coded(async () => {
      await this.#tree.settled();
      // Fails here rather than at the first entry.
      await this.#tree.directory(this.#path);
      return new DirectoryEntryStream(this.#tree.list(this.#path));
    });
  }

  async createDirectoryAt(path: string): Promise<void> {
    this.#mayMutate();
    return coded(() => this.#tree.create(join(this.#path, path)));
  }

  async stat(): Promise<Stat> {
    const file = this.#file;
    if (!file) return directoryStat();
    return coded(async () => {
      const { size, modified } = await file.status();
      return fileStat(size, modified);
    });
  }

  async statAt(_flags: unknown, path: string): Promise<Stat> {
    this.#directory();
    return coded(async () => {
      await this.#tree.settled();
      const whole = join(this.#path, path);
      const open = this.#tree.opened(whole);
      if (open) {
        const { size, modified } = await open.status();
        return fileStat(size, modified);
      }
      const found = await this.#tree.look(whole);
      return found.kind === "directory" ? directoryStat() : fileStat(found.file.size, found.file.lastModified);
    });
  }

  async linkAt(): Promise<void> {
    throw "unsupported";
  }

  async openAt(_flags: unknown, path: string, open: OpenFlags, flags: DescriptorFlags): Promise<Descriptor> {
    this.#directory();
    return coded(async () => {
      await this.#tree.settled();
      const whole = join(this.#path, path);
      const changes = open.create || open.truncate || flags.write;
      if (changes && !this.#flags.mutateDirectory) throw "not-permitted";
      const isKnown = this.#tree.opened(whole) !== undefined;
      const found = open.create || open.directory || whole === "" || isKnown ? undefined : await this.#tree.look(whole);
      if (open.directory || whole === "" || found?.kind === "directory") {
        if (open.create || open.truncate) throw "invalid";
        if (flags.write) throw "is-directory";
        if (!found) await this.#tree.directory(whole);
        const allowed = { read: true, mutateDirectory: !!flags.mutateDirectory && !!this.#flags.mutateDirectory };
        return new Descriptor(this.#tree, whole, this.#name, allowed, undefined, this.#tap);
      }
      let file: OpenFile;
      try {
        const how = { create: !!open.create, exclusive: !!open.create && !!open.exclusive, write: !!changes };
        file = await this.#tree.open(whole, how, found);
      } catch (error) {
        // To create: there is a directory of that name, or a file where one should be.
        if (!open.create || errorCode(error) !== "not-directory") throw error;
        throw (await this.#isDirectory(whole)) ? "is-directory" : "not-directory";
      }
      if (open.truncate) await file.truncate(0);
      const allowed = { read: !!flags.read, write: !!flags.write };
      return new Descriptor(this.#tree, whole, this.#name, allowed, file, this.#tap);
    });
  }

  async #isDirectory(path: string): Promise<boolean> {
    if (this.#tree.opened(path)) return false;
    try {
      return (await this.#tree.look(path)).kind === "directory";
    } catch (error) {
      if (errorCode(error) === "no-entry") throw "no-entry";
      throw error;
    }
  }

  async readlinkAt(path: string): Promise<string> {
    this.#directory();
    return coded(async () => {
      await this.#tree.look(join(this.#path, path));
      throw "invalid";
    });
  }

  async removeDirectoryAt(path: string): Promise<void> {
    this.#mayMutate();
    return coded(() => this.#tree.remove(join(this.#path, path), "directory"));
  }

  /** Each of these files, all at once. None: whoever asks for it alone learns why. */
  async readSmall(names: string[], bytesMax: number): Promise<(SmallFile | undefined)[]> {
    this.#directory();
    return coded(async () => {
      await this.#tree.settled();
      return Promise.all(
        names.map(async (name): Promise<SmallFile | undefined> => {
          const found = await this.#tree.small(join(this.#path, name), bytesMax).catch(() => undefined);
          return found && { size: BigInt(found.size), mode: undefined, bytes: found.bytes };
        }),
      );
    });
  }

  async renameAt(from: string, to: Descriptor, path: string): Promise<void> {
    this.#mayMutate();
    if (!(to.#flags.mutateDirectory && !to.#file)) throw "not-permitted";
    if (to.#tree !== this.#tree) throw "cross-device";
    return coded(async () => {
      await this.#tree.settled();
      await this.#tree.rename(join(this.#path, from), join(to.#path, path));
    });
  }

  // There are no links in the browser's storage, and none that it shows in the user's folders.
  async symlinkAt(): Promise<void> {
    throw "unsupported";
  }

  async unlinkFileAt(path: string): Promise<void> {
    this.#mayMutate();
    return coded(async () => {
      await this.#tree.settled();
      await this.#tree.remove(join(this.#path, path), "file");
    });
  }

  isSameObject(other: Descriptor): boolean {
    return this.#tree === other.#tree && this.#path === other.#path;
  }

  metadataHash(): { lower: bigint; upper: bigint } {
    return placeHash(`${this.#name}/${this.#path}`);
  }

  metadataHashAt(_flags: unknown, path: string): { lower: bigint; upper: bigint } {
    return placeHash(`${this.#name}/${join(this.#path, path)}`);
  }

  [dispose](): void {
    this.#file?.close();
  }
}

const directoryStat = (): Stat => ({ type: "directory", linkCount: 1n, size: 0n });

function fileStat(size: number, modified: number): Stat {
  const at = datetime(modified);
  return {
    type: "regular-file",
    linkCount: 1n,
    size: BigInt(size),
    dataAccessTimestamp: at,
    dataModificationTimestamp: at,
    statusChangeTimestamp: at,
  };
}

/** The folders that an instance is lent, by the names that it knows them by. */
export class Mounts {
  readonly #trees: Tree[] = [];
  readonly #list: { tree: Tree; name: string; tap: Tap | undefined }[] = [];

  /** `told`: of a private folder, who is told what is written. */
  lend(name: string, folder: Folder, { tap, told }: { tap?: Tap | undefined; told?: Told | undefined } = {}): void {
    const tree = new Tree(folder, told);
    this.#trees.push(tree);
    this.#list.push({ tree, name, tap });
  }

  async close(): Promise<void> {
    for (const tree of this.#trees) await tree.close();
  }

  imports() {
    return {
      "wasi:filesystem/preopens": {
        getDirectories: (): [Descriptor, string][] =>
          this.#list.map(({ tree, name, tap }) => {
            const flags = { read: true, mutateDirectory: tree.folder.writable };
            return [new Descriptor(tree, "", name, flags, undefined, tap), name];
          }),
      },
      "wasi:filesystem/types": {
        Descriptor,
        DirectoryEntryStream,
        filesystemErrorCode: (error: IoError) => error.code,
      },
    };
  }
}
