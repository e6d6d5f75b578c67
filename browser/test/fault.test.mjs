// The session's worker dies at every single write: of a commit, and of a journal. What it leaves is the old or the new, never
// something between, and the session goes on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open } from "./harness.mjs";

const FILES = 1;

let browser;

before(async () => {
  browser = await open();
});

after(() => browser?.close());

/** Does something in a page of its own: memory of dozens of ended agents is not free again at once. */
async function inPage(work, ...given) {
  const page = await browser.newPage();
  try {
    await prepare(page);
    return await page.evaluate(work, ...given);
  } finally {
    await page.close();
  }
}

const prepare = (page) =>
  page.evaluate(() => {
    const engines = [];
    globalThis.f = {
      /** An agent whose engine dies where it is told to. */
      async agent(options) {
        const name = `fault ${engines.length}`;
        const channel = new BroadcastChannel(name);
        const Plain = globalThis.Worker;
        let engine;
        globalThis.Worker = class extends Plain {
          constructor(url, options) {
            if (!String(url).endsWith("/engine.js")) return new Plain(url, options);
            super(new URL(`/fault.js?channel=${encodeURIComponent(name)}`, location.href), options);
            engine = this;
          }
        };
        let agent;
        try {
          agent = await t.createAgent(options);
        } finally {
          globalThis.Worker = Plain;
        }
        const answer = (key, message) =>
          new Promise((resolve) => {
            const hear = ({ data }) => {
              if (!(key in data)) return;
              channel.removeEventListener("message", hear);
              resolve(data[key]);
            };
            channel.addEventListener("message", hear);
            if (message) channel.postMessage(message);
          });
        engines.push(engine);
        return {
          agent,
          arm: (at, torn) => answer("armed", { arm: at, torn }),
          count: () => answer("counted", { count: true }),
          died: answer("died"),
          kill: () => engine.terminate(),
        };
      },
      /** Once the locks of what died are free. */
      async reopened(session) {
        const until = performance.now() + 20_000;
        for (;;) {
          try {
            return await t.createAgent({ project: { kind: "recorded" }, session });
          } catch (error) {
            if (error.kind !== "in-use" || performance.now() > until) throw error;
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }
      },
    };
  });

const old = (n) => `file ${n}\n`;
const fresh = (n) => `file ${n}, changed\n`;

/** A commit that dies at one write, and what is found afterwards. None: it does not die, and says how many writes it is. */
const commit = (at, torn) =>
  inPage(
    async ([at, torn, count, olds]) => {
      const handle = await t.folder(`commit-${at}-${torn}`, Object.fromEntries(olds.map((text, n) => [`f${n}.txt`, text])));
      const { agent, arm, count: counted, died, kill } = await f.agent({ project: { kind: "directory", handle } });
      const code = `n=0; while [ $n -lt ${count} ]; do echo "file $n, changed" > f$n.txt; n=$((n+1)); done; mkdir new; echo new > new/g.txt`;
      const ended = await agent.exec(["sh", "-c", code]);
      if (ended.status !== 0) throw new Error(new TextDecoder().decode(ended.stderr));
      await arm(at, torn);
      const done = agent.review.commit();
      if (at === null) {
        await done;
        const writes = await counted();
        await agent.close();
        return { writes };
      }
      done.catch(() => {});
      const what = await Promise.race([died, done.then(() => undefined, () => died)]);
      if (what === undefined) {
        await agent.close();
        return { what };
      }
      kill();
      const again = await f.reopened(agent.session);
      const names = [];
      for await (const name of handle.keys()) names.push(name);
      const contents = [];
      for (let n = 0; n < count; n++) contents.push(await t.read(handle, `f${n}.txt`));
      const added = await t.read(handle, "new/g.txt").catch(() => null);
      const { changes } = await again.review.changes();
      const history = await again.review.history();
      const events = await again.events();
      // What was not committed can be, and then it is whole.
      const left = changes.length > 0 ? (await again.review.commit()).paths.length : 0;
      const after = await t.read(handle, "new/g.txt");
      await again.close();
      const { events: verified } = await t.sessions().verify(again.session);
      const commits = events.filter((event) => event.type === "workspace.commit").length;
      return { what, names: names.sort(), contents, added, changes: changes.length, history: history.length, left, after, commits, verified, events: events.length };
    },
    [at, torn, FILES, Array.from({ length: FILES }, (_, n) => old(n))],
  );

test("a commit that dies at any write is finished or never was", { timeout: 900_000 }, async () => {
  const { writes } = await commit(null, false);
  assert.ok(writes > 10, `a commit of ${FILES + 1} files is ${writes} writes`);
  const outcomes = { old: 0, new: 0 };
  for (let at = 0; at < writes; at++) {
    let hasHalves = true;
    for (const torn of [false, true]) {
      if (torn && !hasHalves) continue;
      const found = await commit(at, torn);
      // A write more or less: the commit was over before.
      if (found.what === undefined) continue;
      hasHalves = found.what === "FileSystemSyncAccessHandle.write";
      const where = `at write ${at} of ${writes} (${found.what})${torn ? ", torn" : ""}`;
      const isNew = found.contents[0] === fresh(0);
      outcomes[isNew ? "new" : "old"] += 1;
      assert.deepEqual(found.contents, Array.from({ length: FILES }, (_, n) => (isNew ? fresh : old)(n)), where);
      assert.equal(found.added, isNew ? "new\n" : null, where);
      const names = Array.from({ length: FILES }, (_, n) => `f${n}.txt`);
      assert.deepEqual(found.names, isNew ? [...names, "new"] : names, `nothing else is left, ${where}`);
      assert.equal(found.changes, isNew ? 0 : FILES + 1, where);
      assert.deepEqual([found.history, found.commits], isNew ? [1, 1] : [0, 0], where);
      assert.equal(found.left, isNew ? 0 : FILES + 2, where);
      assert.equal(found.after, "new\n", where);
    }
  }
  console.log(`a commit of ${writes} writes: ${outcomes.old} ended as before, ${outcomes.new} finished`);
  assert.ok(outcomes.old > 0 && outcomes.new > 0, "it died before and after the moment that decides");
});

const SCENARIO = JSON.stringify({
  turns: [
    { text: "I write.", calls: [{ tool: "Write", input: { file_path: "new.txt", content: "new\n" } }] },
    { text: "I read.", calls: [{ tool: "Read", input: { file_path: "new.txt" } }] },
    { text: "done" },
  ],
});

/** What closes what a worker that died has left open. */
const CLOSING = ["model.response", "tool.result", "session.end"];

const run = (at, torn) =>
  inPage(
    async ([at, torn, scenario]) => {
      const project = { kind: "directory", handle: await t.folder(`journal-${at}-${torn}`, { "a.txt": "a\n" }) };
      const { agent, arm, count: counted, died, kill } = await f.agent({ project, model: { kind: "script", scenario } });
      await arm(at, torn);
      const done = t.run(agent, "Go.").then((events) => void events);
      if (at === null) {
        await done;
        const writes = await counted();
        const events = await agent.events();
        await agent.close();
        return { writes, types: events.map((event) => event.type) };
      }
      done.catch(() => {});
      const what = await Promise.race([died, done.then(() => undefined, () => died)]);
      if (what === undefined) {
        await agent.close();
        return { what };
      }
      kill();
      const again = await f.reopened(agent.session);
      const resumed = await again.events();
      await t.run(again, "Explore this project.");
      const events = await again.events();
      await again.close();
      const { events: verified } = await t.sessions().verify(again.session);
      const replay = (await t.sessions().replay(again.session)) ?? null;
      return { what, types: resumed.map((event) => event.type), verified, events: events.length, replay };
    },
    [at, torn, SCENARIO],
  );

test("a journal whose writer dies at any write is whole, and goes on", { timeout: 900_000 }, async () => {
  const { writes, types } = await run(null, false);
  assert.ok(writes > 10, `a run is ${writes} writes`);
  let deaths = 0;
  for (let at = 0; at < writes; at++) {
    const torn = at % 2 === 1;
    const found = await run(at, torn);
    if (found.what === undefined) continue;
    deaths += 1;
    const where = `at write ${at} of ${writes} (${found.what})${torn ? ", torn" : ""}`;
    // What was written, up to some event; what closes what was open; a new beginning.
    const told = `${where}: ${found.types.join(" ")}`;
    const start = found.types.lastIndexOf("session.start");
    const before = found.types.slice(0, start);
    const kept = before.findIndex((type, index) => type !== types[index]);
    assert.ok(start > 0 && start === found.types.length - 1, told);
    assert.ok(kept === -1 || before.slice(kept).every((type) => CLOSING.includes(type)), told);
    const count = (type) => before.filter((each) => each === type).length;
    assert.equal(count("session.end"), count("user.message"), told);
    assert.equal(count("model.response"), count("model.request"), told);
    assert.equal(found.verified, found.events, where);
    assert.equal(found.replay, null, where);
  }
  console.log(`a run of ${writes} writes, ended at ${deaths} of them`);
  assert.ok(deaths > 10);
});
