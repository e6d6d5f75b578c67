/** CodeMirror, as files are shown in it: to read, in our colours. */

import { defaultKeymap } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, syntaxHighlighting } from "@codemirror/language";
import { MergeView } from "@codemirror/merge";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { highlighter } from "./highlight.ts";
import { languageOfFile } from "./languages.ts";

/** The colours are variables of the page's own style sheet. */
const theme = EditorView.theme({
  "&": { backgroundColor: "transparent", color: "var(--text)", fontSize: "12.5px", height: "100%" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "20px", overflow: "auto" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--faint)", border: "none" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--text)" },
  ".cm-foldGutter .cm-gutterElement": { color: "var(--faint)" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": { backgroundColor: "var(--select) !important" },
  ".cm-selectionMatch, .cm-searchMatch": { backgroundColor: "var(--mark)" },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-textfield": { backgroundColor: "var(--field)", color: "var(--text)", border: "1px solid var(--line-strong)" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--field)", color: "var(--text)", border: "1px solid var(--line-strong)" },
  ".cm-changedLine": { backgroundColor: "var(--added-line) !important" },
  "&.cm-merge-a .cm-changedLine, .cm-deletedChunk": { backgroundColor: "var(--removed-line) !important" },
  ".cm-changedText": { background: "var(--added-word) !important" },
  "&.cm-merge-a .cm-changedText": { background: "var(--removed-word) !important" },
  ".cm-collapsedLines": { background: "var(--raised)", color: "var(--quiet)" },
});

async function extensions(path: string, label: string): Promise<Extension[]> {
  const language = await languageOfFile(path);
  return [
    lineNumbers(),
    foldGutter(),
    highlightActiveLineGutter(),
    drawSelection(),
    bracketMatching(),
    highlightSelectionMatches(),
    search({ top: true }),
    keymap.of([...defaultKeymap, ...searchKeymap, ...foldKeymap]),
    syntaxHighlighting(highlighter),
    EditorState.readOnly.of(true),
    EditorView.contentAttributes.of({ "aria-label": label, "aria-readonly": "true" }),
    theme,
    ...(language ? [language] : []),
  ];
}

/** Its styles go into the shadow root as a constructed sheet, which a policy without inline styles lets pass. */
export async function showFile(root: ShadowRoot, parent: Element, path: string, text: string): Promise<() => void> {
  const view = new EditorView({
    root,
    parent,
    state: EditorState.create({ doc: text, extensions: await extensions(path, path) }),
  });
  return () => view.destroy();
}

export async function compare(root: ShadowRoot, parent: Element, path: string, before: string, after: string): Promise<() => void> {
  const view = new MergeView({
    root,
    parent,
    a: { doc: before, extensions: await extensions(path, `${path}, in the folder`) },
    b: { doc: after, extensions: await extensions(path, `${path}, the agent's`) },
    collapseUnchanged: { margin: 3, minSize: 6 },
    gutter: true,
  });
  return () => view.destroy();
}
