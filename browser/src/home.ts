/** Where sessions and projects are kept: the origin's own storage, and a database for what has no place there. */

import { WardianError, type Project, type ProjectInfo } from "./api.js";
import { randomBytes } from "./capability/random.js";
import type { Folder } from "./capability/tree.js";

const HOME = "wardian";

/** What is known of a session's project. A handle can be kept in a database only. */
export interface Record {
  session: string;
  kind: "directory" | "copy";
  name: string;
  handle: FileSystemDirectoryHandle;
  /** A commit or undo was begun and not ended: it is under way, or its page died. */
  isPending?: boolean;
}

interface Asks {
  queryPermission?(options: { mode: "read" | "readwrite" }): Promise<PermissionState>;
}

function request<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new WardianError("io", `the browser's database: ${request.error?.message}`));
  });
}

async function store(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  const opening = indexedDB.open(HOME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("projects", { keyPath: "session" });
  const database = await request(opening);
  const transaction = database.transaction("projects", mode);
  transaction.oncomplete = transaction.onabort = () => database.close();
  return transaction.objectStore("projects");
}

export class Home {
  async #folder(...names: string[]): Promise<FileSystemDirectoryHandle> {
    let folder = await navigator.storage.getDirectory();
    for (const name of [HOME, ...names]) folder = await folder.getDirectoryHandle(name, { create: true });
    return folder;
  }

  sessions(): Promise<FileSystemDirectoryHandle> {
    return this.#folder("sessions");
  }

  projects(): Promise<FileSystemDirectoryHandle> {
    return this.#folder("projects");
  }

  /** A session's folder; it must be there. */
  async session(id: string): Promise<FileSystemDirectoryHandle> {
    try {
      return await (await this.sessions()).getDirectoryHandle(id);
    } catch {
      throw new WardianError("usage", `there is no session ${id}`);
    }
  }

  /** As the native host names them. */
  newId(): string {
    const now = new Date().toISOString().replace(/[-:]/g, "").replace("T", "-").slice(0, 15);
    return `${now}-${Array.from(randomBytes(3), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  }

  async create(id: string): Promise<FileSystemDirectoryHandle> {
    return (await this.sessions()).getDirectoryHandle(id, { create: true });
  }

  async record(id: string): Promise<Record | undefined> {
    return (await request((await store("readonly")).get(id))) as Record | undefined;
  }

  async keep(record: Record): Promise<void> {
    await request((await store("readwrite")).put(record));
  }

  async forget(id: string): Promise<void> {
    await request((await store("readwrite")).delete(id));
  }
}

/** Keeps other pages off a session, until what it returns is called. */
export function lock(id: string): Promise<() => void> {
  const inUse = () => new WardianError("in-use", `session ${id} is in use by another page`);
  return lockNamed(`wardian session ${id}`, inUse);
}

function lockNamed(name: string, busy: () => WardianError): Promise<() => void> {
  return new Promise((resolve, reject) => {
    void navigator.locks
      .request(name, { ifAvailable: true }, (lock) => {
        if (!lock) {
          reject(busy());
          return undefined;
        }
        return new Promise<void>((release) => resolve(release));
      })
      .catch(reject);
  });
}

/** The right to change a project: one page at a time, whatever the project, for handles have no names to tell them by. */
export function lockProjects(): Promise<() => void> {
  return lockNamed("wardian commit", () => new WardianError("busy", "another page is changing a project right now"));
}

export async function isLocked(id: string): Promise<boolean> {
  const { held } = await navigator.locks.query();
  return !!held?.some((lock) => lock.name === `wardian session ${id}`);
}

/** Names that are safe in a path. */
function fileName(name: string | undefined, otherwise: string): string {
  const plain = (name ?? "").replace(/[\\/\0]/g, "_").trim();
  return plain === "" || plain === "." || plain === ".." ? otherwise : plain;
}

/** Opens what the page chose. A project that is not the user's own folder gets one that the browser keeps. */
export async function openProject(
  home: Home,
  project: Project,
  session: string,
  fill: (into: FileSystemDirectoryHandle, project: Project) => Promise<void>,
): Promise<Record> {
  const known = await home.record(session);
  if (project.kind === "recorded") {
    if (!known) throw new WardianError("usage", `the project of session ${session} is not known here: choose it again`);
    return known;
  }
  if (project.kind === "directory") {
    if (known && !(await known.handle.isSameEntry(project.handle))) {
      // One that was moved, or that another browser knew, is still the session's project; another one is not.
      if (known.name !== project.handle.name) {
        throw new WardianError("usage", `session ${session} belongs to the project ${known.name}`);
      }
    }
    const name = project.name ?? fileName(project.handle.name, "project");
    const isPending = known?.isPending ?? false;
    return { session, kind: "directory", name, handle: project.handle, isPending };
  }
  if (known) throw new WardianError("usage", `session ${session} has a project already: open it as \`recorded\``);
  const name = fileName(project.name, "project");
  const folder = await (await home.projects()).getDirectoryHandle(session, { create: true });
  const handle = await folder.getDirectoryHandle(name, { create: true });
  await fill(handle, project);
  return { session, kind: "copy", name, handle };
}

export async function info(record: Record): Promise<ProjectInfo> {
  const state = (await (record.handle as Asks).queryPermission?.({ mode: "readwrite" })) ?? "granted";
  return { name: record.name, kind: record.kind, write: state };
}

export const pickedFolder = (handle: FileSystemDirectoryHandle, writable: boolean): Folder => ({
  handle,
  kind: "picked",
  writable,
});

export const privateFolder = (handle: FileSystemDirectoryHandle, writable = true): Folder => ({
  handle,
  kind: "private",
  writable,
});
