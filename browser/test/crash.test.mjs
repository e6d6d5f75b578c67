// Pages that die in the middle: what they leave is the old or the new, never something between.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open } from "./harness.mjs";

/** When the page dies, in parts of the time that a whole commit takes on this machine. */
const MOMENTS = [0.2, 0.4, 0.55, 0.7, 0.85, 2];

const COUNT = 12;

let browser;

before(async () => {
  browser = await open();
});

after(() => browser?.close());

const old = (n) => `file ${n}\n`.repeat(50);
const fresh = (n) => `file ${n}, changed\n`.repeat(50);

async function reopened(page, session) {
  return page.evaluate(async (session) => {
    const until = performance.now() + 20_000;
    for (;;) {
      try {
        globalThis.agent = await t.createAgent({ project: { kind: "recorded" }, session });
        return;
      } catch (error) {
        if (error.kind !== "in-use" || performance.now() > until) throw error;
      }
    }
  }, session);
}

test("a commit that dies is finished or never was", { timeout: 240_000 }, async () => {
  const contents = Array.from({ length: COUNT }, (_, n) => [`f${n}.txt`, old(n)]);
  const outcomes = new Set();
  let whole = 0;
  for (const [index, part] of [undefined, ...MOMENTS].entries()) {
    const first = await browser.newPage();
    const name = `crash-${index}`;
    const session = await first.evaluate(
      async ([files, count, name]) => {
        const handle = await t.folder(name, files);
        globalThis.agent = await t.createAgent({ project: { kind: "directory", handle } });
        const code = `for n in range(${count}): open(f'f{n}.txt', 'w').write(f'file {n}, changed\\n' * 50)`;
        const ended = await agent.exec(["python3", "-c", code]);
        if (ended.status !== 0) throw new Error(new TextDecoder().decode(ended.stderr));
        return agent.session;
      },
      [Object.fromEntries(contents), COUNT, name],
    );
    if (part === undefined) {
      whole = await first.evaluate(async () => {
        const start = performance.now();
        await agent.review.commit();
        return performance.now() - start;
      });
      await first.close();
      continue;
    }
    const moment = Math.round(whole * part);
    await first.evaluate(() => void agent.review.commit());
    await new Promise((resolve) => setTimeout(resolve, moment));
    await first.close();

    const second = await browser.newPage();
    await reopened(second, session);
    const found = await second.evaluate(
      async ([count, name]) => {
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(name);
        const names = [];
        for await (const name of folder.keys()) names.push(name);
        const contents = [];
        for (let n = 0; n < count; n++) contents.push(await t.read(folder, `f${n}.txt`));
        const { changes } = await agent.review.changes();
        const history = await agent.review.history();
        const events = await agent.events();
        await agent.close();
        const { events: verified } = await t.sessions().verify(agent.session);
        return { names: names.sort(), contents, changes: changes.length, commits: history.length, events, verified };
      },
      [COUNT, name],
    );
    const isNew = found.contents[0] === fresh(0);
    found.contents.forEach((content, n) => assert.equal(content, (isNew ? fresh : old)(n), `f${n}.txt after ${moment} ms`));
    assert.deepEqual(found.names, contents.map(([name]) => name).sort(), `nothing else is left, after ${moment} ms`);
    assert.equal(found.changes, isNew ? 0 : COUNT);
    assert.equal(found.commits, isNew ? 1 : 0);
    assert.equal(found.events.filter((event) => event.type === "workspace.commit").length, isNew ? 1 : 0);
    assert.equal(found.verified, found.events.length);
    outcomes.add(isNew);
    await second.close();
  }
  assert.ok(outcomes.has(true), "no commit came to its end: the moments are too early for this machine");
});
