/** What of the changes is to be committed: everything but what the user took out. */

import { signal } from "@preact/signals";
import type { Change, Selected } from "wardian";

interface Left {
  /** The change that it was taken out of: when the agent writes again, the blocks are others. */
  digest: string;
  /** None: the whole change. */
  blocks: Set<number> | null;
}

const digest = (change: Change) => `${change.kind} ${change.before?.digest ?? ""} ${change.after?.digest ?? ""}`;

export type Tick = "all" | "some" | "none";

export class Selection {
  readonly #left = signal<ReadonlyMap<string, Left>>(new Map());

  #of(change: Change): Left | undefined {
    const left = this.#left.value.get(change.path);
    return left?.digest === digest(change) ? left : undefined;
  }

  tick(change: Change): Tick {
    if (change.conflict) return "none";
    const left = this.#of(change);
    if (!left) return "all";
    return left.blocks === null ? "none" : "some";
  }

  has(change: Change, block: number): boolean {
    if (change.conflict) return false;
    const left = this.#of(change);
    return !left || (left.blocks !== null && !left.blocks.has(block));
  }

  set(changes: Change[], isIn: boolean): void {
    const next = new Map(this.#left.value);
    for (const change of changes) {
      if (isIn) next.delete(change.path);
      else next.set(change.path, { digest: digest(change), blocks: null });
    }
    this.#left.value = next;
  }

  /** `all`: the blocks that the change has. */
  toggle(change: Change, block: number, all: number[]): void {
    const left = this.#of(change);
    const out = new Set(left ? (left.blocks ?? all) : []);
    if (!out.delete(block)) out.add(block);
    const next = new Map(this.#left.value);
    if (out.size === 0) next.delete(change.path);
    else next.set(change.path, { digest: digest(change), blocks: all.every((known) => out.has(known)) ? null : out });
    this.#left.value = next;
  }

  /** As a commit takes it. `blocks` knows the blocks of a change that was looked at. */
  selected(changes: Change[], blocks: (path: string) => number[]): Selected[] {
    return changes.flatMap((change): Selected[] => {
      const tick = this.tick(change);
      if (tick === "none") return [];
      const out = this.#of(change)?.blocks;
      if (tick === "all" || !out) return [{ path: change.path }];
      return [{ path: change.path, blocks: blocks(change.path).filter((block) => !out.has(block)) }];
    });
  }
}
