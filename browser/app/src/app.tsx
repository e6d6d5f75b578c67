import { useEffect } from "preact/hooks";
import { Icon, Mark } from "./icon.tsx";
import { dismiss, isReady, isSidebarOpen, isWide, lacking, panel, place, session, show, toasts, type Place } from "./store.ts";
import { Changes } from "./views/changes.tsx";
import { Conversation } from "./views/conversation.tsx";
import { Details } from "./views/details.tsx";
import { Files } from "./views/files.tsx";
import { Sidebar } from "./views/sidebar.tsx";
import { Welcome } from "./views/welcome.tsx";

export function App() {
  useEffect(() => {
    addEventListener("keydown", shortcuts);
    return () => removeEventListener("keydown", shortcuts);
  }, []);
  if (!isReady.value) return <Starting />;
  const missing = lacking.value.filter((lack) => lack.required);
  if (missing.length > 0) return <Unsupported messages={missing.map((lack) => lack.message)} />;
  const shown = session.value ? panel.value : null;
  return (
    <div class={`app at-${place.value} ${isSidebarOpen.value ? "" : "no-sidebar"} ${shown ? "has-panel" : ""} ${shown && isWide.value ? "is-wide" : ""}`}>
      <a class="skip" href="#talk">Skip to the conversation</a>
      <Sidebar />
      <main class="main">
        <h1 class="visually-hidden">{session.value?.name.value || "Wardian"}</h1>
        <div class="talk" id="talk" tabIndex={-1}>
          {session.value ? <Conversation session={session.value} /> : <Welcome />}
        </div>
        {session.value && shown && (
          <section class="panel" aria-label={{ changes: "Changes", files: "Files", details: "Details" }[shown]}>
            {shown === "changes" && <Changes session={session.value} />}
            {shown === "files" && <Files session={session.value} />}
            {shown === "details" && <Details session={session.value} />}
          </section>
        )}
      </main>
      <Tabs />
      <Toasts />
    </div>
  );
}

function Starting() {
  return (
    <div class="starting" role="status">
      <Mark size={40} />
      <span class="visually-hidden">Wardian is starting</span>
    </div>
  );
}

function Unsupported({ messages }: { messages: string[] }) {
  return (
    <main class="unsupported">
      <Mark size={40} />
      <h1>This browser cannot run Wardian</h1>
      <ul>{messages.map((message) => <li key={message}>{message}</li>)}</ul>
      <p>Chrome, Edge and other browsers built on Chromium 137 or later have all that it needs.</p>
    </main>
  );
}

/** On a narrow screen, where there is room for one thing. */
function Tabs() {
  const current = session.value;
  const tabs: { place: Place; label: string; icon: "menu" | "chat" | "diff" | "files"; needs?: true }[] = [
    { place: "sessions", label: "Sessions", icon: "menu" },
    { place: "chat", label: "Task", icon: "chat" },
    { place: "changes", label: "Changes", icon: "diff", needs: true },
    { place: "files", label: "Files", icon: "files", needs: true },
  ];
  const count = current?.changes.value?.changes.length ?? 0;
  return (
    <nav class="tabs" aria-label="Places">
      {tabs.map(({ place: to, label, icon, needs }) => (
        <button
          key={to}
          type="button"
          disabled={needs && !current}
          aria-current={place.value === to ? "page" : undefined}
          onClick={() => (to === "sessions" ? (place.value = to) : show(to === "chat" ? null : (to as "changes" | "files")))}
        >
          <Icon name={icon} size={18} />
          <span>{label}</span>
          {to === "changes" && count > 0 && <span class="count">{count}</span>}
        </button>
      ))}
    </nav>
  );
}

function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, tone, text, action }) => (
        <div key={id} class={`toast is-${tone}`}>
          <Icon name={tone === "good" ? "check" : "alert"} />
          <span>{text}</span>
          {action && (
            <button type="button" class="link" onClick={() => (dismiss(id), action.run())}>{action.label}</button>
          )}
          <button type="button" class="bare" aria-label="Dismiss" onClick={() => dismiss(id)}><Icon name="x" /></button>
        </div>
      ))}
    </div>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Alt with a letter goes everywhere; where nobody types, `/` goes to the task. */
function shortcuts(event: KeyboardEvent): void {
  const current = session.value;
  if (event.key === "/" && !isTyping(event.target) && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.querySelector<HTMLTextAreaElement>("#task");
    if (field) {
      event.preventDefault();
      field.focus();
    }
    return;
  }
  if (!event.altKey || event.ctrlKey || event.metaKey) return;
  const panels = { KeyC: "changes", KeyF: "files", KeyI: "details" } as const;
  const wanted = panels[event.code as keyof typeof panels];
  if (wanted && current) {
    event.preventDefault();
    show(panel.value === wanted ? null : wanted);
  } else if (event.code === "KeyS") {
    event.preventDefault();
    isSidebarOpen.value = !isSidebarOpen.value;
  } else if (event.code === "Period" && current?.running.value) {
    event.preventDefault();
    current.stop();
  }
}
