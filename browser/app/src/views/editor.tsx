import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { trouble, type Session } from "../session.ts";
import tokens from "../style/tokens.css.ts";

/** Where CodeMirror lives: a shadow root, so that its styles need no leave from the page's policy. */
function useEditor(make: (root: ShadowRoot, parent: Element) => Promise<() => void>, inputs: unknown[]) {
  const host = useRef<HTMLDivElement>(null);
  const problem = useSignal("");
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const root = element.shadowRoot ?? element.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [tokens()];
    const parent = document.createElement("div");
    parent.className = "editor";
    root.replaceChildren(parent);
    let end: (() => void) | undefined;
    let isOver = false;
    make(root, parent).then(
      (made) => {
        if (isOver) made();
        else end = made;
      },
      (error: unknown) => {
        if (!isOver) problem.value = trouble(error).message;
      },
    );
    return () => {
      isOver = true;
      end?.();
    };
  }, inputs);
  return { host, problem };
}

/** A file's text, to read and to search. */
export function Editor({ path, text }: { path: string; text: string }) {
  const { host, problem } = useEditor(async (root, parent) => {
    const { showFile } = await import("../code/setup.ts");
    return showFile(root, parent, path, text);
  }, [path, text]);
  return (
    <>
      {problem.value && <p class="notice is-error" role="alert">{problem.value}</p>}
      <div class="editor-host" ref={host} />
    </>
  );
}

/** Both sides of a conflict, whole. */
export function Compare({ session, path }: { session: Session; path: string }) {
  const { host, problem } = useEditor(async (root, parent) => {
    const agent = session.agent.value;
    if (!agent) throw new Error("The session is closed.");
    const { before, after } = await agent.review.content(path);
    const decoder = new TextDecoder();
    const text = (bytes: Uint8Array | undefined) => (bytes ? decoder.decode(bytes) : "");
    const { compare } = await import("../code/setup.ts");
    return compare(root, parent, path, text(before), text(after));
  }, [session, path]);
  return (
    <>
      <p class="compare-heads"><span>In the folder</span><span>The agent's</span></p>
      {problem.value && <p class="notice is-error" role="alert">{problem.value}</p>}
      <div class="editor-host" ref={host} />
    </>
  );
}
