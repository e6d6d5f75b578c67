/** The sessions that this browser keeps. */

import { Zip, ZipDeflate } from "fflate";
import { WardianError, type JournalEvent, type SessionInfo, type VerifyReport } from "./api.js";
import { Agent, type Exports } from "./agent.js";
import { Activities } from "./capability/activities.js";
import { Control } from "./capability/control.js";
import { Recent } from "./capability/recent.js";
import { Turns } from "./capability/turns.js";
import type { Components } from "./components.js";
import { isLocked, lock, pickedFolder, privateFolder, type Home } from "./home.js";
import { Jobs } from "./jobs.js";
import { Kernel } from "./kernel.js";
import { JOURNAL, readJournal } from "./journal.js";
import { unzip } from "./upload.js";
import { Workers } from "./workers.js";

/** Ids are names of folders. */
const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

const READ_BYTES = 1 << 20;

/** An agent for looking at a session: nothing is lent but its folder, read-only. */
async function reader(components: Components, folder: FileSystemDirectoryHandle): Promise<Agent> {
  const manifest = await components.manifest();
  const program = manifest.agents["provider-script"];
  if (!program) throw new WardianError("integrity", "there is no agent that reads journals");
  const layer = privateFolder(folder, false);
  const recent = new Recent();
  const workers = new Workers(new URL("./guest.js", import.meta.url), () => recent.clear());
  const turns = new Turns();
  const own = new Activities();
  const layers = { project: pickedFolder(folder, false), upper: layer, tmp: layer };
  return Agent.start({
    components,
    workers,
    kernel: new Kernel({ components, workers, commands: [], layers, turns, recent, show: () => {} }),
    program: program.program,
    tools: [],
    session: privateFolder(folder, false),
    layers,
    commits: false,
    provider: {},
    sending: undefined,
    net: undefined,
    own,
    jobs: new Jobs(own),
    turns,
    recent,
    control: new Control(),
    asking: undefined,
    config: () => ({}),
    show: () => {},
  });
}

async function read<T>(
  home: Home,
  components: Components,
  id: string,
  work: (agent: Agent) => Promise<T>,
): Promise<T> {
  const agent = await reader(components, await home.session(id));
  try {
    return await work(agent);
  } catch (error) {
    throw error instanceof Error ? error : new WardianError("integrity", told(error));
  } finally {
    await agent.close();
  }
}

function told(error: unknown): string {
  const { tag, val } = error as { tag: string; val: unknown };
  if (tag === "damaged") {
    const { line, reason } = val as { line: bigint; reason: string };
    return `the journal is damaged at line ${line}: ${reason}`;
  }
  return `the journal cannot be read: ${tag} ${String(val)}`;
}

/** From the first and the last lines alone: a list must not read every journal. */
async function summary(home: Home, id: string, folder: FileSystemDirectoryHandle): Promise<SessionInfo | undefined> {
  let file: File;
  try {
    file = await (await folder.getFileHandle(JOURNAL)).getFile();
  } catch {
    return undefined;
  }
  const lines = (text: string) => text.split("\n").filter((line) => line !== "");
  const parsed = (line: string): JournalEvent | undefined => {
    try {
      return JSON.parse(line) as JournalEvent;
    } catch {
      return undefined;
    }
  };
  const head = lines(await file.slice(0, READ_BYTES).text()).flatMap((line) => parsed(line) ?? []);
  const start = head[0];
  if (start?.type !== "session.start") return undefined;
  const tail = lines(await file.slice(Math.max(file.size - READ_BYTES, 0)).text()).flatMap((line) => parsed(line) ?? []);
  const prompt = head.find((event) => event.type === "user.message");
  const last = tail.at(-1) ?? start;
  // What is after the last run's end and before the next prompt says nothing about it.
  const end = tail.findLast((event) => event.type === "session.end" || event.type === "user.message");
  return {
    id,
    project: start.project,
    model: start.model,
    started: start.ts,
    updated: last.ts,
    events: last.seq + 1,
    prompt: prompt?.type === "user.message" ? [...prompt.text].slice(0, 200).join("") : "",
    ...(end?.type === "session.end" ? { stop: end.stop } : {}),
    open: await isLocked(id),
    hasProject: (await home.record(id)) !== undefined,
  };
}

export async function list(home: Home, _components: Components): Promise<SessionInfo[]> {
  const found: SessionInfo[] = [];
  for await (const [id, handle] of (await home.sessions()).entries()) {
    if (handle.kind !== "directory") continue;
    const session = await summary(home, id, handle as FileSystemDirectoryHandle);
    if (session) found.push(session);
  }
  return found.sort((one, other) => other.updated.localeCompare(one.updated));
}

export async function remove(home: Home, id: string): Promise<void> {
  const release = await lock(id);
  try {
    await (await home.sessions()).removeEntry(id, { recursive: true });
    await (await home.projects()).removeEntry(id, { recursive: true }).catch(() => {});
    await home.forget(id);
  } catch (error) {
    if (error instanceof Error && error.name === "NotFoundError") throw new WardianError("usage", `there is no session ${id}`);
    throw error;
  } finally {
    release();
  }
}

/** A zip of a folder, with names below `root`. */
export async function zip(folder: FileSystemDirectoryHandle, root: string): Promise<Blob> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let failed: Error | undefined;
  const zip = new Zip((error, data) => {
    if (error) failed = error;
    else pieces.push(data.slice() as Uint8Array<ArrayBuffer>);
  });
  const walk = async (folder: FileSystemDirectoryHandle, path: string): Promise<void> => {
    const entries: [string, FileSystemHandle][] = [];
    for await (const entry of folder.entries()) entries.push(entry as [string, FileSystemHandle]);
    entries.sort(([one], [other]) => (one < other ? -1 : 1));
    for (const [name, handle] of entries) {
      if (handle.kind === "directory") await walk(handle as FileSystemDirectoryHandle, `${path}/${name}`);
      else await add(handle as FileSystemFileHandle, `${path}/${name}`);
    }
  };
  const add = async (handle: FileSystemFileHandle, path: string): Promise<void> => {
    const file = await handle.getFile();
    const entry = new ZipDeflate(path, { level: 6 });
    entry.mtime = file.lastModified;
    zip.add(entry);
    if (file.size === 0) entry.push(new Uint8Array(), true);
    for (let at = 0; at < file.size; at += READ_BYTES) {
      const bytes = new Uint8Array(await file.slice(at, at + READ_BYTES).arrayBuffer());
      entry.push(bytes, at + READ_BYTES >= file.size);
      if (failed) throw failed;
    }
  };
  await walk(folder, root);
  zip.end();
  if (failed) throw failed;
  return new Blob(pieces, { type: "application/zip" });
}

export const exportSession = async (home: Home, id: string): Promise<Blob> => zip(await home.session(id), id);

export async function importSession(home: Home, archive: Blob): Promise<string> {
  const sessions = await home.sessions();
  const fresh = `.import-${home.newId()}`;
  const folder = await sessions.getDirectoryHandle(fresh, { create: true });
  try {
    const paths = await unzip(archive, folder);
    const journal = paths.find((path) => path === JOURNAL || /^[^/]+\/journal\.jsonl$/.test(path));
    if (journal === undefined) throw new WardianError("integrity", `the archive has no ${JOURNAL}: it is no session`);
    const root = journal === JOURNAL ? "" : journal.slice(0, journal.indexOf("/"));
    const from = root === "" ? folder : await folder.getDirectoryHandle(root);
    const start = (await readJournal(from))[0];
    if (start?.type !== "session.start") throw new WardianError("integrity", "its journal has no beginning");
    const id = start.session;
    if (!ID.test(id)) throw new WardianError("integrity", `its id cannot be used: ${id}`);
    const isThere = await sessions.getDirectoryHandle(id).then(
      () => true,
      () => false,
    );
    if (isThere) throw new WardianError("usage", `there is a session ${id} already`);
    const release = await lock(id);
    try {
      await copy(from, await sessions.getDirectoryHandle(id, { create: true }));
    } finally {
      release();
    }
    return id;
  } finally {
    await sessions.removeEntry(fresh, { recursive: true });
  }
}

async function copy(from: FileSystemDirectoryHandle, to: FileSystemDirectoryHandle): Promise<void> {
  for await (const [name, handle] of from.entries()) {
    if (handle.kind === "directory") {
      await copy(handle as FileSystemDirectoryHandle, await to.getDirectoryHandle(name, { create: true }));
    } else if (name !== "lock") {
      const file = await (handle as FileSystemFileHandle).getFile();
      await file.stream().pipeTo(await (await to.getFileHandle(name, { create: true })).createWritable());
    }
  }
}

export const events = async (home: Home, id: string): Promise<JournalEvent[]> => readJournal(await home.session(id));

export const verify = (home: Home, components: Components, id: string): Promise<VerifyReport> =>
  read(home, components, id, async (agent) => {
    const report = await agent.call((exports) => exports["wardian:session/journal@0.1.0"].verify());
    return {
      events: Number(report["events"]),
      head: report["head"] as string,
      torn_bytes: Number(report["tornBytes"]),
    };
  });

type Session = Exports["wardian:session/session@0.1.0"];

export const replay = (home: Home, components: Components, id: string) =>
  read(home, components, id, async (agent) => {
    const session = <T>(work: (session: Session) => Promise<T>): Promise<T> =>
      agent.call((exports) => work(exports["wardian:session/session@0.1.0"]));
    await session((session) => session.openReplay());
    for (;;) {
      const prompt = await session((session) => session.nextPrompt());
      if (prompt === undefined) break;
      try {
        await agent.run(prompt);
      } catch (error) {
        // A replay that differs refuses to go on: `diverged` says where.
        if (!(error instanceof WardianError) || error.kind !== "journal") throw error;
        break;
      }
      if (await session((session) => session.diverged())) break;
    }
    const at = await session((session) => session.diverged());
    return at && { seq: Number(at.seq), recorded: at.recorded, replayed: at.replayed };
  });
