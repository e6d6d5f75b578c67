/** Text in colours: pieces of lines, each with the class of what it is. */

import { highlightCode, tagHighlighter, tags } from "@lezer/highlight";
import { languageNamed, languageOfFile } from "./languages.ts";

export type Piece = [text: string, style: string];

/** Colouring more would be felt. */
const COLOURED_CHARS_MAX = 200_000;

/** Few kinds: calm is easier to read than colourful. */
export const highlighter = tagHighlighter([
  { tag: [tags.comment, tags.meta], class: "tok-comment" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], class: "tok-string" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], class: "tok-number" },
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword, tags.controlKeyword], class: "tok-keyword" },
  { tag: [tags.definition(tags.variableName), tags.function(tags.variableName), tags.definition(tags.propertyName), tags.macroName], class: "tok-name" },
  { tag: [tags.typeName, tags.className, tags.namespace, tags.tagName], class: "tok-type" },
  { tag: tags.heading, class: "tok-heading" },
  { tag: [tags.link, tags.url], class: "tok-link" },
]);

export async function highlightFile(path: string, text: string): Promise<Piece[][] | null> {
  return highlight(text, languageOfFile(path));
}

export async function highlightNamed(name: string, text: string): Promise<Piece[][] | null> {
  return highlight(text, languageNamed(name));
}

async function highlight(text: string, language: ReturnType<typeof languageNamed>): Promise<Piece[][] | null> {
  if (text.length > COLOURED_CHARS_MAX) return null;
  const support = await language;
  if (!support) return null;
  const tree = support.language.parser.parse(text);
  const lines: Piece[][] = [[]];
  highlightCode(
    text,
    tree,
    highlighter,
    (piece, style) => lines[lines.length - 1]?.push([piece, style]),
    () => lines.push([]),
  );
  return lines;
}
