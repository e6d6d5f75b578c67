/** What the whole app shares. */

import { batch, effect, signal } from "@preact/signals";
import { lacks, sessions, type Approve, type Lack, type Project, type SessionInfo } from "wardian";
import { choice, findServe } from "./models.ts";
import { Session, trouble, type Settings, type Trouble } from "./session.ts";

export type Panel = "changes" | "files" | "details";
/** On a narrow screen there is room for one. */
export type Place = "sessions" | "chat" | Panel;
export type Theme = "system" | "light" | "dark";

export const session = signal<Session | null>(null);
export const list = signal<SessionInfo[] | null>(null);
export const listTrouble = signal<Trouble | null>(null);
/** What a new session will be about. */
export const project = signal<Project | null>(null);
export const approve = signal<Approve>(stored("wardian.approve", ["none", "ask", "reads", "files", "all"], "files"));
export const panel = signal<Panel | null>(null);
export const place = signal<Place>("chat");
export const isSidebarOpen = signal(localStorage.getItem("wardian.sidebar") !== "closed");
export const theme = signal<Theme>(stored("wardian.theme", ["system", "light", "dark"], "system"));
export const lacking = signal<Lack[]>([]);
export const isReady = signal(false);
/** The panel has the room of the conversation, too. */
export const isWide = signal(false);
/** The file that is looked at. */
export const file = signal<string | null>(null);

export interface Toast {
  id: number;
  tone: "good" | "error";
  text: string;
  action?: { label: string; run: () => void };
}
export const toasts = signal<Toast[]>([]);

/** Long enough to read, and to reach its button. */
const TOAST_MS = 8_000;
let toastId = 0;

function stored<T extends string>(key: string, known: readonly T[], otherwise: T): T {
  const kept = localStorage.getItem(key);
  return known.find((value) => value === kept) ?? otherwise;
}

export function toast(tone: Toast["tone"], text: string, action?: Toast["action"]): void {
  const id = toastId++;
  toasts.value = [...toasts.value.slice(-2), { id, tone, text, ...(action ? { action } : {}) }];
  setTimeout(() => dismiss(id), TOAST_MS);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function settings(): Settings {
  return { approve: approve.value, choice: choice.value };
}

export async function start(): Promise<void> {
  lacking.value = lacks();
  effect(() => {
    const root = document.documentElement;
    if (theme.value === "system") delete root.dataset["theme"];
    else root.dataset["theme"] = theme.value;
    localStorage.setItem("wardian.theme", theme.value);
  });
  effect(() => localStorage.setItem("wardian.approve", approve.value));
  effect(() => localStorage.setItem("wardian.sidebar", isSidebarOpen.value ? "open" : "closed"));
  await findServe();
  if (lacking.value.some((lack) => lack.required)) {
    isReady.value = true;
    return;
  }
  await refreshList();
  const shown = new URLSearchParams(location.hash.slice(1)).get("session");
  if (shown && list.value?.some((info) => info.id === shown)) await select(shown);
  effect(() => {
    const id = session.value?.id.value;
    const wanted = id ? `#session=${encodeURIComponent(id)}` : location.pathname + location.search;
    if (location.hash !== wanted) history.replaceState(null, "", wanted);
  });
  isReady.value = true;
}

export async function refreshList(): Promise<void> {
  try {
    list.value = await sessions().list();
    listTrouble.value = null;
  } catch (error) {
    listTrouble.value = trouble(error);
  }
}

/** Shows a session, and opens it where that needs nobody's leave. */
export async function select(id: string): Promise<void> {
  if (session.value?.id.value === id) {
    place.value = "chat";
    return;
  }
  await leave();
  try {
    const shown = await Session.show(id);
    const info = list.value?.find((info) => info.id === id);
    batch(() => {
      session.value = shown;
      shown.name.value = info?.project ?? shown.transcript.project.value;
      place.value = "chat";
      file.value = null;
    });
    if (info?.hasProject && !info.open) {
      await shown.open({ kind: "recorded" }, settings());
      void refreshList();
    } else if (info?.open) shown.trouble.value = { kind: "in-use", message: "This session is open in another tab." };
    else shown.trouble.value = { kind: "project", message: "The folder of this session has to be chosen again." };
  } catch (error) {
    toast("error", `The session cannot be shown: ${trouble(error).message}`);
  }
}

/** Begins a session on the chosen project with its first task. */
export async function begin(text: string): Promise<void> {
  const chosen = project.value;
  if (!chosen) return;
  const begun = new Session();
  batch(() => {
    begun.name.value = projectName(chosen);
    session.value = begun;
    place.value = "chat";
  });
  await begun.open(chosen, settings());
  if (begun.phase.value !== "open") return;
  project.value = null;
  const run = begun.run(text);
  void refreshList();
  await run;
  void refreshList();
}

export async function send(text: string): Promise<void> {
  const current = session.value;
  if (!current) return begin(text);
  await current.run(text);
  void refreshList();
}

/** Lets go of the session that is shown. A run of it is cancelled. */
export async function leave(): Promise<void> {
  const current = session.value;
  if (!current) return;
  batch(() => {
    session.value = null;
    panel.value = null;
    isWide.value = false;
    file.value = null;
  });
  try {
    await current.close();
  } catch (error) {
    toast("error", `The session did not close: ${trouble(error).message}`);
  }
  void refreshList();
}

export function projectName(chosen: Project): string {
  switch (chosen.kind) {
    case "directory":
      return chosen.name ?? chosen.handle.name;
    case "zip":
    case "files":
      return chosen.name ?? "Upload";
    case "empty":
      return chosen.name ?? "Empty folder";
    case "recorded":
      return "";
  }
}

export function show(what: Panel | null): void {
  batch(() => {
    panel.value = what;
    if (!what) isWide.value = false;
    place.value = what ?? "chat";
  });
}
