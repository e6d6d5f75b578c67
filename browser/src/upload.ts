/** Projects that come as a zip archive or as files: copied once, piece by piece, into a folder that the browser keeps. */

import { Unzip, UnzipInflate } from "fflate";
import { WardianError, type Project } from "./api.js";

const FILES_MAX = 200_000;
const BYTES_MAX = 4 * 2 ** 30;

/** Names below a folder; none that leads out of it. */
export function safePath(path: string): string[] {
  const names = path.replaceAll("\\", "/").split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..") || path.includes("\0")) throw new WardianError("usage", `${path} leads out of the archive`);
  return names;
}

async function parent(into: FileSystemDirectoryHandle, names: string[]): Promise<FileSystemDirectoryHandle> {
  let folder = into;
  for (const name of names) folder = await folder.getDirectoryHandle(name, { create: true });
  return folder;
}

async function writer(into: FileSystemDirectoryHandle, names: string[]): Promise<FileSystemWritableFileStream> {
  const folder = await parent(into, names.slice(0, -1));
  return (await folder.getFileHandle(names.at(-1) ?? "", { create: true })).createWritable();
}

/** Counts what comes in. */
class Bound {
  #files = 0;
  #bytes = 0;

  file(): void {
    this.#files += 1;
    if (this.#files > FILES_MAX) throw new WardianError("usage", `there are more than ${FILES_MAX} files`);
  }

  take(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > BYTES_MAX) throw new WardianError("usage", `the files have more than ${BYTES_MAX} bytes`);
  }
}

/** Unpacks an archive. If all is in one folder of a name, `strip` leaves that folder out. */
export async function unzip(blob: Blob, into: FileSystemDirectoryHandle): Promise<string[]> {
  const bound = new Bound();
  const paths: string[] = [];
  const unzip = new Unzip();
  unzip.register(UnzipInflate);
  // What the archive's reader gives is written in its order, one piece at a time.
  let work: (() => Promise<void>)[] = [];
  unzip.onfile = (file) => {
    const names = safePath(file.name);
    bound.file();
    if (file.name.endsWith("/")) {
      work.push(async () => void (await parent(into, names)));
      return;
    }
    if (names.length === 0) return;
    paths.push(names.join("/"));
    let writing: Promise<FileSystemWritableFileStream> | undefined;
    file.ondata = (error, data, isLast) => {
      if (error) throw new WardianError("integrity", `the archive is damaged at ${file.name}: ${error.message}`);
      bound.take(data.length);
      const piece = data.slice() as Uint8Array<ArrayBuffer>;
      work.push(async () => {
        writing ??= writer(into, names);
        const stream = await writing;
        await stream.write(piece);
        if (isLast) await stream.close();
      });
    };
    file.start();
  };
  const reader = blob.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    try {
      unzip.push(value ?? new Uint8Array(), done);
    } catch (error) {
      throw error instanceof WardianError ? error : new WardianError("integrity", `this is no zip archive: ${String(error)}`);
    }
    const now = work;
    work = [];
    for (const each of now) await each();
    if (done) break;
  }
  if (paths.length === 0) throw new WardianError("integrity", "the archive has no file");
  return paths;
}

export async function fillProject(into: FileSystemDirectoryHandle, project: Project): Promise<void> {
  if (project.kind === "zip") {
    await unzip(project.blob, into);
  } else if (project.kind === "files") {
    const bound = new Bound();
    for (const file of project.files) {
      bound.file();
      bound.take(file.size);
      // The first name is that of the folder that was chosen.
      const names = safePath(file.webkitRelativePath || file.name);
      const below = names.length > 1 ? names.slice(1) : names;
      const stream = await writer(into, below);
      await file.stream().pipeTo(stream);
    }
  }
}
