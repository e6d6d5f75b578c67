// The agent in a page, from a folder to a commit, and its session in the hands of the native host.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { strFromU8, unzipSync, zipSync } from "fflate";
import { open } from "./harness.mjs";
import { home } from "./native.mjs";

const FILES = { "a.txt": "hello\nTODO: x\n", "src/main.rs": "fn main() {}\n", "README.md": "# Hi\n" };

let browser;
let page;

before(async () => {
  browser = await open();
  page = browser.page;
});

after(() => browser?.close());

test("the demo runs to its end, is reviewed, committed and taken back", { timeout: 120_000 }, async () => {
  const result = await page.evaluate(async (files) => {
    const project = await t.folder("story", files);
    const agent = await t.createAgent({ project: { kind: "directory", handle: project }, onAsk: async () => "once" });
    const events = await t.run(agent, "Explore this project.");
    const { changes } = await agent.review.changes();
    const diff = await agent.review.diff("REPORT.md");
    const content = await agent.review.content("REPORT.md");
    const listed = (await agent.files.list()).map((file) => file.name);
    const untouched = await t.read(project, "REPORT.md").catch((error) => error.name);
    const commit = await agent.review.commit();
    const committed = await t.read(project, "REPORT.md");
    const nothing = await agent.review.commit().catch((error) => error.kind);
    const undone = await agent.review.undo();
    const gone = await t.read(project, "REPORT.md").catch((error) => error.name);
    const again = await agent.review.changes();
    const journal = await agent.events();
    const { components } = agent;
    await agent.close();
    const replay = await t.sessions().replay(agent.session);
    const report = await t.sessions().verify(agent.session);
    const after = new TextDecoder().decode(content.after);
    return {
      ...{ events, changes, diff, before: content.before, after, listed, untouched, commit, committed, nothing },
      ...{ undone, gone, again, journal, components, replay: replay ?? null, report },
    };
  }, { ...FILES, "copy.txt": FILES["a.txt"] });
  const types = result.events.map((event) => event.type);
  assert.equal(types.at(-1), "session.end");
  assert.equal(result.events.at(-1).stop, "done");
  assert.ok(types.includes("text.delta") && types.includes("tool.started"));
  const text = result.events.filter((event) => event.type === "text.delta").map((event) => event.text);
  const said = result.events.filter((event) => event.type === "model.response").map((event) => event.text);
  assert.equal(text.join(""), said.join(""));
  const failed = result.events.filter((event) => event.type === "tool.result" && event.error);
  assert.deepEqual(failed, []);
  // The shell's pipelines, with Python in them.
  assert.match(result.after, /6 lines of text\. The longest file is `a\.txt`, 2 lines\./);
  assert.match(result.after, /1 file is a copy of another, 14 B\.\n\n- `a\.txt`, `copy\.txt`/);
  const started = result.events.filter((event) => event.type === "process.start").map((event) => event.argv[0]);
  assert.deepEqual(started.toSorted(), ["python3", "rg", "rg", "sh", "sh"]);

  assert.deepEqual(result.changes.map(({ path, kind }) => [path, kind]), [["REPORT.md", "added"]]);
  assert.equal(result.diff.linesAdded, result.after.split("\n").length - 1);
  assert.equal(result.before, undefined);
  assert.deepEqual(result.listed, ["README.md", "REPORT.md", "a.txt", "copy.txt", "src"]);
  assert.equal(result.untouched, "NotFoundError");
  assert.equal(result.committed, result.after);
  assert.deepEqual(result.commit.after, [createHash("sha256").update(result.committed).digest("hex")]);
  assert.equal(result.nothing, "nothing");
  assert.equal(result.undone.undoes, 1);
  assert.equal(result.gone, "NotFoundError");
  assert.equal(result.again.changes.length, 1);
  assert.deepEqual(
    result.journal.map((event) => event.seq),
    result.journal.map((_, index) => index),
  );
  assert.equal(result.replay, null);
  assert.equal(result.report.events, result.journal.length);
});

test("a page runs the bytes that the native host runs", { timeout: 400_000 }, async () => {
  const components = await page.evaluate(async (files) => {
    const project = await t.folder("digests", files);
    const agent = await t.createAgent({ project: { kind: "directory", handle: project } });
    const { components } = agent;
    await agent.close();
    return components;
  }, FILES);
  const { must, remove } = home();
  try {
    for (const { name, digest, role } of components) {
      // The program has a name for each of these.
      if (role === "netfetch") continue;
      const known = name === "agent-provider-script" ? "agent" : name;
      assert.equal(JSON.parse(await must("inspect", "--json", known)).digest, digest, name);
    }
    assert.ok(components.length >= 6);
  } finally {
    remove();
  }
});

test("a session of a page is the native host's, and the other way round", { timeout: 400_000 }, async () => {
  const exported = await page.evaluate(
    async (files) => {
      const project = await t.folder("exported", files);
      const agent = await t.createAgent({ project: { kind: "directory", handle: project } });
      await t.run(agent, "Explore this project.");
      await agent.close();
      return t.base64(await t.sessions().export(agent.session));
    },
    FILES,
  );
  const { folder, state, must, remove } = home();
  try {
    const files = unzipSync(Buffer.from(exported, "base64"));
    for (const [path, bytes] of Object.entries(files)) {
      mkdirSync(join(state, "sessions", path, ".."), { recursive: true });
      writeFileSync(join(state, "sessions", path), bytes);
    }
    const journal = Object.keys(files).find((path) => path.endsWith("/journal.jsonl"));
    const id = journal.split("/")[0];
    assert.match(await must("log", id, "--verify"), /\d+ events/);
    await must("replay", id);
    assert.equal(await must("log", id, "--json"), strFromU8(files[journal]));

    const project = join(folder, "project");
    for (const [path, content] of Object.entries(FILES)) {
      mkdirSync(join(project, path, ".."), { recursive: true });
      writeFileSync(join(project, path), content);
    }
    await must("run", "-m", "demo", "--approve", "all", "-C", project);
    const [{ session }] = JSON.parse(await must("sessions", "--json"));
    const zipped = {};
    const add = (path) => (zipped[`${session}/${path}`] = readFileSync(join(state, "sessions", session, path)));
    ["journal.jsonl", "head.json", "upper/log"].forEach(add);
    const zip = Buffer.from(zipSync(zipped)).toString("base64");
    const taken = await page.evaluate(async (base64) => {
      const zip = new Blob([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))]);
      const id = await t.sessions().import(zip);
      const events = await t.sessions().events(id);
      const twice = await t.sessions().import(zip).catch((error) => error.kind);
      const { events: verified } = await t.sessions().verify(id);
      return { id, count: events.length, verified, replay: (await t.sessions().replay(id)) ?? null, twice };
    }, zip);
    const lines = (await must("log", session, "--json")).split("\n").length - 1;
    assert.deepEqual(taken, { id: session, count: lines, verified: lines, replay: null, twice: "usage" });
  } finally {
    remove();
  }
});

test("a session goes on after its page was closed, and is one page's at a time", { timeout: 120_000 }, async () => {
  const first = await browser.newPage();
  const session = await first.evaluate(async (files) => {
    const project = await t.folder("resumed", files);
    globalThis.agent = await t.createAgent({ project: { kind: "directory", handle: project } });
    // It is left in the middle of its run.
    void (async () => {
      for await (const event of agent.run("Explore this project.")) if (event.type === "tool.use") globalThis.used = true;
    })();
    while (!globalThis.used) await new Promise((resolve) => setTimeout(resolve, 1));
    return agent.session;
  }, FILES);
  const inUse = await page.evaluate(
    (session) => t.createAgent({ project: { kind: "recorded" }, session }).catch((error) => error.kind),
    session,
  );
  assert.equal(inUse, "in-use");
  await first.close();
  const resumed = await page.evaluate(async (session) => {
    const until = performance.now() + 10_000;
    let agent;
    while (!agent && performance.now() < until) {
      agent = await t.createAgent({ project: { kind: "recorded" }, session }).catch((error) => {
        if (error.kind !== "in-use") throw error;
      });
    }
    const before = await agent.events();
    const events = await t.run(agent, "Explore this project.");
    const { changes } = await agent.review.changes();
    await agent.close();
    const { events: verified } = await t.sessions().verify(session);
    return { before, end: events.at(-1), changes, verified };
  }, session);
  const ends = resumed.before.filter((event) => event.type === "session.end");
  assert.equal(ends.at(-1).error.kind, "interrupted");
  assert.equal(resumed.before.at(-1).resumed, true);
  assert.equal(resumed.end.stop, "done");
  assert.equal(resumed.changes.length, 1);
});

test("what a page may not do is named", { timeout: 60_000 }, async () => {
  const said = await page.evaluate(async (files) => {
    const project = { kind: "directory", handle: await t.folder("wrong", files) };
    const refused = (options) => t.createAgent({ project, ...options }).then(
      () => "opened",
      (error) => `${error.name} ${error.kind}: ${error.message}`,
    );
    return [
      await refused({ session: "nothing-of-the-kind" }),
      await refused({ approve: "sometimes" }),
      await refused({ limits: { wall_ms_max: -1 } }),
      await refused({ limits: { walls: 1 } }),
      await refused({ assets: "/nowhere/" }),
      await refused({ project: { kind: "zip", blob: new Blob(["no zip"]) } }),
    ];
  }, FILES);
  const expected = [/^WardianError usage: there is no session/, /usage: approve/, /usage: limits.wall_ms_max/];
  expected.push(/usage: there is no limit walls/, /host: cannot start .*\/nowhere\/engine.js: are/, /integrity: /);
  expected.forEach((pattern, index) => assert.match(said[index], pattern));
});
