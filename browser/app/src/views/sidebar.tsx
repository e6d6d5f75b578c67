import type { SessionInfo } from "wardian";
import { sessions } from "wardian";
import { ago, download } from "../format.ts";
import { Icon, Mark } from "../icon.tsx";
import { trouble } from "../session.ts";
import {
  isSidebarOpen, leave, list, listTrouble, place, project, refreshList, select, session, theme, toast, type Theme,
} from "../store.ts";
import { Menu } from "./menu.tsx";

const STOPS: Record<string, string> = { cancelled: "stopped", budget: "out of budget", error: "failed" };

export function Sidebar() {
  return (
    <nav class="sidebar" aria-label="Sessions">
      <header class="bar">
        <span class="brand"><Mark />Wardian</span>
        <button type="button" class="bare only-wide" aria-label="Hide the sessions" title="Hide the sessions (Alt+S)" onClick={() => (isSidebarOpen.value = false)}>
          <Icon name="panel" />
        </button>
      </header>
      <div class="sidebar-new">
        <button
          type="button"
          class="button wide"
          onClick={async () => {
            await leave();
            project.value = null;
            place.value = "chat";
          }}
        >
          <Icon name="plus" />New session
        </button>
      </div>
      <SessionList />
      <footer class="sidebar-end">
        <Import />
        <ThemeButton />
      </footer>
    </nav>
  );
}

function SessionList() {
  if (listTrouble.value) return <p class="quiet pad" role="alert">The sessions cannot be listed: {listTrouble.value.message}</p>;
  const infos = list.value;
  if (!infos) return <p class="quiet pad">Looking for sessions …</p>;
  if (infos.length === 0) return <p class="quiet pad">Sessions are kept here, in this browser, until you delete them.</p>;
  return (
    <ul class="sessions">
      {infos.map((info) => <Row key={info.id} info={info} />)}
    </ul>
  );
}

function Row({ info }: { info: SessionInfo }) {
  const current = session.value;
  const isShown = current?.id.value === info.id;
  const isRunning = isShown && current.running.value;
  const state = isRunning ? "running" : info.stop === undefined ? "unfinished" : STOPS[info.stop];
  return (
    <li class={isShown ? "session is-shown" : "session"}>
      <button type="button" class="session-main" aria-current={isShown ? "page" : undefined} onClick={() => void select(info.id)}>
        <span class="session-prompt">{info.prompt || "No task yet"}</span>
        <span class="session-facts">
          {isRunning && <span class="dot" />}
          <span class="session-project">{info.project}</span>
          <span>{state ?? ago(info.updated)}</span>
        </span>
      </button>
      <Menu
        label={`More about ${info.prompt || info.id}`}
        items={[
          { label: "Export …", icon: "download", run: () => exportSession(info.id) },
          { label: "Delete", icon: "trash", isDanger: true, run: () => remove(info) },
        ]}
      />
    </li>
  );
}

async function exportSession(id: string): Promise<void> {
  try {
    download(await sessions().export(id), `wardian-${id}.zip`);
  } catch (error) {
    toast("error", `The session cannot be exported: ${trouble(error).message}`);
  }
}

async function remove(info: SessionInfo): Promise<void> {
  if (!confirm(`Delete this session, with its journal and all changes that were not committed?\n\n${info.prompt || info.id}`)) return;
  try {
    if (session.value?.id.value === info.id) await leave();
    await sessions().delete(info.id);
  } catch (error) {
    toast("error", `The session cannot be deleted: ${trouble(error).message}`);
  }
  await refreshList();
}

function Import() {
  return (
    <label class="button quiet-button file-button" title="A zip that was exported here, or of a native session's folder">
      <Icon name="upload" />Import
      <input
        type="file"
        accept=".zip,application/zip"
        onChange={async (event) => {
          const input = event.currentTarget;
          const chosen = input.files?.[0];
          input.value = "";
          if (!chosen) return;
          try {
            const id = await sessions().import(chosen);
            await refreshList();
            await select(id);
          } catch (error) {
            toast("error", `This is no session that can be imported: ${trouble(error).message}`);
          }
        }}
      />
    </label>
  );
}

function ThemeButton() {
  const next: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
  const icons = { system: "sunMoon", light: "sun", dark: "moon" } as const;
  const label = `Colours: ${theme.value}`;
  return (
    <button type="button" class="bare" aria-label={label} title={label} onClick={() => (theme.value = next[theme.value])}>
      <Icon name={icons[theme.value]} />
    </button>
  );
}
