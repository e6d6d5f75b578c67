// tests/cases/workspace/escape.json in a page: ways out of the workspace, which must lead nowhere here either.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { renewed, WITH_TESTS } from "./harness.mjs";

const CASES = new URL("../../tests/cases/workspace/escape.json", import.meta.url);

/** Where answers may differ, and why. */
const ALLOWED = JSON.parse(readFileSync(new URL("./differences.json", import.meta.url), "utf8")).escape;

/** In everything that must never be seen. */
const CANARY = "CANARY";

const given = JSON.parse(readFileSync(new URL("project.json", CASES), "utf8"));
const canaries = (paths) => Object.fromEntries(paths.map((path) => [path, `${CANARY} ${path}\n`]));
const PROJECT = { ...canaries(given.hidden), ...given.files };
const OUTSIDE = canaries(given.outside);

/**
 * Links that the project has natively. A browser shows none in a folder that it lends: answers are not compared from the
 * first call on that has to do with one of them. What must never come of a call is held against all of them.
 */
const LINKS = /(^|\/)(abs|absdir|up|updir|far|chain2?|loop2?|rootlink|proc|gitlink|envlink|here|top|row\d+)(\/|$)/;

const page = renewed(14);

/** Writes out what is repeated: `{3*ab}` is `ababab`. */
const expanded = (text) => text.replace(/\{(\d+)\*([^}]*)\}/g, (_, times, unit) => unit.repeat(Number(times)));

/** The expectation, as it is where directories have no links. */
const withoutLinks = ({ ok }) => ({ ok: Array.isArray(ok) ? ok.filter((name) => !LINKS.test(name)) : ok });

/** Plays a case in a session of its own; then commits whatever it left. */
function play(name, tool, input) {
  return page().evaluate(
    async ({ name, tool, input, project, outside, assets }) => {
      const base = await t.folder(name, outside);
      const handle = await base.getDirectoryHandle("project", { create: true });
      for (const [path, content] of Object.entries(project)) await t.write(handle, path, content);
      const all = async (folder, path = "", found = {}) => {
        for await (const [name, entry] of folder) {
          if (entry.kind === "directory") await all(entry, `${path}${name}/`, found);
          else found[path + name] = await (await entry.getFile()).text();
        }
        return found;
      };
      const turns = [{ text: "a", calls: [{ tool, input }] }, { text: "done" }];
      const agent = await t.createAgent({
        project: { kind: "directory", handle },
        model: { kind: "script", scenario: JSON.stringify({ turns }) },
        // The project's settings are part of the cases, and ask.
        onAsk: () => "once",
        limits: { output_bytes_max: 64 << 20 },
        assets: new URL(assets, location.href),
      });
      const events = await t.run(agent, "Go.");
      const left = await all(base);
      const refused = await agent.review.commit({ ignored: true }).then(() => null, (error) => `${error.kind}: ${error.message}`);
      await agent.close();
      return { result: events.find(({ type }) => type === "tool.result"), left, refused, committed: await all(base) };
    },
    { name, tool, input, project: PROJECT, outside: OUTSIDE, assets: WITH_TESTS },
  );
}

const cases = JSON.parse(expanded(readFileSync(CASES, "utf8")).replaceAll("{outside}", "/outside"));

for (const [number, { name, root, steps, calls, expect }] of cases.entries()) {
  test(`escape: ${name}`, { timeout: 120_000 }, async () => {
    const asked = calls ?? steps;
    const input = calls ? { calls } : { root: root ?? "", steps };
    const { result, left, refused, committed } = await play(`escape-${number}`, calls ? "RawFiles" : "Files", input);
    assert.equal(result.error, null, JSON.stringify(result.error));
    const answers = result.output.data;
    assert.ok(!JSON.stringify(answers).includes(CANARY), `one of ${JSON.stringify(answers)} has what must not be seen`);
    assert.equal(answers.length, expect.length);
    const before = { ...OUTSIDE, ...Object.fromEntries(Object.entries(PROJECT).map(([path, text]) => [`project/${path}`, text])) };
    assert.deepEqual(left, before, "something was written before it was committed");
    for (const [path, text] of Object.entries(before)) {
      if (text.startsWith(CANARY)) assert.equal(committed[path], text, `${path}, after the commit`);
    }
    for (const [path, text] of Object.entries(committed)) {
      assert.ok(path in before || !text.includes(CANARY), `${path} has what must not be seen, after the commit`);
    }
    const isOutside = (path) => !path.startsWith("project/");
    assert.deepEqual(Object.keys(committed).filter(isOutside).sort(), Object.keys(OUTSIDE).sort());
    if (name in ALLOWED) return;
    for (const [at, expected] of expect.entries()) {
      const [call, answer] = [asked[at], answers[at]];
      if (Object.values(call).some((value) => LINKS.test(value))) break;
      const what = `${JSON.stringify(call)}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(answer)}`;
      if (expected === "*") assert.ok("error" in answer, what);
      else if (typeof expected === "string") assert.equal(answer.error, expected, what);
      else assert.deepEqual(answer, withoutLinks(expected), what);
    }
    // Natively it is committed, or refused, with everything else; here all that may be left over is links.
    if (refused !== null) assert.match(refused, /^(nothing|no-change): |: the file system here has none of these/);
  });
}
