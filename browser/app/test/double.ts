/**
 * Stands in for the package where only the interface is looked at: states that are hard to reach, and screenshots of them.
 * It is never part of what is built for use; the story in `story.test.ts` is told with the package itself.
 */

import {
  WardianError, type Agent, type AgentEvent, type AgentOptions, type Change, type Commit, type CommitOptions,
  type FileDiff, type FileInfo, type Hunk, type JournalEvent, type Lack, type Question, type SessionInfo, type Sessions,
} from "../../src/api.ts";

export * from "../../src/api.ts";

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const DIGEST = "3f2a9c71d0b84e55a6c1f7e2980d4b3c6a5e1f0029d8c7b6a5948372615f4e3d";

type Line = Omit<JournalEvent, "seq" | "ts" | "prev">;

interface Kept {
  info: SessionInfo;
  events: JournalEvent[];
  changes: Change[];
  commits: Commit[];
}

const kept = new Map<string, Kept>();
const query = new URLSearchParams(location.search);

const file = (text: string) => ({ fileType: "file" as const, size: text.length, digest: DIGEST, mode: 0o644 });

const BEFORE = `def total(prices):
    sum = 0
    for p in prices:
        sum += p
    return sum


def mean(prices):
    return total(prices) / len(prices)


def report(prices):
    print("total", total(prices))
    print("mean", mean(prices))
`;

const CHANGES: Change[] = [
  { path: "REPORT.md", kind: "added", after: file("x".repeat(812)), merged: false, ignored: false },
  { path: "shop/prices.py", kind: "modified", before: file(BEFORE), after: file(BEFORE + " "), merged: false, ignored: false },
  { path: "shop/tests/test_prices.py", kind: "added", after: file("y".repeat(320)), merged: false, ignored: false },
  { path: "shop/legacy.py", kind: "deleted", before: file("z".repeat(120)), merged: false, ignored: false },
  { path: "assets/logo.png", kind: "modified", before: file("a"), after: file("b"), merged: false, ignored: false },
  { path: "notes.txt", kind: "modified", before: file("n"), after: file("m"), conflict: "both-changed", merged: false, ignored: false },
];

function hunk(start: number, rows: [string, string, number, [number, number][]?][], heading = ""): Hunk {
  const before = rows.filter(([sign]) => sign !== "+").length;
  const after = rows.filter(([sign]) => sign !== "-").length;
  return {
    beforeStart: start, beforeLines: before, afterStart: start, afterLines: after, heading,
    lines: rows.map(([sign, text, block, emphasis]) => ({
      side: sign === "+" ? "added" : sign === "-" ? "removed" : "context",
      text, block, unterminated: false,
      emphasis: (emphasis ?? []).map(([start, end]) => ({ start, end })),
    })),
  };
}

const PRICES: Hunk[] = [
  hunk(1, [
    [" ", "def total(prices):", 0],
    ["-", "    sum = 0", 0],
    ["-", "    for p in prices:", 0],
    ["-", "        sum += p", 0],
    ["-", "    return sum", 0],
    ["+", '    """All prices together, in cents."""', 0],
    ["+", "    return sum(prices)", 0],
    [" ", "", 0],
  ]),
  hunk(7, [
    [" ", "", 1],
    [" ", "def mean(prices):", 1],
    ["-", "    return total(prices) / len(prices)", 1, [[11, 38]]],
    ["+", "    return total(prices) / len(prices) if prices else 0.0", 1, [[38, 57]]],
    [" ", "", 1],
    [" ", "", 1],
    [" ", "def report(prices):", 1],
    ["-", '    print("total", total(prices))', 2, [[4, 9]]],
    ["+", '    log.info("total", total(prices))', 2, [[4, 12]]],
    [" ", '    print("mean", mean(prices))', 1],
  ], "def mean(prices):"),
];

function diffOf(change: Change): FileDiff {
  if (change.path.endsWith(".png")) {
    return { change, content: { kind: "binary", before: "PNG image, 64 × 64, 2.1 kB", after: "PNG image, 128 × 128, 4.9 kB" }, linesAdded: 0, linesRemoved: 0, linesCut: 0 };
  }
  const sign = change.kind === "deleted" ? "-" : "+";
  const text = change.path === "REPORT.md" ? "# Project at a glance\n\n143 files, 883.3 KiB, **5 languages**.\n\n| Language | Files |\n| :-- | --: |\n| Python | 12 |" : "import unittest\n\n\nclass Prices(unittest.TestCase):\n    def test_empty(self):\n        self.assertEqual(mean([]), 0.0)";
  const hunks = change.path === "shop/prices.py" ? PRICES : [hunk(1, text.split("\n").map((line): [string, string, number] => [sign, line, 0]))];
  const lines = hunks.flatMap((hunk) => hunk.lines);
  const count = (side: string) => lines.filter((line) => line.side === side).length;
  return { change, content: { kind: "text", hunks }, linesAdded: count("added"), linesRemoved: count("removed"), linesCut: 0 };
}

class Double implements Agent {
  readonly components = [
    { name: "agent", digest: DIGEST, role: "agent" },
    { name: "tool-files", digest: DIGEST.split("").reverse().join(""), role: "tool" },
    { name: "command-sh", digest: DIGEST.replaceAll("3", "8"), role: "command" },
  ];
  readonly project;

  constructor(
    readonly session: string,
    readonly kept: Kept,
    readonly options: AgentOptions,
  ) {
    this.project = { name: kept.info.project, kind: "directory" as const, write: "granted" as const };
  }

  #line(line: Line): JournalEvent {
    const event = { seq: this.kept.events.length, ts: new Date().toISOString(), prev: DIGEST, ...line } as JournalEvent;
    this.kept.events.push(event);
    return event;
  }

  start(resumed: boolean): void {
    const limits = { wall_ms_max: 120_000, cpu_ms_max: 60_000, memory_bytes_max: 1 << 30, table_elements_max: 100_000, output_bytes_max: 1 << 20, hostcalls_max: 10_000_000 };
    this.#line({ type: "session.start", format: 1, session: this.session, wardian: "0.1.0", project: this.kept.info.project, agent: DIGEST, model: "demo", components: { "tool-files": DIGEST }, limits, settings: {}, approve: this.options.approve ?? "files", resumed } as Line);
  }

  async *run(text: string, { signal }: { signal?: AbortSignal } = {}): AsyncIterableIterator<AgentEvent> {
    this.kept.info.prompt ||= text;
    delete this.kept.info.stop;
    const line = (event: Line) => this.#line(event);
    const usage = { input_tokens: 1840, cached_tokens: 1200, output_tokens: 212 };
    yield line({ type: "user.message", text } as Line);
    yield line({ type: "model.request", call: 0, purpose: "turn", messages_sha256: DIGEST } as Line);
    await wait(60);
    const say = "I look around: the sources, the tests, and what is marked to be done.";
    for (const word of say.split(/(?<= )/)) {
      if (signal?.aborted) break;
      yield { type: "text.delta", text: word };
      await wait(4);
    }
    yield { type: "response.end", usage };
    const calls = [
      { id: "c1", tool: "Glob", input: '{"pattern":"**/*.py"}' },
      { id: "c2", tool: "Grep", input: '{"pattern":"TODO","output_mode":"content"}' },
      { id: "c3", tool: "Bash", input: '{"command":"python3 -m unittest -q 2>&1 | tail -n 20","timeout_ms":60000}' },
    ];
    yield line({ type: "model.response", call: 0, text: say, tool_calls: calls, usage, stop: "tool-calls", error: null } as Line);
    for (const { id, tool, input } of calls.slice(0, 2)) {
      yield { type: "tool.started", id, tool, summary: tool === "Glob" ? "**/*.py" : "TODO", input };
      yield line({ type: "tool.use", id, tool, component: DIGEST, input: JSON.parse(input) } as Line);
      await wait(20);
      yield line({ type: "tool.result", id, tool, output: { text: tool === "Glob" ? "shop/prices.py\nshop/legacy.py\nshop/tests/__init__.py" : "shop/legacy.py:3:# TODO remove" }, error: null, ms: 12, truncated: false } as Line);
      yield { type: "tool.finished", id, tool, ms: 12, error: null };
    }
    const bash = { id: "c3", tool: "Bash", powers: ["process:*", "files:write"], summary: "python3 -m unittest -q 2>&1 | tail -n 20", input: calls[2]?.input ?? "" };
    yield { type: "tool.started", id: "c3", tool: "Bash", summary: bash.summary, input: bash.input };
    yield line({ type: "permission.ask", ...bash } as unknown as Line);
    const answer = await this.#ask(bash, signal);
    yield line({ type: "permission.answer", id: "c3", allowed: answer !== "deny", by: "user", scope: answer === "session" ? "session" : "once" } as Line);
    if (answer === "deny") {
      yield line({ type: "tool.result", id: "c3", tool: "Bash", output: null, error: { kind: "not-permitted", message: "the user refused it" }, ms: 0, truncated: false } as Line);
    } else {
      yield line({ type: "tool.use", id: "c3", tool: "Bash", component: DIGEST, input: JSON.parse(bash.input) } as Line);
      yield { type: "process.started", process: 1, call: "c3", argv: ["sh", "-c", bash.summary], component: "command-sh" };
      yield { type: "process.started", process: 2, parent: 1, call: "c3", argv: ["python3", "-m", "unittest", "-q"], component: "python-runtime" };
      yield { type: "fetching", component: "python-runtime", done: 6_400_000, total: 8_800_000 };
      await wait(query.has("slow") ? 60_000 : 80);
      yield { type: "process.ended", process: 2, status: 1, ms: 640, memory_peak_bytes: 41_000_000 };
      yield { type: "process.ended", process: 1, status: 0, ms: 690, memory_peak_bytes: 9_000_000 };
      for (const change of CHANGES) yield line({ type: "workspace.change", path: change.path, kind: change.kind, id: "c3" } as Line);
      yield line({ type: "tool.result", id: "c3", tool: "Bash", output: { text: "F.\n======\nFAIL: test_empty\nZeroDivisionError: division by zero\n\nRan 2 tests in 0.004s\n\nFAILED (errors=1)" }, error: null, ms: 690, truncated: false } as Line);
      this.kept.changes = CHANGES.map((change) => ({ ...change }));
    }
    if (signal?.aborted) {
      this.kept.info.stop = "cancelled";
      yield line({ type: "session.end", stop: "cancelled", text: "", usage: { requests: 1, input_tokens: 1840, output_tokens: 212 }, error: null } as Line);
      return;
    }
    yield line({ type: "model.request", call: 1, purpose: "turn", messages_sha256: DIGEST } as Line);
    const end = "## What was wrong\n\n`mean` divided by **zero** for no prices. Now:\n\n```python\ndef mean(prices):\n    return total(prices) / len(prices) if prices else 0.0\n```\n\n| File | Change |\n| :-- | --: |\n| `shop/prices.py` | +4 −6 |\n| `REPORT.md` | +31 |\n\n1. `total` uses `sum`\n2. A test for the empty list\n\nSee [the docs](https://docs.python.org/3/) <img src=x onerror=alert(1)>";
    yield { type: "reasoning.delta", text: "The test divides by the number of prices, which is zero for an empty list." };
    for (const word of end.split(/(?<= )/)) {
      yield { type: "text.delta", text: word };
      await wait(1);
    }
    yield { type: "response.end", usage };
    yield line({ type: "model.response", call: 1, text: end, tool_calls: [], usage, stop: "end-turn", error: null } as Line);
    this.kept.info.stop = "done";
    yield line({ type: "session.end", stop: "done", text: end, usage: { requests: 2, input_tokens: 3680, output_tokens: 424 }, error: null } as Line);
  }

  async #ask(question: Question, signal: AbortSignal | undefined) {
    const withdrawn = new AbortController();
    signal?.addEventListener("abort", () => withdrawn.abort());
    return (await this.options.onAsk?.(question, withdrawn.signal)) ?? "deny";
  }

  async events() {
    return [...this.kept.events];
  }

  readonly review = {
    changes: async () => ({ changes: [...this.kept.changes], ignored: this.kept.changes.length ? 3 : 0 }),
    diff: async (path: string) => diffOf(this.#change(path)),
    unified: async (path: string) => `--- a/${path}\n+++ b/${path}\n`,
    content: async () => ({ before: new TextEncoder().encode("milk\neggs\nbread, the dark one\n"), after: new TextEncoder().encode("milk\neggs, six\nbread\n") }),
    plan: async () => this.kept.changes,
    commit: async (options: CommitOptions = {}) => {
      const paths = (options.selection ?? []).map((part) => (typeof part === "string" ? part : part.path));
      const inConflict = this.kept.changes.filter((change) => change.conflict && paths.includes(change.path));
      if (inConflict.length > 0 && !options.overwrite) throw new WardianError("conflict", "a change conflicts", { changes: inConflict });
      this.kept.changes = this.kept.changes.filter((change) => !paths.includes(change.path));
      const commit = { number: this.kept.commits.length + 1, paths, before: [], after: [] };
      this.kept.commits.push(commit);
      this.#line({ type: "workspace.commit", commit: commit.number, paths, before: [], after: [] } as Line);
      return commit;
    },
    discard: async (options: { paths?: string[] } = {}) => {
      const paths = options.paths ?? this.kept.changes.map((change) => change.path);
      this.kept.changes = this.kept.changes.filter((change) => !paths.includes(change.path));
      this.#line({ type: "workspace.discard", paths } as Line);
      return paths;
    },
    undo: async () => {
      const last = this.kept.commits.at(-1);
      if (!last) throw new WardianError("nothing", "there is no commit to take back");
      const undo = { number: last.number + 1, undoes: last.number, paths: last.paths, before: [], after: [] };
      this.kept.commits.push(undo);
      this.kept.changes = CHANGES.filter((change) => last.paths.includes(change.path) || this.kept.changes.some((other) => other.path === change.path));
      this.#line({ type: "workspace.undo", commit: undo.number, undoes: last.number, paths: last.paths, before: [], after: [] } as Line);
      return undo;
    },
    history: async () => this.kept.commits,
  };

  #change(path: string): Change {
    const change = this.kept.changes.find((change) => change.path === path);
    if (!change) throw new WardianError("no-change", `nothing changed at ${path}`);
    return change;
  }

  readonly files = {
    list: async (path = ""): Promise<FileInfo[]> => {
      const all = ["README.md", "notes.txt", "shop/__init__.py", "shop/prices.py", "shop/tests/test_prices.py", "assets/logo.svg"];
      const below = all.filter((file) => path === "" || file.startsWith(`${path}/`)).map((file) => file.slice(path === "" ? 0 : path.length + 1));
      const names = new Map(below.map((rest) => [rest.split("/", 1)[0] ?? rest, rest.includes("/")]));
      return [...names].map(([name, isFolder]) => ({ name, type: isFolder ? "directory" : "file", size: 1 }));
    },
    read: async (path: string) => new TextEncoder().encode(path.endsWith(".py") ? BEFORE : `# ${path}\n\nA file.\n`),
  };

  async exec() {
    return { status: 0, stdout: new Uint8Array(), stderr: new Uint8Array() };
  }
  async requestWrite() {
    return true;
  }
  async exportProject() {
    return new Blob([]);
  }
  async close() {
    this.kept.info.open = false;
  }
}

export async function createAgent(options: AgentOptions): Promise<Agent> {
  await wait(30);
  if (query.has("fail")) throw new WardianError("in-use", "another page has this session open");
  const id = options.session ?? `20261124-1${kept.size}0000-abc123`;
  const project = options.project.kind === "directory" ? options.project.handle.name : options.project.kind === "recorded" ? "shop" : (options.project.name ?? "empty");
  const known = kept.get(id) ?? { info: { id, project, model: "demo", started: new Date().toISOString(), updated: new Date().toISOString(), events: 0, prompt: "", open: true, hasProject: true }, events: [], changes: [], commits: [] };
  kept.set(id, known);
  const agent = new Double(id, known, options);
  agent.start(options.session !== undefined);
  return agent;
}

export function sessions(): Sessions {
  const get = (id: string) => {
    const found = kept.get(id);
    if (!found) throw new WardianError("io", `there is no session ${id}`);
    return found;
  };
  return {
    list: async () => [...kept.values()].map(({ info }) => info).reverse(),
    delete: async (id) => void kept.delete(id),
    export: async () => new Blob([]),
    import: async () => {
      throw new WardianError("integrity", "the archive has no journal.jsonl");
    },
    events: async (id) => [...get(id).events],
    verify: async (id) => ({ events: get(id).events.length, head: DIGEST, torn_bytes: 0 }),
    replay: async () => undefined,
  };
}

export function lacks(): Lack[] {
  if (query.has("old")) return [{ what: "jspi", required: true, message: "It cannot suspend WebAssembly (JSPI), which every file call of a component needs." }];
  return query.has("nopicker") ? [{ what: "directory", required: false, message: "This browser opens no folders in place: upload one, or a zip." }] : [];
}

for (let n = 0; n < 6; n++) {
  const prompts = ["Find why the nightly build fails and mend it", "Write a report of the open TODOs", "Translate the README to German", "Rename PriceList to Catalogue everywhere", "Add tests for the parser", "Explore this project"];
  const id = `2026112${n}-101500-00000${n}`;
  const stops = ["done", "done", "cancelled", undefined, "done", "error"];
  const stop = stops[n];
  kept.set(id, { info: { id, project: n % 2 ? "shop" : "website", model: "demo", started: "", updated: new Date(Date.now() - (6 - n) * 7_000_000).toISOString(), events: 0, prompt: prompts[n] ?? "", open: false, hasProject: n !== 2, ...(stop ? { stop } : {}) }, events: [], changes: [], commits: [] });
}
