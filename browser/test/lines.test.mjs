// tests/cases/agent in a page: what agents type does what it does natively, and changes what it changes there; by the shell, and
// as processes.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { files, open } from "./harness.mjs";
import { home } from "./native.mjs";

const CASES = fileURLToPath(new URL("../../tests/cases/agent", import.meta.url));

/** Where a line may differ, and why. */
const ALLOWED = JSON.parse(readFileSync(new URL("./differences.json", import.meta.url), "utf8")).lines;

const ENVIRONMENT = { LANG: "C.UTF-8", TZ: "UTC", HOME: "/tmp" };

/** Native sessions at once. */
const AT_ONCE = 2;

const cases = readFileSync(join(CASES, "lines.txt"), "utf8")
  .split("#--- ")
  .slice(1)
  .map((text) => ({ name: text.slice(0, text.indexOf("\n")), argv: ["sh", "-c", text.slice(text.indexOf("\n") + 1)] }));

// Those with `< FILE` are for who has a stdin to give.
const utilities = readFileSync(join(CASES, "utilities.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#") && !line.includes(" < "))
  .map((line) => ({ name: line, argv: line.split(" ") }));

let browser;

before(async () => {
  browser = await open();
});

after(() => browser?.close());

/** What can be told of a change on both hosts: a browser keeps no permission bits. */
const told = ({ changes }) =>
  changes
    .map(({ path, kind, from, after }) => ({
      path,
      kind,
      from: from ?? null,
      after: after ? { sha256: after.sha256 ?? after.digest, type: after.type ?? after.fileType } : null,
    }))
    .filter(({ kind }) => kind !== "mode");

async function natively({ argv }) {
  const { folder, run, remove } = home(ENVIRONMENT);
  try {
    const project = join(folder, "project");
    mkdirSync(project);
    cpSync(join(CASES, "tree"), project, { recursive: true });
    const { status, stdout } = await run("exec", "-C", project, "--", ...argv);
    const listed = await run("changes", "-C", project, "--json", "--ignored");
    // What changes nothing leaves no session.
    if (listed.stderr.includes("there is no session")) return { status, stdout, changes: [] };
    assert.equal(listed.status, 0, listed.stderr);
    return { status, stdout, changes: told(JSON.parse(listed.stdout)) };
  } finally {
    remove();
  }
}

test("lines that agents type", { timeout: 600_000 }, async (context) => {
  assert.ok(cases.length >= 200 && utilities.length >= 50, `${cases.length} cases, ${utilities.length} utilities`);
  const lines = [...cases, ...utilities];
  await browser.page.evaluate(
    async ([project, env]) => {
      const handle = await t.folder("lines", project);
      globalThis.agent = await t.createAgent({ project: { kind: "directory", handle }, env });
    },
    [files(join(CASES, "tree")), ENVIRONMENT],
  );
  const expected = new Map();
  const waiting = lines.values();
  const work = async () => {
    for (const line of waiting) expected.set(line, await natively(line));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  for (const line of lines) {
    await context.test(line.name, { skip: ALLOWED[line.name] ?? false }, async () => {
      const { changes, ...ended } = await browser.page.evaluate(async (argv) => {
        const { status, stdout } = await agent.exec(argv);
        const changes = await agent.review.changes({ ignored: true });
        // The next line finds the tree as it was.
        if (changes.changes.length > 0) await agent.review.discard({ ignored: true });
        await agent.exec(["sh", "-c", "rm -rf /tmp/* /tmp/.[!.]*"]);
        return { status, stdout: new TextDecoder().decode(stdout), changes };
      }, line.argv);
      assert.deepEqual({ ...ended, changes: told(changes) }, expected.get(line), line.argv.join(" "));
    });
  }
});
