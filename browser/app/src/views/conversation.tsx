import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon, type IconName } from "../icon.tsx";
import { Markdown } from "../markdown.tsx";
import type { Session } from "../session.ts";
import { isSidebarOpen, panel, select, send, session as current, settings, show, type Panel } from "../store.ts";
import type { Entry } from "../transcript.ts";
import { Asks } from "./asks.tsx";
import { CallRow } from "./call.tsx";
import { Composer } from "./composer.tsx";
import { pickFolder } from "./welcome.tsx";

const GO_ON = "Go on with the task from where it was interrupted.";

/** Nearer to the end than this, the end is followed. */
const NEAR_PX = 80;

export function Conversation({ session }: { session: Session }) {
  return (
    <div class="conversation">
      <Header session={session} />
      <Log session={session} />
      <div class="foot">
        <Standing session={session} />
        <Asks session={session} />
        <Composer session={session} />
      </div>
    </div>
  );
}

function Header({ session }: { session: Session }) {
  const changes = session.changes.value?.changes.length ?? 0;
  const buttons: { to: Panel; label: string; icon: IconName; key: string }[] = [
    { to: "changes", label: changes > 0 ? `Changes, ${changes}` : "Changes", icon: "diff", key: "C" },
    { to: "files", label: "Files", icon: "files", key: "F" },
    { to: "details", label: "Details", icon: "info", key: "I" },
  ];
  return (
    <header class="bar">
      {!isSidebarOpen.value && (
        <button type="button" class="bare only-wide" aria-label="Show the sessions" title="Show the sessions (Alt+S)" onClick={() => (isSidebarOpen.value = true)}>
          <Icon name="panel" />
        </button>
      )}
      <span class="bar-title"><Icon name="folder" />{session.name.value || "Session"}</span>
      <span class="grow" />
      <div class="panel-buttons" role="group" aria-label="Panels">
        {buttons.map(({ to, label, icon, key }) => (
          <button
            key={to}
            type="button"
            class="bare"
            aria-label={label}
            aria-pressed={panel.value === to}
            title={`${label} (Alt+${key})`}
            onClick={() => show(panel.value === to ? null : to)}
          >
            <Icon name={icon} />
            {to === "changes" && changes > 0 && <span class="count">{changes}</span>}
          </button>
        ))}
      </div>
    </header>
  );
}

function Log({ session }: { session: Session }) {
  const scroller = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const entries = session.transcript.entries.value;
  useEffect(() => {
    const element = scroller.current;
    const content = element?.firstElementChild;
    if (!element || !content) return;
    const follow = new ResizeObserver(() => {
      if (isAtEnd.current) element.scrollTop = element.scrollHeight;
    });
    follow.observe(content);
    follow.observe(element);
    return () => follow.disconnect();
  }, []);
  // What the user sends is what they want to see.
  useLayoutEffect(() => {
    if (entries.at(-1)?.kind !== "user") return;
    isAtEnd.current = true;
    if (scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [entries]);
  return (
    <div
      class="log"
      ref={scroller}
      tabIndex={0}
      role="log"
      aria-label="Conversation"
      aria-busy={session.running.value}
      onScroll={(event) => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
      }}
    >
      <div class="log-body">
        {groups(entries).map((group) =>
          Array.isArray(group) ? (
            <ol class="calls" key={group[0]?.key}>
              {group.map(({ key, call }) => <CallRow key={key} call={call} />)}
            </ol>
          ) : (
            <EntryView key={group.key} entry={group} />
          ),
        )}
        <Activity session={session} />
      </div>
    </div>
  );
}

type CallEntry = Extract<Entry, { kind: "call" }>;

/** Calls that follow one another are shown as one list. */
function groups(entries: Entry[]): (Exclude<Entry, CallEntry> | CallEntry[])[] {
  const grouped: (Exclude<Entry, CallEntry> | CallEntry[])[] = [];
  for (const entry of entries) {
    const last = grouped.at(-1);
    if (entry.kind !== "call") grouped.push(entry);
    else if (Array.isArray(last)) last.push(entry);
    else grouped.push([entry]);
  }
  return grouped;
}

function EntryView({ entry }: { entry: Exclude<Entry, CallEntry> }) {
  switch (entry.kind) {
    case "user":
      return (
        <div class="entry user">
          <span class="visually-hidden">You: </span>
          <div class="bubble">{entry.text}</div>
        </div>
      );
    case "answer":
      return <Answer entry={entry} />;
    case "notice":
      return <Notice entry={entry} />;
  }
}

function Answer({ entry }: { entry: Extract<Entry, { kind: "answer" }> }) {
  const text = entry.text.value;
  const reasoning = entry.reasoning.value;
  if (!text && !reasoning) return null;
  return (
    <div class={entry.streaming.value ? "entry answer is-streaming" : "entry answer"}>
      {reasoning && (
        <details class="reasoning" open={entry.streaming.value && !text}>
          <summary>Reasoning</summary>
          <div class="reasoning-text">{reasoning}</div>
        </details>
      )}
      {text && <Markdown text={text} />}
    </div>
  );
}

function Notice({ entry }: { entry: Extract<Entry, { kind: "notice" }> }) {
  const icons: Record<typeof entry.tone, IconName> = { quiet: "info", warning: "warning", error: "alert", good: "check" };
  const line = <><Icon name={icons[entry.tone]} size={14} /><span>{entry.text}</span></>;
  if (!entry.detail) return <div class={`entry notice is-${entry.tone}`}>{line}</div>;
  return (
    <details class={`entry notice is-${entry.tone}`}>
      <summary>{line}</summary>
      <pre class="plain">{entry.detail}</pre>
    </details>
  );
}

function Activity({ session }: { session: Session }) {
  const activity = session.transcript.activity.value;
  const text = session.stopping.value ? "Stopping" : session.running.value ? activity : "";
  return (
    <div class="activity" role="status">
      {text && <><span class="pulse" />{text} …</>}
    </div>
  );
}

/** What keeps the session from going on, and what to do about it. */
function Standing({ session }: { session: Session }) {
  const trouble = session.trouble.value;
  const phase = session.phase.value;
  if (phase === "opening") return <p class="notice is-quiet" role="status"><span class="pulse" />Opening the session …</p>;
  if (!trouble && session.needsLeave.value) {
    return (
      <p class="notice is-warning">
        <Icon name="folder" />
        <span>The browser wants to be asked again before this page may use the folder.</span>
        <button type="button" class="button small" onClick={() => void session.askForLeave()}>Ask</button>
      </p>
    );
  }
  if (!trouble) {
    if (!session.isCutOff.value || phase !== "open") return null;
    return (
      <p class="notice is-warning">
        <Icon name="warning" />
        <span>The run was not finished. What it did until then is kept.</span>
        <button type="button" class="button small" onClick={() => void send(GO_ON)}>Go on</button>
      </p>
    );
  }
  const again = () => void session.open({ kind: "recorded" }, settings());
  const choose = async () => {
    const handle = await pickFolder();
    if (handle) await session.open({ kind: "directory", handle }, settings());
  };
  return (
    <div class="notice is-error" role="alert">
      <Icon name="alert" />
      <span>{trouble.message}</span>
      {phase === "closed" && (
        <span class="notice-actions">
          {trouble.kind === "project" || trouble.kind === "io" || trouble.kind === "usage" ? (
            <button type="button" class="button small" onClick={() => void choose()}>Choose the folder</button>
          ) : null}
          {trouble.kind !== "project" && <button type="button" class="button small" onClick={again}>Try again</button>}
        </span>
      )}
      {phase === "open" && trouble.kind === "host" && (
        <button
          type="button"
          class="button small"
          onClick={async () => {
            const id = session.id.value;
            await session.close();
            current.value = null;
            await select(id);
          }}
        >
          Open it again
        </button>
      )}
    </div>
  );
}
