import { signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Change, FileDiff, Hunk } from "wardian";
import type { Piece } from "../code/highlight.ts";
import { lines, pairs, parts, type Line, type Pair } from "../diff.ts";
import { bytes } from "../format.ts";
import { Icon } from "../icon.tsx";
import type { Selection } from "../selection.ts";
import { trouble, type Session } from "../session.ts";
import { toast } from "../store.ts";
import { count } from "../transcript.ts";
import { CONFLICTS } from "./changes.tsx";
import { Compare } from "./editor.tsx";

/** Kept from file to file. */
const isSplit = signal(localStorage.getItem("wardian.split") === "yes");
/** Beside each other there is no room for two on a phone. */
const narrow = matchMedia("(max-width: 760px)");

/** Lines that are asked for first; more when they are wanted. */
const LINES = 2_000;
/** Rows that are drawn at once, so that no drawing holds the page up. */
const ROWS = 300;
const WHOLE_FILE = 1_000_000;

interface Props {
  session: Session;
  change: Change;
  selection: Selection;
  onBlocks: (blocks: number[]) => void;
}

export function DiffView({ session, change, selection, onBlocks }: Props) {
  const diff = useSignal<FileDiff | null>(null);
  const problem = useSignal("");
  const context = useSignal(3);
  const max = useSignal(LINES);
  const isComparing = useSignal(false);
  const digest = `${change.before?.digest} ${change.after?.digest} ${change.conflict}`;
  useEffect(() => {
    let isCurrent = true;
    const look = async () => {
      try {
        const found = await session.agent.value?.review.diff(change.path, { context: context.value, linesMax: max.value });
        if (!isCurrent || !found) return;
        if (found.content.kind === "text") onBlocks(blocksOf(found.content.hunks));
        diff.value = found;
        problem.value = "";
      } catch (error) {
        if (isCurrent) problem.value = trouble(error).message;
      }
    };
    void look();
    return () => {
      isCurrent = false;
    };
  }, [digest, context.value, max.value, session.agent.value]);
  const found = diff.value;
  const canSplit = !narrow.matches;
  return (
    <section class="diff" aria-label={`Changes of ${change.path}`}>
      <header class="diff-head">
        <h3 class="diff-path" title={change.path}>
          {change.from && <><span class="quiet">{change.from}</span> → </>}
          {change.path}
        </h3>
        {found && <Counts diff={found} />}
        <span class="grow" />
        <button type="button" class="bare" aria-label="Show the whole file" title="Show the whole file" aria-pressed={context.value === WHOLE_FILE} onClick={() => (context.value = context.value === WHOLE_FILE ? 3 : WHOLE_FILE)}>
          <Icon name="file" />
        </button>
        {canSplit && (
          <button
            type="button"
            class="bare"
            aria-label="Side by side"
            title="Side by side"
            aria-pressed={isSplit.value}
            onClick={() => {
              isSplit.value = !isSplit.value;
              localStorage.setItem("wardian.split", isSplit.value ? "yes" : "no");
            }}
          >
            <Icon name={isSplit.value ? "rows" : "columns"} />
          </button>
        )}
        <button type="button" class="bare" aria-label="Drop this change" title="Drop this change" disabled={session.running.value} onClick={() => void drop(session, change)}>
          <Icon name="undo" />
        </button>
      </header>
      {change.conflict && <ConflictBanner session={session} change={change} isComparing={isComparing} />}
      {change.merged && (
        <p class="notice is-quiet"><Icon name="info" /><span>You changed this file, too, since the agent took it up. Both are in here, merged line by line.</span></p>
      )}
      {isComparing.value ? (
        <Compare session={session} path={change.path} />
      ) : (
        <>
          {problem.value && <p class="notice is-error" role="alert">{problem.value}</p>}
          {found && <Content diff={found} change={change} selection={selection} isSplit={isSplit.value && canSplit} />}
          {found && found.linesCut > 0 && (
            <button type="button" class="button more" onClick={() => (max.value *= 5)}>
              Show {count(found.linesCut, "further line")}
            </button>
          )}
        </>
      )}
    </section>
  );
}

function blocksOf(hunks: Hunk[]): number[] {
  return [...new Set(hunks.flatMap((hunk) => hunk.lines.filter((line) => line.side !== "context").map((line) => line.block)))];
}

function Counts({ diff }: { diff: FileDiff }) {
  if (diff.content.kind === "binary") return null;
  return (
    <span class="counts">
      <span class="is-added">+{diff.linesAdded}</span> <span class="is-removed">−{diff.linesRemoved}</span>
    </span>
  );
}

async function drop(session: Session, change: Change): Promise<void> {
  if (!confirm(`Drop what the session changed in ${change.path}?`)) return;
  try {
    await session.agent.value?.review.discard({ paths: [change.path] });
  } catch (error) {
    toast("error", `The change was not dropped: ${trouble(error).message}`);
  }
  await session.catchUp();
}

function ConflictBanner({ session, change, isComparing }: { session: Session; change: Change; isComparing: { value: boolean } }) {
  const overwrite = async () => {
    const agent = session.agent.value;
    if (!agent) return;
    try {
      if (agent.project.write !== "granted" && !(await agent.requestWrite())) return;
      await agent.review.commit({ selection: [change.path], overwrite: true });
      toast("good", `${change.path} is now as the agent left it`);
    } catch (error) {
      toast("error", `Nothing was committed: ${trouble(error).message}`);
    }
    await session.catchUp();
  };
  return (
    <div class="notice is-warning conflict" role="group" aria-label="Conflict">
      <Icon name="warning" />
      <span>{CONFLICTS[change.conflict ?? "both-changed"]} It is left out of commits until you have decided.</span>
      <span class="notice-actions">
        <button type="button" class="button small" aria-pressed={isComparing.value} onClick={() => (isComparing.value = !isComparing.value)}>Compare</button>
        <button type="button" class="button small" disabled={session.running.value} onClick={() => void overwrite()}>Take the agent's</button>
        <button type="button" class="button small" disabled={session.running.value} onClick={() => void drop(session, change)}>Keep mine</button>
      </span>
    </div>
  );
}

interface ContentProps {
  diff: FileDiff;
  change: Change;
  selection: Selection;
  isSplit: boolean;
}

function Content({ diff, change, selection, isSplit }: ContentProps) {
  const { content } = diff;
  if (content.kind === "binary") {
    return (
      <dl class="binary">
        {content.before !== undefined && <><dt>Before</dt><dd>{content.before}</dd></>}
        {content.after !== undefined && <><dt>After</dt><dd>{content.after}</dd></>}
      </dl>
    );
  }
  if (content.hunks.length === 0) {
    const { before, after } = change;
    const size = after ? `${after.fileType}, ${bytes(after.size)}` : before ? `${before.fileType}, ${bytes(before.size)}` : "";
    const mode = before?.mode !== undefined && after?.mode !== undefined && before.mode !== after.mode;
    const octal = (mode: number | undefined) => (mode ?? 0).toString(8).padStart(3, "0");
    return (
      <div class="empty">
        <p>{mode ? `Permissions ${octal(before?.mode)} → ${octal(after?.mode)}` : "The content is the same."}</p>
        <p class="quiet">{size}</p>
      </div>
    );
  }
  return <Hunks hunks={content.hunks} change={change} selection={selection} isSplit={isSplit} />;
}

type DrawnRow = { hunk: Hunk; index: number } | { line: Line } | { pair: Pair };

function Hunks({ hunks, change, selection, isSplit }: { hunks: Hunk[]; change: Change; selection: Selection; isSplit: boolean }) {
  const drawn = useSignal(ROWS);
  const end = useRef<HTMLTableRowElement>(null);
  const colours = useSignal<Map<Line, Piece[]>>(new Map());
  const all = useMemo(() => blocksOf(hunks), [hunks]);
  const { rows, byHunk } = useMemo(() => {
    const seen = new Set<number>();
    const byHunk = hunks.map((hunk) => lines(hunk, seen));
    const rows = hunks.flatMap((hunk, index): DrawnRow[] => {
      const own = byHunk[index] ?? [];
      return [{ hunk, index }, ...(isSplit ? pairs(own).map((pair) => ({ pair })) : own.map((line) => ({ line })))];
    });
    return { rows, byHunk };
  }, [hunks, isSplit]);
  useEffect(() => {
    let isCurrent = true;
    void colour(change.path, byHunk).then((found) => {
      if (isCurrent) colours.value = found;
    });
    return () => {
      isCurrent = false;
    };
  }, [byHunk, change.path]);
  // More is drawn when the end of what is there comes near.
  useEffect(() => {
    if (!end.current) return;
    const near = new IntersectionObserver((seen) => {
      if (seen.some((entry) => entry.isIntersecting)) drawn.value += ROWS;
    }, { rootMargin: "600px" });
    near.observe(end.current);
    return () => near.disconnect();
  }, [rows, drawn.value]);
  // A whole file that is new or gone has no parts.
  const canChoose = change.kind === "modified" && !change.conflict && all.length > 1;
  const choose = (line: Line | undefined): ComponentChildren => {
    if (!line?.isFirst || !canChoose) return null;
    return (
      <input
        type="checkbox"
        aria-label={`Include the part at line ${line.after ?? line.before}`}
        checked={selection.has(change, line.block)}
        onChange={() => selection.toggle(change, line.block, all)}
      />
    );
  };
  const isOut = (line: Line | undefined) => line && line.side !== "context" && !change.conflict && !selection.has(change, line.block);
  const text = (line: Line | undefined) => line && <LineText line={line} pieces={colours.value.get(line)} />;
  const span = isSplit ? 5 : 4;
  return (
    <div class="diff-scroll" tabIndex={0} role="region" aria-label={`Lines of ${change.path}`}>
      <table class={isSplit ? "diff-table is-split" : "diff-table"}>
        {isSplit && <colgroup><col class="col-choose" /><col class="col-no" /><col /><col class="col-no" /><col /></colgroup>}
        <thead class="visually-hidden">
          <tr>
            <th scope="col">Include</th>
            {isSplit
              ? <><th scope="col">Line before</th><th scope="col">Before</th><th scope="col">Line after</th><th scope="col">After</th></>
              : <><th scope="col">Line before</th><th scope="col">Line after</th><th scope="col">Text</th></>}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, drawn.value).map((row, index) => {
            if ("hunk" in row) return <HunkHead key={index} hunk={row.hunk} span={span} isFirst={row.index === 0} />;
            if ("line" in row) {
              const { line } = row;
              return (
                <tr key={index} class={`line is-${line.side} ${isOut(line) ? "is-out" : ""}`}>
                  <td class="choose">{choose(line)}</td>
                  <td class="no">{line.before}</td>
                  <td class="no">{line.after}</td>
                  <td class="text" data-sign={SIGNS[line.side]}>{text(line)}</td>
                </tr>
              );
            }
            const { before, after } = row.pair;
            const is = (line: Line | undefined) => (line ? `is-${line.side} ${isOut(line) ? "is-out" : ""}` : "is-none");
            return (
              <tr key={index} class="line">
                <td class="choose">{choose(before?.isFirst ? before : after)}</td>
                <td class={`no ${is(before)}`}>{before?.before}</td>
                <td class={`text ${is(before)}`} data-sign={before ? SIGNS[before.side] : ""}>{text(before)}</td>
                <td class={`no ${is(after)}`}>{after?.after}</td>
                <td class={`text ${is(after)}`} data-sign={after ? SIGNS[after.side] : ""}>{text(after)}</td>
              </tr>
            );
          })}
          {rows.length > drawn.value && <tr ref={end}><td colSpan={span} class="quiet pad">…</td></tr>}
        </tbody>
      </table>
    </div>
  );
}

const SIGNS = { context: "", added: "+", removed: "−" };

function HunkHead({ hunk, span, isFirst }: { hunk: Hunk; span: number; isFirst: boolean }) {
  if (isFirst && hunk.beforeStart <= 1 && hunk.afterStart <= 1) return null;
  return (
    <tr class="hunk">
      <td colSpan={span}>
        <span>Line {hunk.afterStart}</span>
        {hunk.heading && <code>{hunk.heading}</code>}
      </td>
    </tr>
  );
}

function LineText({ line, pieces }: { line: Line; pieces: Piece[] | undefined }) {
  const shown = parts(pieces ?? [[line.text, ""]], line.emphasis);
  return (
    <>
      {shown.map(({ text, style, isEmphasized }, index) => {
        if (isEmphasized) return <mark key={index} class={style}>{text}</mark>;
        return style ? <span key={index} class={style}>{text}</span> : text;
      })}
      {line.unterminated && <span class="no-newline" title="No newline at the end of the file">⏎̸</span>}
    </>
  );
}

/** Each side of each hunk is coloured as a text of its own: the rest of the file is not at hand. */
async function colour(path: string, hunks: Line[][]): Promise<Map<Line, Piece[]>> {
  const { highlightFile } = await import("../code/highlight.ts");
  const found = new Map<Line, Piece[]>();
  for (const hunk of hunks) {
    for (const without of ["added", "removed"] as const) {
      const side = hunk.filter((line) => line.side !== without);
      const coloured = await highlightFile(path, side.map((line) => line.text).join("\n"));
      side.forEach((line, index) => {
        const pieces = coloured?.[index];
        if (pieces) found.set(line, pieces);
      });
    }
    // Others are waiting for this thread, too.
    await new Promise((resolve) => setTimeout(resolve));
  }
  return found;
}
