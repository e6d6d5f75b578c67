/**
 * A folder that the browser lends, and what is done below it.
 *
 * There are two kinds. A *private* one is in the origin's own storage: its files are read and written in place, through
 * synchronous handles that several workers may have at once. A *picked* one is the user's: it is read as it is at the moment,
 * and a file that is written to gets its new content as a whole, when it is closed.
 */

import { Ahead, type Looked } from "./ahead.js";
import { TOLD_BYTES_MAX, type Snapshot, type Told } from "./recent.js";

export type ErrorCode = string;

/** Known handles below one folder; asking for one again costs a trip to another process. */
const HANDLES_MAX = 20_000;

/** A file of a picked folder up to this size is read at once. */
const WHOLE_BYTES_MAX = 1 << 20;

/** A file that is written anew without `move`. */
const COPY_BYTES = 4 << 20;

export interface Folder {
  handle: FileSystemDirectoryHandle;
  kind: "private" | "picked";
  writable: boolean;
}

interface Movable {
  move?(parent: FileSystemDirectoryHandle, name: string): Promise<void>;
}

/** In workers only, where the library for pages does not know it. */
interface SyncAccess {
  read(buffer: Uint8Array, options: { at: number }): number;
  write(buffer: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

interface Syncable {
  createSyncAccessHandle(options: { mode: "readwrite-unsafe" }): Promise<SyncAccess>;
}

/** What a browser says, in the words of `wasi:filesystem`. */
export function errorCode(error: unknown): ErrorCode {
  if (typeof error === "string") return error;
  switch (error instanceof Error ? error.name : "") {
    case "NotFoundError":
      return "no-entry";
    case "TypeMismatchError":
      return "not-directory";
    case "InvalidModificationError":
      return "not-empty";
    case "NoModificationAllowedError":
      return "busy";
    case "NotAllowedError":
    case "SecurityError":
      return "not-permitted";
    case "QuotaExceededError":
      return "insufficient-space";
    // A name that no file can have.
    case "TypeError":
      return "invalid";
    default:
      return "io";
  }
}

const isNamed = (error: unknown, name: string): boolean => error instanceof Error && error.name === name;

/** `a/b/c` as `["a/b", "c"]`. */
function split(path: string): [string, string] {
  const at = path.lastIndexOf("/");
  return at < 0 ? ["", path] : [path.slice(0, at), path.slice(at + 1)];
}

/** What a guest names, below a directory. No guest gets out of it: whoever wants `..` resolves it by itself. */
export function join(base: string, path: string): string {
  if (path.includes("\0")) throw "invalid";
  if (path.startsWith("/")) throw "not-permitted";
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) throw "not-permitted";
  return [...(base === "" ? [] : [base]), ...names].join("/");
}

/** An open file, shared by all that have it open in this worker. */
export class OpenFile {
  users = 1;
  #access: SyncAccess | undefined;
  #opening: Promise<SyncAccess> | undefined;
  #file: Snapshot | undefined;
  #whole: Uint8Array | undefined;
  /** The content of `#file`, if it was read ahead. */
  #ahead: Promise<Uint8Array | undefined> | undefined;
  #wasRead = false;
  #writing: FileSystemWritableFileStream | undefined;
  /** A private file that only is read needs no handle that is dear to open. */
  #isInPlace = false;
  #wasWritten = false;

  constructor(
    readonly tree: Tree,
    public path: string,
    public handle: FileSystemFileHandle,
    found?: { file: Snapshot; whole?: Promise<Uint8Array | undefined> },
  ) {
    this.#file = found?.file;
    this.#ahead = found?.whole;
  }

  #drop(): void {
    this.#file = this.#whole = this.#ahead = undefined;
  }

  /** From now on it is read and written in place. */
  setInPlace(): void {
    this.#isInPlace = this.#isPrivate;
    this.#drop();
  }

  async #sync(): Promise<SyncAccess> {
    if (this.#access) return this.#access;
    this.#opening ??= (this.handle as unknown as Syncable).createSyncAccessHandle({ mode: "readwrite-unsafe" });
    try {
      this.#access = await this.#opening;
    } finally {
      this.#opening = undefined;
    }
    return this.#access;
  }

  get #isPrivate(): boolean {
    return this.tree.folder.kind === "private";
  }

  async #snapshot(): Promise<Snapshot> {
    if (this.#writing) await this.settle();
    this.#file ??= await this.handle.getFile();
    return this.#file;
  }

  async read(length: number, offset: number): Promise<Uint8Array> {
    if (this.#isInPlace) return this.#readInPlace(length, offset);
    if (!this.#wasRead) this.tree.wasRead(this);
    this.#wasRead = true;
    for (let tries = 2; ; ) {
      let file = await this.#snapshot();
      // It may have grown since.
      if (offset > 0 && offset >= file.size) {
        this.#drop();
        file = await this.#snapshot();
      }
      if (offset >= file.size || length === 0) return new Uint8Array();
      try {
        if (file.size > WHOLE_BYTES_MAX) {
          return new Uint8Array(await file.slice(offset, Math.min(offset + length, file.size)).arrayBuffer());
        }
        this.#whole ??= (await this.#ahead) ?? new Uint8Array(await file.arrayBuffer());
        return this.#whole.slice(offset, offset + length);
      } catch (error) {
        // It was changed since: what it is now is what is read.
        this.#drop();
        if (!isNamed(error, "NotReadableError")) throw error;
        tries -= 1;
        if (tries > 0) continue;
        if (!this.#isPrivate) throw error;
        this.setInPlace();
        return this.#readInPlace(length, offset);
      }
    }
  }

  async #readInPlace(length: number, offset: number): Promise<Uint8Array> {
    const access = this.#access ?? (await this.#sync());
    const left = Math.max(access.getSize() - offset, 0);
    const bytes = new Uint8Array(Math.min(length, left));
    const read = access.read(bytes, { at: offset });
    return read === bytes.length ? bytes : bytes.subarray(0, read);
  }

  async write(bytes: Uint8Array, offset: number): Promise<number> {
    if (this.#isPrivate) {
      const access = this.#access ?? (await this.#sync());
      this.#beginWriting();
      return access.write(bytes, { at: offset });
    }
    const writing = await this.#begin();
    const data = bytes.slice() as Uint8Array<ArrayBuffer>;
    await writing.write({ type: "write", position: offset, data });
    return bytes.length;
  }

  async #begin(): Promise<FileSystemWritableFileStream> {
    this.#drop();
    this.#writing ??= await this.handle.createWritable({ keepExistingData: true });
    return this.#writing;
  }

  async truncate(size: number): Promise<void> {
    if (this.#isPrivate) {
      const access = await this.#sync();
      this.#beginWriting();
      access.truncate(size);
    } else await (await this.#begin()).truncate(size);
  }

  async size(): Promise<number> {
    if (this.#access) return this.#access.getSize();
    return (await this.status()).size;
  }

  /** Size, and when it was changed last. */
  async status(): Promise<{ size: number; modified: number }> {
    if (this.#writing) await this.settle();
    this.#drop();
    const file = this.#isInPlace ? await this.handle.getFile() : await this.#snapshot();
    return { size: this.#access ? this.#access.getSize() : file.size, modified: file.lastModified };
  }

  async flush(): Promise<void> {
    if (this.#access) this.#access.flush();
    await this.settle();
  }

  /** Of a picked file: what was written becomes its content. */
  async settle(): Promise<void> {
    const writing = this.#writing;
    this.#writing = undefined;
    await writing?.close();
  }

  /** Lets go of what keeps others from the file. It opens again by itself. */
  async release(): Promise<void> {
    if (this.#opening) await this.#sync();
    this.#tell();
    this.#access?.close();
    this.#access = undefined;
    this.#drop();
    await this.settle();
  }

  #beginWriting(): void {
    if (!this.#wasWritten) this.tree.told?.wrote(this.path, undefined);
    this.#wasWritten = true;
  }

  /** Says what it was left with. */
  #tell(): void {
    const [access, told] = [this.#access, this.tree.told];
    if (!access || !told || !this.#wasWritten) return;
    this.#wasWritten = false;
    const [at, size] = [Date.now(), access.getSize()];
    const bytes = new Uint8Array(Math.min(size, TOLD_BYTES_MAX));
    const isWhole = size <= TOLD_BYTES_MAX && access.read(bytes, { at: 0 }) === size;
    told.wrote(this.path, isWhole ? { bytes, at } : undefined);
  }

  close(): void {
    this.users -= 1;
    if (this.users === 0) this.tree.closed(this);
  }
}

/** Everything below one folder, as one worker sees it. */
export class Tree {
  readonly #directories = new Map<string, FileSystemDirectoryHandle>();
  readonly #files = new Map<string, FileSystemFileHandle>();
  readonly #open = new Map<string, OpenFile>();
  readonly #ahead: Ahead;
  /** What was closed and is not done yet. */
  #pending: Promise<unknown> = Promise.resolve();
  #isPending = false;
  #failure: unknown;

  /** `told`: of a private folder, who is told what is written. */
  constructor(
    readonly folder: Folder,
    readonly told?: Told,
  ) {
    this.#ahead = new Ahead(told);
  }

  /** Waits for what was closed before. An error of it is reported here: its own call could not. */
  async settled(): Promise<void> {
    if (!this.#isPending) return;
    await this.#pending;
    this.#isPending = false;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  closed(file: OpenFile): void {
    if (this.#open.get(file.path) === file) this.#open.delete(file.path);
    if (this.folder.kind === "private") void file.release().catch(() => {});
    else {
      this.#isPending = true;
      this.#pending = this.#pending.then(() => file.release()).catch((error: unknown) => (this.#failure = error));
    }
  }

  /** Lets go of all files. */
  async close(): Promise<void> {
    for (const file of [...this.#open.values()]) await file.release().catch(() => {});
    this.#open.clear();
    await this.settled();
  }

  #know(path: string, handle: FileSystemHandle): void {
    const known: Map<string, FileSystemHandle> = handle.kind === "directory" ? this.#directories : this.#files;
    if (known.size >= HANDLES_MAX) known.clear();
    known.set(path, handle);
  }

  wasRead(file: OpenFile): void {
    this.#ahead.read(file.path);
  }

  #forget(path: string): void {
    this.told?.wrote(path, undefined);
    this.#ahead.forgetBelow(path);
    for (const known of [this.#directories, this.#files]) {
      known.delete(path);
      const below = `${path}/`;
      for (const each of known.keys()) if (each.startsWith(below)) known.delete(each);
    }
  }

  async directory(path: string): Promise<FileSystemDirectoryHandle> {
    if (path === "") return this.folder.handle;
    const known = this.#directories.get(path);
    if (known) return known;
    const [parent, name] = split(path);
    const handle = await (await this.directory(parent)).getDirectoryHandle(name);
    this.#know(path, handle);
    return handle;
  }

  async #file(path: string, create: boolean): Promise<FileSystemFileHandle> {
    const known = this.#files.get(path);
    if (known && !create) return known;
    const [parent, name] = split(path);
    const handle = await this.#in(parent, (directory) => directory.getFileHandle(name, { create }));
    this.#know(path, handle);
    return handle;
  }

  /** Does something in a directory; if it is known and gone, it is looked for once more. */
  async #in<T>(path: string, work: (directory: FileSystemDirectoryHandle) => Promise<T>): Promise<T> {
    const wasKnown = this.#directories.has(path);
    try {
      return await work(await this.directory(path));
    } catch (error) {
      if (!wasKnown || !isNamed(error, "NotFoundError")) throw error;
      this.#forget(path);
      return work(await this.directory(path));
    }
  }

  /** What a path is, and the file's handle. */
  async look(path: string): Promise<{ kind: "directory" } | ({ kind: "file" } & Looked)> {
    if (path === "") return { kind: "directory" };
    if (this.#directories.has(path)) {
      // A handle says nothing about whether it is still there.
      const [parent, name] = split(path);
      try {
        await this.#in(parent, (directory) => directory.getDirectoryHandle(name));
        return { kind: "directory" };
      } catch {
        this.#forget(path);
      }
    }
    const known = await this.#ahead.take(path);
    if (known) return { kind: "file", ...known };
    try {
      const handle = await this.#file(path, false);
      return { kind: "file", handle, file: this.told?.find?.(path) ?? (await handle.getFile()) };
    } catch (error) {
      const wasKnown = this.#files.delete(path);
      if (isNamed(error, "NotFoundError") && wasKnown) return this.look(path);
      // What can have no such name is not there.
      if (isNamed(error, "TypeError")) throw "no-entry";
      if (!isNamed(error, "TypeMismatchError")) throw error;
      // It is a directory, or a file stands where one of its parents should.
      await this.directory(path);
      return { kind: "directory" };
    }
  }

  async create(path: string): Promise<void> {
    const [parent, name] = split(path);
    if (path === "" || (await this.#exists(path))) throw "exist";
    this.#know(path, await this.#in(parent, (directory) => directory.getDirectoryHandle(name, { create: true })));
  }

  async #exists(path: string): Promise<boolean> {
    try {
      await this.look(path);
      return true;
    } catch (error) {
      if (errorCode(error) === "no-entry") return false;
      throw error;
    }
  }

  /** Opens a file. `found`: what was found when it was looked for just now. */
  async open(
    path: string,
    how: { create: boolean; exclusive: boolean; write: boolean },
    found?: Looked,
  ): Promise<OpenFile> {
    const opened = await this.#opened(path, how, found);
    if (how.write) {
      this.#ahead.forget(path);
      opened.setInPlace();
    }
    return opened;
  }

  async #opened(
    path: string,
    { create, exclusive }: { create: boolean; exclusive: boolean },
    found?: Looked,
  ): Promise<OpenFile> {
    const known = this.#open.get(path);
    if (known) {
      if (exclusive) throw "exist";
      known.users += 1;
      return known;
    }
    let handle: FileSystemFileHandle;
    if (create) {
      if (exclusive && (await this.#exists(path))) throw "exist";
      handle = await this.#file(path, true);
    } else {
      const looked = found ?? (await this.look(path));
      if (!("handle" in looked)) throw "is-directory";
      handle = looked.handle;
      found = looked;
    }
    // Another call may have opened it meanwhile.
    const meanwhile = this.#open.get(path);
    if (meanwhile) {
      meanwhile.users += 1;
      return meanwhile;
    }
    const file = new OpenFile(this, path, handle, create ? undefined : found);
    this.#open.set(path, file);
    return file;
  }

  /** A file's size, and its content where that has at most so many bytes. None: there is no file, or it changed meanwhile. */
  async small(path: string, bytesMax: number): Promise<{ size: number; bytes: Uint8Array | undefined } | undefined> {
    const open = this.#open.get(path);
    if (open) {
      const { size } = await open.status();
      if (size > bytesMax) return { size, bytes: undefined };
      // One more than there should be tells of one that grows.
      const bytes = await open.read(size + 1, 0);
      return bytes.length === size ? { size, bytes } : undefined;
    }
    // What is told of is there: a trip less.
    const told = this.told?.find?.(path);
    const found = told ? { file: told, whole: undefined } : await this.look(path);
    if (!("file" in found)) return undefined;
    const { size } = found.file;
    if (size > bytesMax) return { size, bytes: undefined };
    const bytes = (await found.whole) ?? new Uint8Array(await found.file.arrayBuffer());
    return bytes.length === size ? { size, bytes } : undefined;
  }

  /** The file, if somebody in this worker has it open. */
  opened(path: string): OpenFile | undefined {
    return this.#open.get(path);
  }

  async *list(path: string): AsyncGenerator<{ name: string; kind: "file" | "directory" }> {
    const directory = await this.directory(path);
    const add = this.#ahead.list(path);
    for await (const [name, handle] of directory.entries()) {
      const whole = path === "" ? name : `${path}/${name}`;
      this.#know(whole, handle as FileSystemHandle);
      if (handle.kind === "file") add(whole, handle as FileSystemFileHandle);
      yield { name, kind: handle.kind };
    }
  }

  async remove(path: string, kind: "file" | "directory"): Promise<void> {
    if (path === "") throw "not-permitted";
    const found = await this.look(path);
    if (found.kind !== kind) throw kind === "file" ? "is-directory" : "not-directory";
    const [parent, name] = split(path);
    const open = this.#open.get(path);
    await open?.release();
    await this.#in(parent, (directory) => directory.removeEntry(name));
    this.#forget(path);
    this.#open.delete(path);
  }

  async rename(from: string, to: string): Promise<void> {
    if (from === "" || to === "") throw "not-permitted";
    if (from === to) return;
    const found = await this.look(from);
    const [parent, name] = split(to);
    const target = await this.#in(parent, async (directory) => directory);
    if (found.kind === "directory") {
      await this.#moveDirectory(from, to, target, name);
    } else {
      const open = this.#open.get(from);
      await open?.release();
      const replaced = this.#open.get(to);
      await replaced?.release();
      await this.#moveFile(from, found.handle, target, name);
      this.#forget(from);
      this.#forget(to);
      this.#open.delete(from);
      this.#open.delete(to);
      if (open) {
        open.path = to;
        open.handle = await this.#file(to, false);
        this.#open.set(to, open);
      }
    }
  }

  async #moveFile(
    from: string,
    handle: FileSystemFileHandle,
    target: FileSystemDirectoryHandle,
    name: string,
  ): Promise<void> {
    if ((handle as Movable).move) {
      try {
        await (handle as Movable).move?.(target, name);
        return;
      } catch (error) {
        if (this.folder.kind === "private" || isNamed(error, "NotFoundError")) throw error;
        // Not every folder of the user's can be moved in. A file that is written anew is replaced as a whole, too.
      }
    }
    const file = await handle.getFile();
    const writing = await (await target.getFileHandle(name, { create: true })).createWritable();
    try {
      for (let at = 0; at < file.size; at += COPY_BYTES) await writing.write(file.slice(at, at + COPY_BYTES));
    } catch (error) {
      await writing.abort().catch(() => {});
      throw error;
    }
    await writing.close();
    const [parent, old] = split(from);
    await (await this.directory(parent)).removeEntry(old);
  }

  async #moveDirectory(from: string, to: string, target: FileSystemDirectoryHandle, name: string): Promise<void> {
    if (to.startsWith(`${from}/`)) throw "invalid";
    const handle = await this.directory(from);
    for (const [path, file] of this.#open) if (path.startsWith(`${from}/`)) await file.release();
    // What is told of the files in it would go on to hold where they were: whoever wants it copies.
    if (this.told || !(handle as Movable).move) throw "cross-device";
    try {
      await (handle as Movable).move?.(target, name);
    } catch (error) {
      // Most browsers move files only.
      throw errorCode(error) === "no-entry" ? "no-entry" : "cross-device";
    }
    this.#forget(from);
    for (const path of [...this.#open.keys()]) if (path.startsWith(`${from}/`)) this.#open.delete(path);
  }
}
