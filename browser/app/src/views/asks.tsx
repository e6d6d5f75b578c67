import { useEffect, useRef } from "preact/hooks";
import type { Answer } from "wardian";
import { Code } from "../code/code.tsx";
import { Icon } from "../icon.tsx";
import type { Ask, Session } from "../session.ts";

const POWERS: [RegExp, (what: string) => string][] = [
  [/^files:write$/, () => "write files of the workspace"],
  [/^files:read$/, () => "read files"],
  [/^net:(.*)$/, (host) => (host === "*" ? "send requests to any host" : `send requests to ${host}`)],
  [/^process:(.*)$/, (name) => (name === "*" ? "run programs of the sandbox" : `run ${name}`)],
  [/^env:(.*)$/, (name) => `see the variable ${name}`],
];

const AND = new Intl.ListFormat("en");

export function power(name: string): string {
  for (const [pattern, words] of POWERS) {
    const match = pattern.exec(name);
    if (match) return words(match[1] ?? "");
  }
  return name;
}

/** One question at a time: the oldest. */
export function Asks({ session }: { session: Session }) {
  const asks = session.asks.value;
  const [first] = asks;
  if (!first) return null;
  return <AskCard key={first.question.id + first.question.summary} ask={first} more={asks.length - 1} />;
}

function AskCard({ ask, more }: { ask: Ask; more: number }) {
  const card = useRef<HTMLDivElement>(null);
  const { question } = ask;
  useEffect(() => {
    // Who is writing goes on writing.
    const field = document.activeElement;
    const isWriting = field instanceof HTMLTextAreaElement && field.value !== "";
    if (!isWriting) card.current?.focus();
    return () => {
      if (card.current?.contains(document.activeElement)) document.querySelector<HTMLElement>("#task")?.focus();
    };
  }, []);
  const keys: Record<string, Answer> = { y: "once", a: "session", n: "deny" };
  return (
    <div
      ref={card}
      class="ask"
      role="alertdialog"
      aria-modal="false"
      aria-labelledby="ask-title"
      aria-describedby="ask-summary"
      tabIndex={-1}
      onKeyDown={(event) => {
        const answer = keys[event.key.toLowerCase()];
        if (!answer || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        ask.answer(answer);
      }}
    >
      <p id="ask-title" class="ask-title">
        <Icon name="shield" />
        <span><strong>{question.tool}</strong> wants to {AND.format(question.powers.map(power))}</span>
        {more > 0 && <span class="quiet small">and {more} more</span>}
      </p>
      <pre id="ask-summary" class="ask-summary">{question.summary}</pre>
      {question.input && (
        <details class="ask-input">
          <summary>The whole call</summary>
          <Code text={pretty(question.input)} language="json" />
        </details>
      )}
      <div class="ask-buttons">
        <button type="button" class="button is-primary" onClick={() => ask.answer("once")}>Allow once <kbd>Y</kbd></button>
        <button type="button" class="button" onClick={() => ask.answer("session")}>Always in this session <kbd>A</kbd></button>
        <button type="button" class="button" onClick={() => ask.answer("deny")}>Deny <kbd>N</kbd></button>
      </div>
    </div>
  );
}

export function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
