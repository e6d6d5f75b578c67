import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Agent, FileInfo } from "wardian";
import { bytes, download } from "../format.ts";
import { Icon } from "../icon.tsx";
import { trouble, type Session } from "../session.ts";
import { file } from "../store.ts";
import type { Node, Row } from "../tree.ts";
import { Editor } from "./editor.tsx";
import { PanelButtons } from "./panel-buttons.tsx";
import { Tree } from "./tree.tsx";

/** A text that is longer is saved rather than shown. */
const SHOWN_BYTES_MAX = 2 << 20;
const IMAGES: Record<string, string> = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp", avif: "image/avif" };

interface Entry extends FileInfo {
  path: string;
}

/** Names of a folder come in the order in which people look for them. */
const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export function Files({ session }: { session: Session }) {
  const agent = session.agent.value;
  return (
    <div class="files">
      <header class="bar">
        <h2 class="bar-title">Files</h2>
        <span class="quiet small">as the agent sees them</span>
        <span class="grow" />
        <PanelButtons name="files" shortcut="F" />
      </header>
      {agent ? <Browser agent={agent} session={session} /> : <div class="empty"><p>The files are shown when the session is open.</p></div>}
    </div>
  );
}

function Browser({ agent, session }: { agent: Agent; session: Session }) {
  const folders = useSignal<ReadonlyMap<string, Entry[]>>(new Map());
  const open = useSignal<ReadonlySet<string>>(new Set([""]));
  const problem = useSignal("");
  const revision = session.revision.value;
  useEffect(() => {
    let isCurrent = true;
    const look = async () => {
      try {
        const listed = await Promise.all([...open.value].map(async (path) => [path, await listing(agent, path)] as const));
        if (isCurrent) {
          folders.value = new Map(listed);
          problem.value = "";
        }
      } catch (error) {
        if (isCurrent) problem.value = trouble(error).message;
      }
    };
    void look();
    return () => {
      isCurrent = false;
    };
  }, [agent, open.value, revision]);
  const rows: Row<Entry>[] = [];
  const add = (path: string, depth: number) => {
    const entries = folders.value.get(path) ?? [];
    entries.forEach((entry, index) => {
      const isBranch = entry.type === "directory";
      const node: Node<Entry> = isBranch
        ? { kind: "branch", name: entry.name, path: entry.path, children: [], leaves: [] }
        : { kind: "leaf", name: entry.name, path: entry.path, value: entry };
      rows.push({ node, depth, position: index + 1, size: entries.length });
      if (isBranch && open.value.has(entry.path)) add(entry.path, depth + 1);
    });
  };
  add("", 0);
  const selected = file.value;
  return (
    <div class="review">
      <div class="review-tree">
        {problem.value && <p class="notice is-error" role="alert">{problem.value}</p>}
        {rows.length === 0 && folders.value.has("") && <p class="quiet pad">The folder is empty.</p>}
        <Tree
          label="Files"
          rows={rows}
          shown={selected}
          isClosed={(path) => !open.value.has(path)}
          onToggle={(node, isClosed) => {
            const next = new Set(open.value);
            if (isClosed) next.delete(node.path);
            else next.add(node.path);
            open.value = next;
          }}
          onOpen={(node) => (file.value = node.path)}
          after={(node) => session.change(node.path) && <span class="kind is-modified" data-letter="●" title="Changed in this session" />}
          describe={(node) => node.name}
        />
      </div>
      <div class="review-diff">
        {selected ? <FileView key={selected} agent={agent} path={selected} revision={revision} /> : <div class="empty"><Icon name="files" size={28} /><p>Choose a file.</p></div>}
      </div>
    </div>
  );
}

async function listing(agent: Agent, path: string): Promise<Entry[]> {
  const entries = await agent.files.list(path || undefined);
  const order = (entry: FileInfo) => (entry.type === "directory" ? 0 : 1);
  return entries
    .map((entry) => ({ ...entry, path: path ? `${path}/${entry.name}` : entry.name }))
    .sort((one, other) => order(one) - order(other) || collator.compare(one.name, other.name));
}

/** Text wraps in neither: what is read here is mostly code. */
function FileView({ agent, path, revision }: { agent: Agent; path: string; revision: number }) {
  const content = useSignal<Uint8Array | null>(null);
  const problem = useSignal("");
  useEffect(() => {
    let isCurrent = true;
    agent.files.read(path).then(
      (read) => {
        if (!isCurrent) return;
        // The same bytes stay the same, so that nothing is drawn anew.
        if (!content.value || !isSame(content.value, read)) content.value = read;
        problem.value = "";
      },
      (error: unknown) => {
        if (isCurrent) problem.value = trouble(error).message;
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [agent, path, revision]);
  const read = content.value;
  return (
    <section class="diff" aria-label={path}>
      <header class="diff-head">
        <h3 class="diff-path" title={path}>{path}</h3>
        <span class="grow" />
        {read && <span class="quiet small">{bytes(read.length)}</span>}
        {read && (
          <button type="button" class="bare" aria-label="Download" title="Download" onClick={() => download(new Blob([read as BlobPart]), path.slice(path.lastIndexOf("/") + 1))}>
            <Icon name="download" />
          </button>
        )}
      </header>
      {problem.value && <p class="notice is-error" role="alert">{problem.value}</p>}
      {read && <Body path={path} content={read} />}
    </section>
  );
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

function Body({ path, content }: { path: string; content: Uint8Array }) {
  const type = IMAGES[path.slice(path.lastIndexOf(".") + 1).toLowerCase()];
  if (type) return <Picture content={content} type={type} path={path} />;
  if (content.length > SHOWN_BYTES_MAX) return <div class="empty"><p>The file is too long to be shown.</p></div>;
  if (content.subarray(0, 8192).includes(0)) return <div class="empty"><p>This is no text.</p></div>;
  return <Editor path={path} text={new TextDecoder().decode(content)} />;
}

function Picture({ content, type, path }: { content: Uint8Array; type: string; path: string }) {
  const url = useSignal("");
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([content as BlobPart], { type }));
    url.value = made;
    return () => URL.revokeObjectURL(made);
  }, [content]);
  return <div class="picture">{url.value && <img src={url.value} alt={path} />}</div>;
}

