/** What a diff says, as rows that can be drawn. */

import type { DiffLine, Hunk } from "wardian";
import type { Piece } from "./code/highlight.ts";

export interface Line {
  side: DiffLine["side"];
  before?: number;
  after?: number;
  text: string;
  emphasis: [number, number][];
  unterminated: boolean;
  block: number;
  /** The first line of its block: where it is chosen. */
  isFirst: boolean;
}

/** In a side-by-side view: what stands beside what. */
export interface Pair {
  before?: Line;
  after?: Line;
}

/** Ranges of bytes become ranges of the string's own units. */
export function spans(text: string, ranges: { start: number; end: number }[]): [number, number][] {
  if (ranges.length === 0) return [];
  if (/^[\x00-\x7f]*$/.test(text)) return ranges.map(({ start, end }) => [start, end]);
  const at = new Map<number, number>();
  let byte = 0;
  let unit = 0;
  for (const character of text) {
    at.set(byte, unit);
    const code = character.codePointAt(0) ?? 0;
    byte += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    unit += character.length;
  }
  at.set(byte, unit);
  return ranges.flatMap(({ start, end }): [number, number][] => {
    const [from, to] = [at.get(start), at.get(end)];
    return from === undefined || to === undefined ? [] : [[from, to]];
  });
}

export function lines(hunk: Hunk, seen: Set<number>): Line[] {
  let before = hunk.beforeStart;
  let after = hunk.afterStart;
  return hunk.lines.map((line) => {
    const isChange = line.side !== "context";
    const isFirst = isChange && !seen.has(line.block);
    if (isChange) seen.add(line.block);
    return {
      side: line.side,
      ...(line.side === "added" ? {} : { before: before++ }),
      ...(line.side === "removed" ? {} : { after: after++ }),
      text: line.text,
      emphasis: spans(line.text, line.emphasis),
      unterminated: line.unterminated,
      block: line.block,
      isFirst,
    };
  });
}

export function pairs(all: Line[]): Pair[] {
  const result: Pair[] = [];
  for (let i = 0; i < all.length; ) {
    const line = all[i];
    if (!line) break;
    if (line.side === "context") {
      result.push({ before: line, after: line });
      i++;
      continue;
    }
    const removed: Line[] = [];
    const added: Line[] = [];
    for (; i < all.length; i++) {
      const next = all[i];
      if (!next || next.side === "context" || next.block !== line.block) break;
      (next.side === "removed" ? removed : added).push(next);
    }
    for (let n = 0; n < Math.max(removed.length, added.length); n++) {
      const [before, after] = [removed[n], added[n]];
      result.push({ ...(before ? { before } : {}), ...(after ? { after } : {}) });
    }
  }
  return result;
}

export interface Part {
  text: string;
  style: string;
  isEmphasized: boolean;
}

/** Coloured pieces, cut where the emphasis begins and ends. */
export function parts(pieces: Piece[], emphasis: [number, number][]): Part[] {
  const result: Part[] = [];
  let at = 0;
  for (const [text, style] of pieces) {
    const end = at + text.length;
    const cuts = [at, ...emphasis.flat().filter((cut) => cut > at && cut < end), end];
    cuts.forEach((from, index) => {
      const to = cuts[index + 1];
      if (to === undefined || to === from) return;
      const isEmphasized = emphasis.some(([start, stop]) => from >= start && to <= stop);
      result.push({ text: text.slice(from - at, to - at), style, isEmphasized });
    });
    at = end;
  }
  return result;
}
