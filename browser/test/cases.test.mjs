// tests/cases/session in a page: the same folders as natively, and the journals of both, event by event.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { files, renewed } from "./harness.mjs";
import { home } from "./native.mjs";

const CASES = fileURLToPath(new URL("../../tests/cases/session", import.meta.url));

/** Where a page's journal may differ, and why. */
const ALLOWED = JSON.parse(readFileSync(new URL("./differences.json", import.meta.url), "utf8"));

const page = renewed(8);

/** Flags of `wardian run` that a case may have, as the package's options. */
const FLAGS = { "--max-steps": "steps_max", "--max-tokens": "tokens_max", "--max-seconds": "seconds_max" };

function options(testCase) {
  const budget = {};
  for (let at = 0; at < (testCase.args ?? []).length; at += 2) {
    const name = FLAGS[testCase.args[at]];
    assert.ok(name, `the page has no ${testCase.args[at]}`);
    budget[name] = Number(testCase.args[at + 1]);
  }
  return { approve: testCase.approve ?? "reads", budget };
}

async function natively(testCase, folder, project) {
  const { folder: base, run, must, remove } = home();
  try {
    const into = join(base, "project");
    mkdirSync(into);
    for (const [path, content] of Object.entries(project)) {
      mkdirSync(join(into, path, ".."), { recursive: true });
      writeFileSync(join(into, path), content);
    }
    const scenario = `script:${join(folder, "scenario.json")}`;
    const approve = testCase.approve ?? "reads";
    const { stderr } = await run(
      ...["run", "-C", into, "-m", scenario, "--approve", approve, ...(testCase.args ?? []), testCase.prompt ?? "Go."],
    );
    const journal = await must("log", "--json").catch((error) => {
      throw new Error(`${error.message}\n${stderr}`);
    });
    return journal.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  } finally {
    remove();
  }
}

function inPage(testCase, name, folder, project) {
  const scenario = readFileSync(join(folder, "scenario.json"), "utf8");
  return page().evaluate(
    async ({ name, scenario, project, prompt, ...options }) => {
      const handle = await t.folder(`case-${name}`, project);
      const model = { kind: "script", scenario };
      const agent = await t.createAgent({ project: { kind: "directory", handle }, model, ...options });
      await t.run(agent, prompt);
      const events = await agent.events();
      await agent.close();
      return { events, replay: (await t.sessions().replay(agent.session)) ?? null };
    },
    { name, scenario, project, prompt: testCase.prompt ?? "Go.", ...options(testCase) },
  );
}

/** Times, digests of times, ids and names of the machine say nothing; all else must be the same. */
const MASKED = new Set(["seq", "ts", "prev", "ms", "messages_sha256", "session", "project", "model"]);

function masked(event) {
  const plain = (value, key) => {
    if (MASKED.has(key)) return "…";
    if (Array.isArray(value)) return value.map((each) => plain(each));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each, key)]));
  };
  const same = plain(event);
  for (const { type, field } of ALLOWED.fields) {
    if (type !== undefined && type !== event.type) continue;
    const names = field.split(".");
    let at = same;
    for (const name of names.slice(0, -1)) at = at?.[name];
    if (at && typeof at === "object" && names.at(-1) in at) at[names.at(-1)] = "…";
  }
  return same;
}

/** Calls of one answer run at once: which of their events comes first is chance. */
function ordered(events) {
  const place = new Map();
  for (const event of events) {
    for (const call of event.type === "model.response" ? event.tool_calls : []) place.set(call.id, place.size);
  }
  const groups = [];
  for (const event of events) {
    const isCall = event.id !== undefined && place.has(event.id);
    const last = groups.at(-1);
    if (last && last.isCall && isCall) last.events.push(event);
    else groups.push({ isCall, events: [event] });
  }
  return groups.flatMap(({ isCall, events }) =>
    isCall ? events.sort((one, other) => place.get(one.id) - place.get(other.id)) : events,
  );
}

for (const name of readdirSync(CASES).sort()) {
  const skip = ALLOWED.cases[name];
  test(`case ${name}`, { timeout: 400_000, ...(skip ? { skip } : {}) }, async () => {
    const folder = join(CASES, name);
    const testCase = JSON.parse(readFileSync(join(folder, "case.json"), "utf8"));
    const project = files(join(folder, "project"));
    const [native, played] = await Promise.all([natively(testCase, folder, project), inPage(testCase, name, folder, project)]);
    assert.ok(native.length > 1);
    const [expected, actual] = [ordered(native).map(masked), ordered(played.events).map(masked)];
    for (let at = 0; at < Math.max(expected.length, actual.length); at++) assert.deepEqual(actual[at], expected[at], `event ${at}`);
    assert.equal(played.replay, null);
  });
}
