import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo } from "preact/hooks";
import type { Change, ChangeKind, Conflict } from "wardian";
import { download } from "../format.ts";
import { Icon } from "../icon.tsx";
import { Selection, type Tick } from "../selection.ts";
import { trouble, type Session } from "../session.ts";
import { file, toast } from "../store.ts";
import { count } from "../transcript.ts";
import { rows, tree, type Node } from "../tree.ts";
import { DiffView } from "./diff.tsx";
import { Menu } from "./menu.tsx";
import { PanelButtons } from "./panel-buttons.tsx";
import { Tree } from "./tree.tsx";

const KINDS: Record<ChangeKind, { letter: string; word: string }> = {
  added: { letter: "A", word: "added" },
  modified: { letter: "M", word: "modified" },
  deleted: { letter: "D", word: "deleted" },
  renamed: { letter: "R", word: "renamed" },
  mode: { letter: "P", word: "permissions changed" },
  type: { letter: "T", word: "type changed" },
};

export const CONFLICTS: Record<Conflict, string> = {
  "both-changed": "You changed this file, too, since the agent took it up, and the changes overlap.",
  "both-added": "A file of this name has come into the folder meanwhile, with other content.",
  "deleted-in-project": "You deleted this file since the agent took it up.",
  "changed-in-project": "The agent removed this file; you changed it since.",
  "in-the-way": "A file stands in the folder where a folder would have to be, or the other way round.",
};

/** One for each session, for as long as it is open. */
const selections = new WeakMap<Session, Selection>();
/** The blocks of the diffs that were looked at. */
const blocksSeen = new WeakMap<Session, Map<string, number[]>>();

export function Changes({ session }: { session: Session }) {
  const list = session.changes.value;
  const problem = session.changesTrouble.value;
  return (
    <div class="changes">
      <PanelBar session={session} />
      {problem && <p class="notice is-error" role="alert"><Icon name="alert" /><span>The changes cannot be read: {problem.message}</span></p>}
      {list && list.changes.length > 0 ? (
        <Review session={session} changes={list.changes} ignored={list.ignored} />
      ) : (
        !problem && <Nothing session={session} isKnown={list !== null} ignored={list?.ignored ?? 0} />
      )}
    </div>
  );
}

function Nothing({ session, isKnown, ignored }: { session: Session; isKnown: boolean; ignored: number }) {
  if (!isKnown) {
    const words = session.phase.value === "closed" ? "The changes are shown when the session is open." : "Looking …";
    return <div class="empty"><p>{words}</p></div>;
  }
  return (
    <div class="empty">
      <Icon name="diff" size={28} />
      <p>Nothing differs from the folder.</p>
      {ignored > 0 && <p class="quiet">{count(ignored, "change")} in files that the project ignores {ignored === 1 ? "is" : "are"} left out.</p>}
      {session.canUndo.value && (
        <button type="button" class="button" onClick={() => void undo(session)}><Icon name="undo" />Undo the last commit</button>
      )}
    </div>
  );
}

function PanelBar({ session }: { session: Session }) {
  const project = session.agent.value?.project;
  const isBusy = session.running.value || session.phase.value !== "open";
  const any = (session.changes.value?.changes.length ?? 0) > 0;
  return (
    <header class="bar">
      <h2 class="bar-title">Changes</h2>
      <span class="grow" />
      <button type="button" class="bare" aria-label="Look again" title="Look again" onClick={() => void session.refresh()}><Icon name="refresh" /></button>
      <Menu
        label="More about the changes"
        items={[
          { label: "Undo the last commit", icon: "undo", isDisabled: isBusy || !session.canUndo.value, run: () => void undo(session) },
          { label: "Save as a patch", icon: "download", isDisabled: !any, run: () => void savePatch(session) },
          ...(project?.kind === "copy"
            ? [{ label: "Download the project", icon: "archive" as const, run: () => void saveProject(session) }]
            : []),
          { label: "Drop all changes", icon: "trash", isDanger: true, isDisabled: isBusy || !any, run: () => void dropAll(session) },
        ]}
      />
      <PanelButtons name="changes" shortcut="C" />
    </header>
  );
}

function Review({ session, changes, ignored }: { session: Session; changes: Change[]; ignored: number }) {
  const selection = of(selections, session, () => new Selection());
  const blocks = of(blocksSeen, session, () => new Map<string, number[]>());
  const closed = useSignal<ReadonlySet<string>>(new Set());
  const filter = useSignal("");
  const nodes = useMemo(() => {
    const words = filter.value.toLowerCase();
    return tree(words ? changes.filter((change) => change.path.toLowerCase().includes(words)) : changes);
  }, [changes, filter.value]);
  const isClosed = (path: string) => closed.value.has(path);
  const shown = useMemo(() => rows(nodes, isClosed), [nodes, closed.value]);
  const files = useMemo(() => rows(nodes, () => false).flatMap(({ node }) => (node.kind === "leaf" ? [node.value] : [])), [nodes]);
  const current = files.find((change) => change.path === file.value) ?? files[0];
  const leaves = (node: Node<Change>) => (node.kind === "leaf" ? [node.value] : node.leaves);
  const tick = (node: Node<Change>): Tick => {
    const ticks = new Set(leaves(node).filter((change) => !change.conflict).map((change) => selection.tick(change)));
    if (ticks.size === 0) return "none";
    const [only] = ticks;
    return ticks.size === 1 && only ? only : "some";
  };
  const step = (by: number) => {
    const at = files.findIndex((change) => change.path === current?.path);
    file.value = files[at + by]?.path ?? file.value;
  };
  const toggle = (changes: Change[], isIn: boolean) => selection.set(changes.filter((change) => !change.conflict), isIn);

  // With what is drawn, not after it: keys may follow one another faster than frames.
  useLayoutEffect(() => {
    const keys = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && (target as HTMLInputElement).type !== "checkbox") return;
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "j") step(1);
      else if (event.key === "k") step(-1);
      else if (event.key === "x" && current) toggle([current], selection.tick(current) === "none");
    };
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  });

  return (
    <>
      <div class="review">
        <div class="review-tree">
          {changes.length > 12 && (
            <label class="search">
              <Icon name="search" size={14} />
              <span class="visually-hidden">Find a file</span>
              <input type="search" placeholder="Find a file" value={filter.value} onInput={(event) => (filter.value = event.currentTarget.value)} />
            </label>
          )}
          <Tree
            label="Changed files"
            rows={shown}
            shown={current?.path ?? null}
            isClosed={isClosed}
            onToggle={(node, isClosed) => {
              const next = new Set(closed.value);
              if (isClosed) next.add(node.path);
              else next.delete(node.path);
              closed.value = next;
            }}
            onOpen={(node) => (file.value = node.path)}
            onSpace={(node) => toggle(leaves(node), tick(node) !== "all")}
            tick={tick}
            after={(node) => node.kind === "leaf" && <Kind change={node.value} />}
            describe={describe}
          />
          {ignored > 0 && <p class="quiet small pad">{count(ignored, "ignored change")} left out</p>}
        </div>
        <div class="review-diff">
          {current && (
            <DiffView
              key={current.path}
              session={session}
              change={current}
              selection={selection}
              onBlocks={(all) => blocks.set(current.path, all)}
            />
          )}
        </div>
      </div>
      <CommitBar session={session} changes={changes} selection={selection} blocks={(path) => blocks.get(path) ?? []} />
    </>
  );
}

function of<V>(map: WeakMap<Session, V>, session: Session, make: () => V): V {
  let value = map.get(session);
  if (value === undefined) map.set(session, (value = make()));
  return value;
}

function describe(node: Node<Change>): string {
  if (node.kind === "branch") return `${node.name}, ${count(node.leaves.length, "change")}`;
  const { kind, conflict } = node.value;
  return `${node.name}, ${KINDS[kind].word}${conflict ? ", conflict" : ""}`;
}

function Kind({ change }: { change: Change }) {
  if (change.conflict) return <span class="kind is-conflict"><Icon name="warning" size={14} /></span>;
  return <span class={`kind is-${change.kind}`} data-letter={KINDS[change.kind].letter} title={KINDS[change.kind].word} />;
}

interface CommitBarProps {
  session: Session;
  changes: Change[];
  selection: Selection;
  blocks: (path: string) => number[];
}

function CommitBar({ session, changes, selection, blocks }: CommitBarProps) {
  const isWorking = useSignal(false);
  const agent = session.agent.value;
  const conflicts = changes.filter((change) => change.conflict).length;
  const chosen = changes.filter((change) => selection.tick(change) !== "none");
  const isPartial = chosen.some((change) => selection.tick(change) === "some");
  const isBusy = session.running.value || isWorking.value || session.phase.value !== "open" || !agent;
  const what = chosen.length === changes.length ? count(changes.length, "change") : `${chosen.length} of ${count(changes.length, "change")}`;
  const commit = async () => {
    if (!agent || isBusy || chosen.length === 0) return;
    isWorking.value = true;
    try {
      // From the click itself: later the browser would not ask.
      if (agent.project.write !== "granted" && !(await agent.requestWrite())) {
        toast("error", "The browser was not given leave to write to the folder. Nothing was committed.");
        return;
      }
      const done = await agent.review.commit({ selection: selection.selected(changes, blocks) });
      toast("good", `Committed ${count(done.paths.length, "file")} to ${agent.project.name}`, { label: "Undo", run: () => void undo(session) });
    } catch (error) {
      toast("error", `Nothing was committed: ${trouble(error).message}`);
    } finally {
      isWorking.value = false;
      await session.catchUp();
    }
  };
  return (
    <footer class="commit-bar">
      <span class="commit-facts">
        {conflicts > 0 && <span class="is-conflict"><Icon name="warning" size={14} />{count(conflicts, "conflict")}</span>}
        <span class="quiet">{session.running.value ? "The agent is still at work" : isPartial ? "Some parts of files" : ""}</span>
      </span>
      <button type="button" class="button is-primary" disabled={isBusy || chosen.length === 0} onClick={() => void commit()}>
        {isWorking.value ? "Committing …" : `Commit ${what}`}
      </button>
    </footer>
  );
}

export async function undo(session: Session): Promise<void> {
  const agent = session.agent.value;
  if (!agent) return;
  try {
    if (agent.project.write !== "granted" && !(await agent.requestWrite())) {
      toast("error", "The browser was not given leave to write to the folder. Nothing was taken back.");
      return;
    }
    const undone = await agent.review.undo();
    toast("good", `Took the commit back: ${count(undone.paths.length, "file")}`);
  } catch (error) {
    toast("error", `Nothing was taken back: ${trouble(error).message}`);
  }
  await session.catchUp();
}

async function dropAll(session: Session): Promise<void> {
  if (!confirm("Drop all changes of this session? The folder stays as it is.")) return;
  try {
    await session.agent.value?.review.discard();
  } catch (error) {
    toast("error", `The changes were not dropped: ${trouble(error).message}`);
  }
  await session.catchUp();
}

async function savePatch(session: Session): Promise<void> {
  const agent = session.agent.value;
  if (!agent) return;
  try {
    const patches: string[] = [];
    for (const change of session.changes.value?.changes ?? []) patches.push(await agent.review.unified(change.path));
    download(new Blob(patches, { type: "text/x-diff" }), `${agent.project.name}.patch`);
  } catch (error) {
    toast("error", `The patch cannot be made: ${trouble(error).message}`);
  }
}

async function saveProject(session: Session): Promise<void> {
  const agent = session.agent.value;
  if (!agent) return;
  try {
    download(await agent.exportProject(), `${agent.project.name}.zip`);
  } catch (error) {
    toast("error", `The project cannot be downloaded: ${trouble(error).message}`);
  }
}
