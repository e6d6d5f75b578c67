/** Reviewing what a session changed: `wardian:workspace/review`, as the composed agent exports it. */

import {
  WardianError,
  type Change,
  type ChangeList,
  type Commit,
  type CommitOptions,
  type Entry,
  type FileDiff,
  type Hunk,
} from "./api.js";
import type { Agent } from "./agent.js";

// The contract's records have the names of `api.ts`, with numbers of 64 bits where those have plain ones.

type Raw = Record<string, unknown>;

function entry(raw: Raw | undefined): Entry | undefined {
  if (!raw) return undefined;
  const mode = raw["mode"] === undefined ? {} : { mode: raw["mode"] as number };
  return {
    fileType: raw["fileType"] as Entry["fileType"],
    size: Number(raw["size"]),
    digest: raw["digest"] as string,
    ...mode,
  };
}

function change(raw: Raw): Change {
  const [before, after] = [entry(raw["before"] as Raw | undefined), entry(raw["after"] as Raw | undefined)];
  return {
    path: raw["path"] as string,
    kind: raw["kind"] as Change["kind"],
    ...(raw["from"] === undefined ? {} : { from: raw["from"] as string }),
    ...(before ? { before } : {}),
    ...(after ? { after } : {}),
    ...(raw["conflict"] === undefined ? {} : { conflict: raw["conflict"] as NonNullable<Change["conflict"]> }),
    merged: raw["merged"] as boolean,
    ignored: raw["ignored"] as boolean,
  };
}

function commit(raw: Raw): Commit {
  return {
    number: Number(raw["number"]),
    ...(raw["undoes"] === undefined ? {} : { undoes: Number(raw["undoes"]) }),
    paths: raw["paths"] as string[],
    before: raw["before"] as string[],
    after: raw["after"] as string[],
  };
}

function fileDiff(raw: Raw): FileDiff {
  const content = raw["content"] as { tag: "text"; val: Hunk[] } | { tag: "binary"; val: Raw };
  return {
    change: change(raw["change"] as Raw),
    content:
      content.tag === "text"
        ? { kind: "text", hunks: content.val }
        : {
            kind: "binary",
            ...(content.val["before"] === undefined ? {} : { before: content.val["before"] as string }),
            ...(content.val["after"] === undefined ? {} : { after: content.val["after"] as string }),
          },
    linesAdded: Number(raw["linesAdded"]),
    linesRemoved: Number(raw["linesRemoved"]),
    linesCut: Number(raw["linesCut"]),
  };
}

const CONFLICTS: Record<NonNullable<Change["conflict"]>, string> = {
  "both-changed": "changed here and in the project, in the same place",
  "both-added": "added here and in the project, with different content",
  "deleted-in-project": "changed here, deleted in the project",
  "changed-in-project": "deleted or moved here, changed in the project",
  "in-the-way": "something else stands in its place in the project",
};

type ReviewError =
  | { tag: "nothing" | "read-only" }
  | { tag: "no-change" | "stale" | "damaged"; val: string }
  | { tag: "conflict"; val: Raw[] }
  | { tag: "changed-since"; val: string[] }
  | { tag: "io"; val: { path: string; message: string } };

/** An answer that is none, in words. */
export function reviewError(error: unknown): unknown {
  if (typeof error !== "object" || error === null || error instanceof Error || !("tag" in error)) return error;
  const told = error as ReviewError;
  switch (told.tag) {
    case "nothing":
      return new WardianError("nothing", "there is nothing to do");
    case "no-change":
      return new WardianError("no-change", `nothing was changed at ${told.val}`);
    case "conflict": {
      const changes = told.val.map(change);
      const lines = changes.map(({ path, conflict }) => `${path}: ${conflict ? CONFLICTS[conflict] : ""}`);
      return new WardianError("conflict", `nothing was committed: ${lines.join("; ")}`, { changes });
    }
    case "changed-since":
      return new WardianError(
        "changed-since",
        `the project was changed since, nothing was done: ${told.val.join(", ")}`,
        { paths: told.val },
      );
    case "stale":
      return new WardianError("stale", `${told.val} changed while it was looked at; nothing was done`);
    case "read-only":
      return new WardianError("read-only", "the project or the session cannot be written to");
    case "io":
      return new WardianError("io", told.val.path === "" ? told.val.message : `${told.val.path}: ${told.val.message}`);
    case "damaged":
      return new WardianError("damaged", told.val);
  }
}

const review = (agent: Agent, name: string, ...parameters: unknown[]): Promise<unknown> =>
  agent.call(async (exports) => {
    const method = exports["wardian:workspace/review@0.1.0"][name];
    if (!method) throw new Error(`the agent has no ${name}`);
    return method(...parameters);
  });

const DIFF_CONTEXT = 3;
const DIFF_LINES_MAX = 2000;

export async function changes(agent: Agent, options: { paths?: string[]; ignored?: boolean }): Promise<ChangeList> {
  const { paths = [], ignored = false } = options;
  const list = (await review(agent, "changes", { paths, ignored })) as Raw;
  return { changes: (list["changes"] as Raw[]).map(change), ignored: Number(list["ignored"]) };
}

export async function diff(
  agent: Agent,
  path: string,
  options: { context?: number; linesMax?: number },
): Promise<FileDiff> {
  const { context = DIFF_CONTEXT, linesMax = DIFF_LINES_MAX } = options;
  return fileDiff((await review(agent, "diff", path, context, linesMax)) as Raw);
}

export const unified = async (agent: Agent, path: string, options: { context?: number }): Promise<string> =>
  (await review(agent, "unified", path, options.context ?? DIFF_CONTEXT)) as string;

interface Plan {
  changes(): Promise<Raw[]>;
  apply(): Promise<Raw>;
}

function prepare(agent: Agent, options: CommitOptions): Promise<Plan> {
  const selection = options.selection?.map((each) =>
    typeof each === "string"
      ? { path: each, blocks: undefined }
      : { path: each.path, blocks: each.blocks && Uint32Array.from(each.blocks) },
  );
  const { ignored = false, overwrite = false } = options;
  return review(agent, "prepare", { selection, ignored, overwrite }) as Promise<Plan>;
}

export async function plan(agent: Agent, options: CommitOptions): Promise<Change[]> {
  const plan = await prepare(agent, options);
  return (await agent.call(() => plan.changes())).map(change);
}

/** What a crash left half done is finished first. */
export const recover = async (agent: Agent): Promise<Commit | undefined> => {
  const done = (await review(agent, "recover")) as Raw | undefined;
  return done && commit(done);
};

export async function apply(agent: Agent, options: CommitOptions): Promise<Commit> {
  await recover(agent);
  const plan = await prepare(agent, options);
  return commit(await agent.call(() => plan.apply()));
}

export async function discard(agent: Agent, options: { paths?: string[]; ignored?: boolean }): Promise<string[]> {
  return (await review(agent, "discard", options.paths ?? [], options.ignored ?? false)) as string[];
}

export async function undo(agent: Agent): Promise<Commit> {
  await recover(agent);
  return commit((await review(agent, "undo")) as Raw);
}

export async function history(agent: Agent, after: number): Promise<Commit[]> {
  return ((await review(agent, "history", BigInt(after))) as Raw[]).map(commit);
}
