import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Approve } from "wardian";
import { Icon } from "../icon.tsx";
import { choice, label } from "../models.ts";
import type { Session } from "../session.ts";
import { approve, begin, send, settings } from "../store.ts";
import { ModelDialog } from "./model-dialog.tsx";

const MODES: { value: Approve; label: string; note: string }[] = [
  { value: "ask", label: "Ask for everything", note: "each call that needs a power" },
  { value: "reads", label: "Reads without asking", note: "asks before it writes" },
  { value: "files", label: "Files without asking", note: "asks for programs and the network" },
  { value: "all", label: "Nothing is asked", note: "still sealed, still reviewed" },
  { value: "none", label: "No powers", note: "refuses what needs one" },
];

/** A prompt is bounded as the command line bounds it. */
const TASK_CHARS_MAX = 4 << 20;

export function Composer({ session, suggestion = "" }: { session: Session | null; suggestion?: string }) {
  const text = useSignal(session ? "" : suggestion);
  const isChoosing = useSignal(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const isRunning = session?.running.value ?? false;
  const isOpening = session?.phase.value === "opening";
  const canSend = !isRunning && !isOpening && text.value.trim() !== "" && (!session || session.phase.value === "open");
  useEffect(() => {
    if (!session) field.current?.select();
  }, []);
  useEffect(() => {
    const area = field.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 240)}px`;
  }, [text.value]);
  const submit = () => {
    if (!canSend) return;
    const task = text.value.trim();
    text.value = "";
    void (session ? send(task) : begin(task));
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <label class="visually-hidden" for="task">Task</label>
      <textarea
        id="task"
        ref={field}
        rows={1}
        maxLength={TASK_CHARS_MAX}
        placeholder={session ? "What next?" : "Describe a task"}
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            submit();
          }
        }}
      />
      <div class="composer-row">
        <button type="button" class="chip" disabled={isRunning || isOpening} onClick={() => (isChoosing.value = true)}>
          <Icon name="sparkles" size={14} />
          <span class="visually-hidden">Model: </span>
          {label(choice.value)}
        </button>
        <Mode session={session} isDisabled={isRunning || isOpening} />
        <span class="grow" />
        {isRunning ? (
          <button type="button" class="round is-stop" aria-label="Stop" title="Stop (Alt+.)" disabled={session?.stopping.value} onClick={() => session?.stop()}>
            <span class="square" />
          </button>
        ) : (
          <button type="submit" class="round" aria-label="Send" title="Send (Enter)" disabled={!canSend}>
            <Icon name="send" size={18} />
          </button>
        )}
      </div>
      {isChoosing.value && (
        <ModelDialog
          onClose={(changed) => {
            isChoosing.value = false;
            if (changed && session?.phase.value === "open") void session.reopen(settings());
            field.current?.focus();
          }}
        />
      )}
    </form>
  );
}

function Mode({ session, isDisabled }: { session: Session | null; isDisabled: boolean }) {
  return (
    <span class="chip is-select">
      <Icon name="shieldCheck" size={14} />
      <label class="visually-hidden" for="approve">What may run without a question</label>
      <select
        id="approve"
        disabled={isDisabled}
        value={approve.value}
        onChange={(event) => {
          approve.value = event.currentTarget.value as Approve;
          if (session?.phase.value === "open") void session.reopen(settings());
        }}
      >
        {MODES.map(({ value, label, note }) => (
          <option key={value} value={value} title={note}>{label}</option>
        ))}
      </select>
      <Icon name="down" size={12} />
    </span>
  );
}
