import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change, DiffLine, Hunk } from "wardian";
import { lines, pairs, parts, spans } from "../src/diff.ts";
import { bytes, duration } from "../src/format.ts";
import { webAddress } from "../src/markdown.tsx";
import { Selection } from "../src/selection.ts";
import { summarize, Transcript } from "../src/transcript.ts";
import { rows, tree } from "../src/tree.ts";
import type { AgentEvent } from "wardian";

const line = (side: DiffLine["side"], text: string, block: number): DiffLine => ({ side, text, block, emphasis: [], unterminated: false });

function hunk(all: DiffLine[]): Hunk {
  return { beforeStart: 4, beforeLines: 0, afterStart: 6, afterLines: 0, heading: "", lines: all };
}

test("emphasis is counted in bytes and drawn in characters", () => {
  assert.deepEqual(spans("abc", [{ start: 1, end: 2 }]), [[1, 2]]);
  // ü has two bytes, 世 three, 🌍 four, which are two units of a string.
  assert.deepEqual(spans("ü世🌍x", [{ start: 2, end: 5 }, { start: 5, end: 9 }, { start: 9, end: 10 }]), [[1, 2], [2, 4], [4, 5]]);
  // What begins in the middle of a character is no range of the text.
  assert.deepEqual(spans("ü", [{ start: 1, end: 2 }]), []);
});

test("lines are numbered on both sides and blocks are chosen where they begin", () => {
  const seen = new Set<number>();
  const all = lines(hunk([line("context", "a", 0), line("removed", "b", 0), line("added", "c", 0), line("added", "d", 0), line("context", "e", 1)]), seen);
  assert.deepEqual(all.map(({ before, after, isFirst }) => [before, after, isFirst]), [
    [4, 6, false], [5, undefined, true], [undefined, 7, false], [undefined, 8, false], [6, 9, false],
  ]);
});

test("a side-by-side view has beside each other what replaced what", () => {
  const all = lines(hunk([line("removed", "1", 0), line("added", "2", 0), line("added", "3", 0), line("context", "=", 1), line("removed", "4", 1)]), new Set());
  assert.deepEqual(pairs(all).map(({ before, after }) => [before?.text, after?.text]), [["1", "2"], [undefined, "3"], ["=", "="], ["4", undefined]]);
});

test("coloured pieces are cut where the emphasis begins and ends", () => {
  assert.deepEqual(parts([["let x", "k"], [" = 1", ""]], [[4, 7]]), [
    { text: "let ", style: "k", isEmphasized: false },
    { text: "x", style: "k", isEmphasized: true },
    { text: " =", style: "", isEmphasized: true },
    { text: " 1", style: "", isEmphasized: false },
  ]);
});

test("folders with one folder in them are one row, and closed ones hide what is in them", () => {
  const nodes = tree(["src/a/b/x.ts", "src/a/b/y.ts", "z.md", "A.md"].map((path) => ({ path })));
  const names = (isClosed: (path: string) => boolean) => rows(nodes, isClosed).map(({ node, depth }) => `${depth} ${node.name}`);
  assert.deepEqual(names(() => false), ["0 src/a/b", "1 x.ts", "1 y.ts", "0 A.md", "0 z.md"]);
  assert.deepEqual(names(() => true), ["0 src/a/b", "0 A.md", "0 z.md"]);
  // Each row knows its place, which a screen reader says.
  assert.deepEqual(rows(nodes, () => true).map(({ position, size }) => [position, size]), [[1, 3], [2, 3], [3, 3]]);
});

test("a thousand changes become rows within a second", () => {
  const changes = Array.from({ length: 1000 }, (_, n) => ({ path: `packages/p${n % 40}/src/deep/er/file${n}.ts` }));
  const start = performance.now();
  assert.equal(rows(tree(changes), () => false).length, 1000 + 40 + 1);
  assert.ok(performance.now() - start < 1000);
});

const change = (path: string, extra: Partial<Change> = {}): Change => ({
  path, kind: "modified", merged: false, ignored: false,
  after: { fileType: "file", size: 1, digest: "a" }, ...extra,
});

test("everything is committed but conflicts and what was taken out", () => {
  const selection = new Selection();
  const all = [change("a"), change("b", { conflict: "both-changed" }), change("c")];
  assert.deepEqual(selection.selected(all, () => []), [{ path: "a" }, { path: "c" }]);
  selection.toggle(change("a"), 1, [0, 1, 2]);
  assert.equal(selection.tick(change("a")), "some");
  assert.deepEqual(selection.selected(all, () => [0, 1, 2]), [{ path: "a", blocks: [0, 2] }, { path: "c" }]);
  selection.toggle(change("a"), 0, [0, 1, 2]);
  selection.toggle(change("a"), 2, [0, 1, 2]);
  assert.equal(selection.tick(change("a")), "none");
  // From nothing, one block comes back alone.
  selection.toggle(change("a"), 2, [0, 1, 2]);
  assert.deepEqual(selection.selected(all, () => [0, 1, 2])[0], { path: "a", blocks: [2] });
});

test("when the agent writes a file again, its blocks are others and all of it is in", () => {
  const selection = new Selection();
  selection.toggle(change("a"), 0, [0, 1]);
  const again = change("a", { after: { fileType: "file", size: 2, digest: "b" } });
  assert.equal(selection.tick(again), "all");
});

test("only web addresses are links", () => {
  assert.equal(webAddress("https://a.example/x"), "https://a.example/x");
  assert.equal(webAddress("mailto:a@b.example"), "mailto:a@b.example");
  for (const wrong of ["javascript:alert(1)", "data:text/html,x", "/relative", "file:///etc/passwd", "JaVaScRiPt:x", ""]) {
    assert.equal(webAddress(wrong), undefined, wrong);
  }
});

test("numbers are short", () => {
  assert.deepEqual([bytes(999), bytes(1500), bytes(41_000_000)], ["999 B", "1.5 kB", "41 MB"]);
  assert.deepEqual([duration(12), duration(1500), duration(61_000)], ["12 ms", "1.5 s", "1 min 1 s"]);
});

test("a call that nobody described is named by its input", () => {
  assert.equal(summarize('{"command":"ls -l\\necho x"}'), "ls -l");
  assert.equal(summarize('{"argv":["rg","TODO"]}'), "rg TODO");
  assert.equal(summarize("{}"), "");
  assert.equal(summarize("not json"), "not json");
});

// A frame is where streamed text is shown; nothing else of a browser is needed here.
const frames: (() => void)[] = [];
Object.assign(globalThis, {
  requestAnimationFrame: (draw: () => void) => frames.push(draw),
  cancelAnimationFrame: () => frames.splice(0),
});

const usage = { input_tokens: 10, cached_tokens: 4, output_tokens: 3 };
const journal = (seq: number, rest: object) => ({ seq, ts: "2026-11-24T10:00:00.000Z", prev: "0", ...rest }) as AgentEvent;

const EVENTS: AgentEvent[] = [
  journal(0, { type: "user.message", text: "hi" }),
  journal(1, { type: "model.request", call: 0, purpose: "turn", messages_sha256: "" }),
  { type: "text.delta", text: "Hel" },
  { type: "text.delta", text: "lo" },
  { type: "response.end", usage },
  journal(2, { type: "model.response", call: 0, text: "Hello", tool_calls: [{ id: "c", tool: "Bash", input: '{"command":"ls"}' }], usage, stop: "tool-calls", error: null }),
  { type: "tool.started", id: "c", tool: "Bash", summary: "ls", input: '{"command":"ls"}' },
  journal(3, { type: "permission.ask", id: "c", tool: "Bash", powers: ["process:*"], summary: "ls" }),
  journal(4, { type: "permission.answer", id: "c", allowed: true, by: "user", scope: "session" }),
  journal(5, { type: "tool.use", id: "c", tool: "Bash", component: "ab", input: { command: "ls" } }),
  { type: "process.started", process: 1, call: "c", argv: ["sh"], component: "ab" },
  { type: "process.ended", process: 1, status: 2, ms: 5, memory_peak_bytes: 9 },
  journal(6, { type: "tool.result", id: "c", tool: "Bash", output: { text: "x" }, error: null, ms: 7, truncated: false }),
  { type: "tool.finished", id: "c", tool: "Bash", ms: 7, error: null },
  journal(7, { type: "model.request", call: 1, purpose: "turn", messages_sha256: "" }),
  journal(8, { type: "model.response", call: 1, text: "Done", tool_calls: [], usage, stop: "end-turn", error: null }),
  journal(9, { type: "session.end", stop: "done", text: "Done", usage: { requests: 2, input_tokens: 20, output_tokens: 6 }, error: null }),
];

function seen(transcript: Transcript): unknown[] {
  return transcript.entries.value.map((entry) => {
    if (entry.kind === "answer") return [entry.kind, entry.text.value, entry.streaming.value];
    if (entry.kind === "call") return [entry.call.tool, entry.call.state.value, entry.call.summary.value, entry.call.output.value?.text, entry.call.permission.value];
    return [entry.kind, entry.text];
  });
}

const EXPECTED = [
  ["user", "hi"],
  ["answer", "Hello", false],
  ["Bash", "done", "ls", "x", "allowed by you, for the session"],
  ["answer", "Done", false],
];

test("what is streamed and what is in the journal is shown once", () => {
  const transcript = new Transcript();
  for (const event of EVENTS) transcript.apply(event);
  assert.deepEqual(seen(transcript), EXPECTED);
  assert.deepEqual([transcript.stop.value, transcript.lines.value, transcript.usage.value], ["done", 10, { input: 20, cached: 8, output: 6 }]);
});

test("from the journal alone a session looks the same", () => {
  const transcript = new Transcript();
  transcript.applyAll(EVENTS.filter((event) => "seq" in event));
  assert.deepEqual(seen(transcript), EXPECTED);
});

test("what was cut off says so, and its calls are no longer running", () => {
  const transcript = new Transcript();
  transcript.applyAll(EVENTS.slice(0, 10).filter((event) => "seq" in event));
  assert.equal(transcript.stop.value, undefined);
  transcript.apply(journal(6, { type: "session.end", stop: "error", text: "", usage: { requests: 1, input_tokens: 1, output_tokens: 1 }, error: { kind: "interrupted", message: "x" } }));
  assert.deepEqual(seen(transcript).at(-1), ["notice", "The run was cut off: the page was closed or reloaded in the middle of it"]);
  assert.equal((seen(transcript)[2] as string[])[1], "failed");
});

test("a type of a later format is passed over", () => {
  const transcript = new Transcript();
  transcript.apply(journal(0, { type: "of.tomorrow", text: "x" }));
  assert.deepEqual(seen(transcript), []);
});
