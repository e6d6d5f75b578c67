// What the page's package costs, in headless Chromium: `cargo xtask bench browser`. Bounds are said, not enforced: machines differ.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { open } from "./harness.mjs";

const MIB = 1 << 20;

/** How many times 200 turns come before memory is looked at, and how many times it is looked at after as many, twice. */
const WARM_ROUNDS = 4;
const MEMORY_ROUNDS = 4;

const rows = [];
const row = (what, value, unit, bound) => {
  rows.push([what, value, unit, bound]);
  const shown = value.toFixed(value < 10 ? 2 : 1);
  console.log(`${what.padEnd(58)} ${shown.padStart(9)} ${unit.padEnd(4)} ${bound === undefined ? "" : `(at most ${bound.toFixed(1)})`}`);
};
const middle = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];
const FILES = { "a.txt": "hello\nTODO: x\n", "src/main.rs": "fn main() {}\n", "README.md": "# Hi\n" };

/** Resident memory of all of the browser's processes, in MiB, as Linux counts it. */
async function resident(context) {
  const session = await context.browser().newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const kib = processInfo.map(({ id }) => Number(readFileSync(`/proc/${id}/status`, "utf8").match(/VmRSS:\s+(\d+)/)?.[1] ?? 0));
  return kib.reduce((sum, each) => sum + each, 0) / 1024;
}

const browser = await open();
try {
  const { page, server } = browser;
  const begin = server.counts.bytes;
  const transferred = () => (server.counts.bytes - begin) / MIB;
  const task = (name, options) =>
    page.evaluate(
      async ([name, files, options]) => {
        const start = performance.now();
        const project = { kind: "directory", handle: await t.folder(name, files) };
        const agent = await t.createAgent({ project, onAsk: async () => "once", ...options });
        const ready = performance.now() - start;
        const events = await t.run(agent, "Explore this project.");
        await agent.close();
        const results = events.filter((event) => event.type === "tool.result");
        return { ready, failed: results.map(({ error }) => error).filter((error) => error) };
      },
      [name, FILES, options],
    );
  const calls = [
    { tool: "Glob", input: { pattern: "**/*" } },
    { tool: "Grep", input: { pattern: "TODO" } },
    { tool: "Read", input: { file_path: "a.txt" } },
    { tool: "Write", input: { file_path: "b.txt", content: "x" } },
  ];
  const scenario = JSON.stringify({ turns: [{ text: "x", calls }, { text: "done" }] });
  const first = await task("first", { model: { kind: "script", scenario } });
  row("transfer for the first task: look, search, read, write", transferred(), "MiB", 4);
  row("agent ready, nothing cached", first.ready, "ms", 1500);
  const demo = await task("demo", {});
  row("transfer for the demo too: the shell, rg, Python", transferred(), "MiB", 14);
  const failed = [...first.failed, ...demo.failed];
  if (failed.length > 0) throw new Error(`a call failed: ${failed.join("; ")}`);

  const turns = Array.from({ length: 41 }, () => ({ text: "x", calls: [{ tool: "Read", input: { file_path: "a.txt" } }] }));
  const reads = await page.evaluate(
    async ([files, scenario]) => {
      const project = await t.folder("calls", files);
      const start = performance.now();
      const agent = await t.createAgent({ project: { kind: "directory", handle: project }, model: { kind: "script", scenario } });
      const ready = performance.now() - start;
      const events = await t.run(agent, "Go.");
      await agent.close();
      return { ready, ms: events.filter((event) => event.type === "tool.result").map((event) => event.ms) };
    },
    [FILES, JSON.stringify({ turns: [...turns, { text: "done" }] })],
  );
  row("agent ready, cached", reads.ready, "ms");
  row("first tool call", reads.ms[0], "ms", 150);
  row("later tool calls, p50", middle(reads.ms.slice(1)), "ms", 25);

  const python = await page.evaluate(async (files) => {
    const project = await t.folder("python", files);
    const agent = await t.createAgent({ project: { kind: "directory", handle: project } });
    const times = [];
    for (let count = 0; count < 6; count++) {
      const start = performance.now();
      await agent.exec(["python3", "-c", "print(1)"]);
      times.push(performance.now() - start);
    }
    const shell = [];
    for (let count = 0; count < 6; count++) {
      const start = performance.now();
      await agent.exec(["sh", "-c", "echo hi | tr a-z A-Z"]);
      shell.push(performance.now() - start);
    }
    await agent.close();
    return { times, shell };
  }, FILES);
  row("transfer with coreutils, too", transferred(), "MiB");
  row("python3 -c 'print(1)', first", python.times[0], "ms");
  row("python3 -c 'print(1)', later, p50", middle(python.times.slice(1)), "ms");
  row("sh -c 'echo hi | tr a-z A-Z', first", python.shell[0], "ms");
  row("sh -c 'echo hi | tr a-z A-Z', later, p50", middle(python.shell.slice(1)), "ms");

  const model = createServer((request, response) => {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "*, authorization");
    if (request.method === "OPTIONS") return response.end();
    response.setHeader("Content-Type", "text/event-stream");
    const say = (delta, more = {}) => response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, ...more }] })}\n\n`);
    setTimeout(() => {
      say({ role: "assistant", content: "token" });
      say({}, { finish_reason: "stop" });
      response.end("data: [DONE]\n\n");
    }, 100);
  });
  await new Promise((resolve) => model.listen(0, "127.0.0.1", resolve));
  const tokens = await page.evaluate(
    async ([files, baseUrl]) => {
      const project = await t.folder("tokens", files);
      const model = { kind: "service", protocol: "chat", name: "m", baseUrl };
      const agent = await t.createAgent({ project: { kind: "directory", handle: project }, model });
      const ours = [];
      for (let count = 0; count < 6; count++) {
        const start = performance.now();
        for await (const event of agent.run("Hello?")) {
          if (event.type === "text.delta") ours.push(performance.now() - start);
        }
      }
      await agent.close();
      const plain = [];
      for (let count = 0; count < 6; count++) {
        const start = performance.now();
        const response = await fetch(`${baseUrl}/chat/completions`, { method: "POST", body: "{}" });
        await response.body.getReader().read();
        plain.push(performance.now() - start);
      }
      return { ours, plain };
    },
    [FILES, `http://127.0.0.1:${model.address().port}/v1`],
  );
  model.close();
  const plain = middle(tokens.plain);
  row("first token of a model, p50", middle(tokens.ours.slice(1)), "ms", plain * 1.1 + 20);
  row("first token of a plain fetch, p50", plain, "ms");

  const round = [...Array.from({ length: 200 }, () => ({ text: "x".repeat(100), calls: [{ tool: "Read", input: { file_path: "a.txt" } }] })), { text: "done" }];
  await page.evaluate(
    async ([files, scenario]) => {
      const project = await t.folder("long", files);
      const model = { kind: "script", scenario };
      globalThis.long = await t.createAgent({ project: { kind: "directory", handle: project }, model, budget: { steps_max: 1000 } });
    },
    [FILES, JSON.stringify({ turns: Array.from({ length: WARM_ROUNDS + 2 * MEMORY_ROUNDS }, () => round).flat() })],
  );
  const turn200 = () =>
    page.evaluate(async () => {
      const times = [];
      let asked = 0;
      for await (const event of long.run("Go.")) {
        if (event.type === "model.request") asked = performance.now();
        if (event.type === "model.response") times.push(performance.now() - asked);
      }
      return times;
    });
  const long = await turn200();
  row("a scripted answer with two lines of journal, p50", middle(long), "ms", 10);
  // The first ones fill what is kept; from then on nothing may come to stay. What is waiting to be collected goes up and down,
  // so the lowest of some rounds is held against the lowest of as many before.
  for (let count = 1; count < WARM_ROUNDS; count++) await turn200();
  const lowest = async () => {
    const after = [];
    for (let count = 0; count < MEMORY_ROUNDS; count++) {
      await turn200();
      after.push(await resident(browser.context));
    }
    return Math.min(...after);
  };
  if (process.platform === "linux") {
    const before = await lowest();
    row("memory that 200 turns more leave behind", ((await lowest()) - before) / MEMORY_ROUNDS, "MiB", 4);
  }
  await page.evaluate(() => globalThis.long.close());

  const review = await page.evaluate(async () => {
    const handle = await t.folder("review", { "a.txt": "a\n" });
    const code = "for i in range(1000): open(f'f{i}.txt', 'w').write(f'{i}\\n')";
    const scenario = JSON.stringify({ turns: [{ text: "x", calls: [{ tool: "Python", input: { code } }] }, { text: "done" }] });
    const project = { kind: "directory", handle };
    const agent = await t.createAgent({ project, model: { kind: "script", scenario }, approve: "all" });
    await t.run(agent, "Go.");
    const times = [];
    for (let count = 0; count < 5; count++) {
      const start = performance.now();
      const { changes } = await agent.review.changes();
      times.push(performance.now() - start);
      if (changes.length !== 1000) throw new Error(`${changes.length} changes`);
    }
    await agent.close();
    const start = performance.now();
    const again = await t.createAgent({ project: { kind: "recorded" }, session: agent.session, model: { kind: "script", scenario } });
    await again.review.changes();
    const reopened = performance.now() - start;
    await again.close();
    return { times, reopened };
  });
  row("listing 1,000 changes after a run", review.times[0], "ms", 300);
  // A call for each file, as it was before wardian:host/small-files, took 150 to 320.
  row("listing them again, p50", middle(review.times.slice(1)), "ms", 120);
  row("opening the session anew, and listing them", review.reopened, "ms");
  const over = rows.filter(([, value, , bound]) => bound !== undefined && value > bound);
  console.log(over.length === 0 ? "all within their bounds" : `beyond their bounds: ${over.map(([what]) => what).join("; ")}`);
} finally {
  await browser.close();
}
