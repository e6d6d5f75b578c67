import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "../icon.tsx";
import type { Tick } from "../selection.ts";
import type { Node, Row } from "../tree.ts";

/** As in the style sheet. */
const ROW_PX = 30;
/** Rows that are drawn beyond what can be seen. */
const SPARE = 12;

const ARIA: Record<Tick, "true" | "false" | "mixed"> = { all: "true", none: "false", some: "mixed" };

interface Props<T> {
  label: string;
  rows: Row<T>[];
  shown: string | null;
  isClosed: (path: string) => boolean;
  onToggle: (node: Node<T>, isClosed: boolean) => void;
  onOpen: (node: Node<T>) => void;
  /** What the space bar does. */
  onSpace?: (node: Node<T>) => void;
  /** Whether it is chosen, in a tree where that can be. */
  tick?: (node: Node<T>) => Tick;
  /** After the name. */
  after?: (node: Node<T>) => ComponentChildren;
  describe: (node: Node<T>) => string;
}

/** A tree of any size: only the rows that can be seen are there. Arrows, Home, End, Enter and the space bar work in it. */
export function Tree<T>({ label, rows, shown, isClosed, onToggle, onOpen, onSpace, tick, after, describe }: Props<T>) {
  const id = useId();
  const root = useRef<HTMLDivElement>(null);
  const active = useSignal<string | null>(null);
  const view = useSignal({ top: 0, height: 600 });
  const at = Math.max(0, rows.findIndex((row) => row.node.path === (active.value ?? shown)));

  useEffect(() => {
    const element = root.current;
    if (!element) return;
    const look = () => (view.value = { top: element.scrollTop, height: element.clientHeight });
    const resized = new ResizeObserver(look);
    resized.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      resized.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  useEffect(() => {
    active.value = shown;
    const index = rows.findIndex((row) => row.node.path === shown);
    if (index >= 0) reveal(index);
  }, [shown]);

  const reveal = (index: number) => {
    const element = root.current;
    if (!element) return;
    const top = index * ROW_PX;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + ROW_PX > element.scrollTop + element.clientHeight) element.scrollTop = top + ROW_PX - element.clientHeight;
  };
  const go = (index: number) => {
    const row = rows[Math.min(Math.max(index, 0), rows.length - 1)];
    if (!row) return;
    active.value = row.node.path;
    reveal(rows.indexOf(row));
  };
  const keys = (event: KeyboardEvent) => {
    const row = rows[at];
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const { node } = row;
    const isBranch = node.kind === "branch";
    switch (event.key) {
      case "ArrowDown": go(at + 1); break;
      case "ArrowUp": go(at - 1); break;
      case "Home": go(0); break;
      case "End": go(rows.length - 1); break;
      case "ArrowRight":
        if (!isBranch) return;
        if (isClosed(node.path)) onToggle(node, false);
        else go(at + 1);
        break;
      case "ArrowLeft":
        if (isBranch && !isClosed(node.path)) onToggle(node, true);
        else go(rows.findLastIndex((other, index) => index < at && other.depth < row.depth));
        break;
      case "Enter":
        if (isBranch) onToggle(node, !isClosed(node.path));
        else onOpen(node);
        break;
      case " ":
        if (!onSpace) return;
        onSpace(node);
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  const first = Math.max(0, Math.floor(view.value.top / ROW_PX) - SPARE);
  const last = Math.min(rows.length, Math.ceil((view.value.top + view.value.height) / ROW_PX) + SPARE);
  return (
    <div
      ref={root}
      class="tree"
      role="tree"
      aria-label={label}
      tabIndex={0}
      aria-activedescendant={rows[at] && at >= first && at < last ? `${id}-${at}` : undefined}
      onKeyDown={keys}
    >
      <div class="tree-space" role="presentation" style={{ height: `${rows.length * ROW_PX}px` }}>
        {rows.slice(first, last).map(({ node, depth, position, size }, offset) => {
          const index = first + offset;
          const isBranch = node.kind === "branch";
          return (
            <div
              key={node.path}
              id={`${id}-${index}`}
              class={`row ${index === at ? "is-active" : ""} ${node.path === shown ? "is-shown" : ""}`}
              role="treeitem"
              aria-label={describe(node)}
              aria-level={depth + 1}
              aria-posinset={position}
              aria-setsize={size}
              aria-selected={node.path === shown}
              aria-checked={tick ? ARIA[tick(node)] : undefined}
              aria-expanded={isBranch ? !isClosed(node.path) : undefined}
              style={{ transform: `translateY(${index * ROW_PX}px)`, paddingInlineStart: `${8 + depth * 14}px` }}
              onClick={() => {
                active.value = node.path;
                if (isBranch) onToggle(node, !isClosed(node.path));
                else onOpen(node);
              }}
            >
              {tick && onSpace && (
                <span
                  class={`box is-${tick(node)}`}
                  onClick={(event) => {
                    event.stopPropagation();
                    onSpace(node);
                  }}
                />
              )}
              {isBranch ? (
                <Icon name={isClosed(node.path) ? "right" : "down"} size={14} />
              ) : (
                <Icon name="file" size={14} />
              )}
              <span class="row-name" title={node.path}>{node.name}</span>
              {after?.(node)}
            </div>
          );
        })}
      </div>
    </div>
  );
}
