// Programs in workers: the shell, Python, what passes between them, and limits that hold.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open } from "./harness.mjs";

let browser;
let page;

before(async () => {
  browser = await open();
  page = browser.page;
  await page.evaluate(async () => {
    const handle = await t.folder("programs", { "a.txt": "one\ntwo\nthree\n", "src/main.rs": "fn main() {}\n" });
    globalThis.agent = await t.createAgent({ project: { kind: "directory", handle } });
    const text = (bytes) => new TextDecoder().decode(bytes);
    globalThis.exec = async (argv, options) => {
      const { stdout, stderr, ...ended } = await agent.exec(argv, options);
      return { ...ended, stdout: text(stdout), stderr: text(stderr) };
    };
  });
});

after(() => browser?.close());

const sh = (script, options) => page.evaluate(([script, options]) => exec(["sh", "-c", script], options), [script, options]);

test("status, streams and files of a script", { timeout: 120_000 }, async () => {
  assert.deepEqual(await sh("echo out; echo err >&2; pwd; exit 3"), {
    status: 3,
    stdout: "out\n/workspace\n",
    stderr: "err\n",
  });
  const files = await sh("sort a.txt > b.txt; echo four >> b.txt; mkdir -p d/e; mv b.txt d/e; cat d/e/b.txt; rm a.txt; ls");
  assert.deepEqual(files, { status: 0, stdout: "one\nthree\ntwo\nfour\nd\nsrc\n", stderr: "" });
  assert.equal((await sh("cat; echo end", { stdin: "in\n" })).stdout, "in\nend\n");
  const listed = await page.evaluate(async () => (await agent.files.list("d/e")).map(({ name, size }) => [name, size]));
  assert.deepEqual(listed, [["b.txt", 19]]);
  const kept = await page.evaluate(async () => (await agent.review.changes()).changes.map(({ path, kind }) => [path, kind]));
  // What is like a file that went is that file, moved.
  assert.deepEqual(kept, [["d/e/b.txt", "renamed"]]);
});

test("processes in pipelines, with files and each other", { timeout: 120_000 }, async () => {
  const script = [
    'sh -c "echo inner; exit 4"; echo $?',
    'sh -c "echo piped" | tr a-z A-Z',
    'echo x > f; sh -c "cat; echo y" < f > g; cat g',
    'echo "import sys; print(sys.stdin.read()[::-1])" > r.py; sh -c "printf abc" | python3 r.py | sh -c cat',
  ].join("\n");
  const expected = "inner\n4\nPIPED\nx\ny\ncba\n";
  assert.deepEqual(await sh(script), { status: 0, stdout: expected, stderr: "" });
  // Of two pipes that the shell does not read itself, it waits for neither alone.
  assert.equal((await sh("seq 3 | cat | wc -c")).stdout, "6\n");
  // A reader that stops ends its writer.
  assert.equal((await sh("python3 -c 'while True: print(1)' | python3 -c 'print(input())'")).stdout, "1\n");
  const bulk = "python3 -c \"print('x' * 300000)\" | sh -c cat | python3 -c 'print(len(input()))'";
  assert.equal((await sh(bulk)).stdout, "300000\n");
});

test("a review shows what was written last, also by a program that was ended in the middle", { timeout: 120_000 }, async () => {
  const shown = await page.evaluate(async () => {
    const python = (code, limits) => exec(["python3", "-c", code], { limits });
    const line = async () => (await agent.review.unified("last.txt")).trim().split("\n").at(-1);
    const lines = [];
    await python("open('last.txt', 'w').write('one\\n')");
    lines.push(await line());
    // In place, of the same length; then by two that have it open at once.
    await python("f = open('last.txt', 'r+'); f.write('two\\n')");
    lines.push(await line());
    await python("f = open('last.txt', 'r+'); g = open('last.txt', 'r+'); f.write('six\\n'); f.close(); g.write('ten\\n'); g.close()");
    lines.push(await line());
    const ended = await python("f = open('last.txt', 'r+'); f.write('end\\n'); f.flush()\nwhile True: pass", { wall_ms_max: 2000 });
    lines.push(await line(), ended.killed);
    await python("import os; open('new', 'w').write('new\\n'); os.replace('new', 'last.txt')");
    lines.push(await line());
    await exec(["rm", "last.txt"]);
    return lines;
  });
  assert.deepEqual(shown, ["+one", "+two", "+ten", "+end", "wall_ms_max", "+new"]);
});

test("limits end a program and are named, and the page answers meanwhile", { timeout: 120_000 }, async () => {
  const run = (argv, limits) =>
    page.evaluate(
      async ([argv, limits]) => {
        let longest = 0;
        let last = performance.now();
        const timer = setInterval(() => {
          longest = Math.max(longest, performance.now() - last);
          last = performance.now();
        }, 10);
        const { status, killed, stderr } = await exec(argv, { limits });
        clearInterval(timer);
        return { status, killed, stderr, longest };
      },
      [argv, limits],
    );
  const python = (code) => ["python3", "-c", code];
  const spin = await run(python("while True: pass"), { cpu_ms_max: 500 });
  assert.deepEqual([spin.status, spin.killed], [137, "cpu_ms_max"]);
  assert.ok(spin.longest < 1000, `the page stood still for ${spin.longest} ms`);
  const bomb = await run(python("x = []\nwhile True: x.append(bytearray(1 << 20))"), { memory_bytes_max: 150 << 20 });
  // Python may cope with being refused: then it says so itself.
  const coped = bomb.status === 1 && bomb.stderr.includes("MemoryError");
  assert.ok(coped || bomb.killed === "memory_bytes_max", JSON.stringify(bomb));
  const flood = await run(python("while True: print('x' * 1000)"), { output_bytes_max: 100_000 });
  assert.deepEqual([flood.status, flood.killed], [137, "output_bytes_max"]);
  const sleep = await run(["sh", "-c", "sleep 60"], { wall_ms_max: 300 });
  assert.deepEqual([sleep.status, sleep.killed], [137, "wall_ms_max"]);
  const cancelled = await page.evaluate(async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 200);
    return (await exec(["sh", "-c", "sleep 60"], { signal: abort.signal })).killed;
  });
  assert.equal(cancelled, "killed");
  const unknown = await page.evaluate(() => exec(["nothing"]).catch((error) => `${error.kind}: ${error.message}`));
  assert.equal(unknown, "usage: there is no command nothing");
});

test("an agent's calls start programs, and what they do is journaled", { timeout: 120_000 }, async () => {
  const events = await page.evaluate(async () => {
    const turns = [
      { text: "a", calls: [{ tool: "Bash", input: { command: "echo from sh > made.txt; cat made.txt; exit 5" } }] },
      { text: "b", calls: [{ tool: "Python", input: { code: "print(6 * 7)" } }] },
      { text: "done" },
    ];
    const model = { kind: "script", scenario: JSON.stringify({ turns }) };
    const handle = await t.folder("calls", { "a.txt": "a\n" });
    const agent = await t.createAgent({ project: { kind: "directory", handle }, model, approve: "all" });
    const events = await t.run(agent, "Go.");
    await agent.close();
    return events;
  });
  const results = events.filter((event) => event.type === "tool.result");
  assert.deepEqual(results.map(({ error }) => error), [null, null]);
  assert.match(results[0].output.text, /from sh/);
  assert.equal(results[0].output.data.status, 5);
  assert.match(results[1].output.text, /42/);
  const changes = events.filter((event) => event.type === "workspace.change").map(({ path }) => path);
  assert.ok(changes.includes("made.txt"));
  const programs = events.filter((event) => event.type === "process.started").map(({ argv }) => argv[0]);
  assert.ok(programs.includes("python3"), String(programs));
  assert.equal(events.at(-1).stop, "done");
});

test("a job outlives its call, and is ended by whoever asks for it", { timeout: 120_000 }, async () => {
  const run = (turns) =>
    page.evaluate(async (turns) => {
      const model = { kind: "script", scenario: JSON.stringify({ turns: [...turns, { text: "done" }] }) };
      const handle = await t.folder("jobs", { "a.txt": "a\n" });
      const agent = await t.createAgent({ project: { kind: "directory", handle }, model, approve: "all" });
      const events = await t.run(agent, "Go.");
      await agent.close();
      return events;
    }, turns);
  const start = (command) => ({ text: "a", calls: [{ tool: "Bash", input: { command, background: true } }] });
  const look = (input) => ({ text: "b", calls: [{ tool: "Jobs", input }] });
  const results = (events) => events.filter((event) => event.type === "tool.result");

  const over = await run([start("echo begun; sleep 0.3; echo over"), look({}), look({ job: 1, wait_ms: 20_000 })]);
  assert.deepEqual(results(over).map(({ error }) => error), [null, null, null]);
  assert.match(results(over)[2].output.text, /begun\nover/);
  // Each process has a beginning and an end in the journal.
  const journaled = (type) => over.filter((event) => event.type === type).length;
  assert.ok(journaled("process.start") >= 1);
  assert.equal(journaled("process.start"), journaled("process.exit"));

  const ended = await run([start("echo begun; sleep 100"), look({ job: 1, kill: true, wait_ms: 10_000 })]);
  assert.deepEqual(results(ended).map(({ error }) => error), [null, null]);
  assert.equal(results(ended)[1].output.data.running, false);
});
