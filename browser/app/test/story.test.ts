// The whole story on the built page: the package, its components and `wardian serve`, against a strict model server.
//
// No picker can be clicked in a test: a folder of the browser's own file system stands in for the one that the user would
// choose. Its handle is of the same kind.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Page } from "playwright-core";
import { accessible, KEY, shot, World } from "./harness.ts";

const LIST = Array.from({ length: 40 }, (_, n) => `item ${n + 1}`).join("\n") + "\n";
const CHANGED = LIST.replace("item 3\n", "item three\n").replace("item 33\n", "item thirty-three\n");
const COMMAND = "wc -l < list.txt | tr -d ' ' > count.txt && cat count.txt";
const CODE = `
from pathlib import Path
count = int(Path("count.txt").read_text())
primes = [n for n in range(2, 60_000) if all(n % d for d in range(2, int(n**0.5) + 1))]
print("checked", count, "against", len(Path("list.txt").read_text().splitlines()), "and", len(primes))
`;

/** Of the page's own thread, in milliseconds: what the user would feel while a program computes. */
const LONG_TASK_MS = 100;

let world: World;

before(async () => {
  world = await World.start({
    turns: [
      { text: "I look at the list first.", calls: [["Read", { file_path: "list.txt" }]] },
      { text: "Now I count it with a program.", calls: [["Bash", { command: COMMAND }]] },
      { text: "I count it again.", calls: [["Bash", { command: COMMAND }]] },
      { text: "Another language shall check that.", calls: [["Python", { code: CODE }]] },
      {
        text: "And I spell two numbers out.",
        calls: [
          ["MultiEdit", { file_path: "list.txt", edits: [{ old_string: "item 3\n", new_string: "item three\n" }, { old_string: "item 33\n", new_string: "item thirty-three\n" }] }],
          ["Edit", { file_path: "plan.txt", old_string: "tomorrow", new_string: "today" }],
        ],
      },
      { text: `# Counted\n\nThe list has **40** items. ${"All of them are fine. ".repeat(30)}`, pause_ms: 15 },
    ],
  });
});
after(() => world.end());

/** In place of the user's own folder. */
async function folder(page: Page): Promise<void> {
  await page.evaluate(async (files) => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle("shopping", { create: true });
    for (const [name, text] of Object.entries(files)) {
      const file = await (await folder.getFileHandle(name, { create: true })).createWritable();
      await file.write(text);
      await file.close();
    }
  }, { "list.txt": LIST, "plan.txt": "We shop tomorrow.\n", "README.md": "# Shopping\n" });
}

async function picker(page: Page): Promise<void> {
  await page.addInitScript(() => {
    Object.assign(globalThis, {
      showDirectoryPicker: async () => (await navigator.storage.getDirectory()).getDirectoryHandle("shopping"),
    });
  });
}

async function read(page: Page, name: string): Promise<string | null> {
  return page.evaluate(async (name) => {
    try {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("shopping");
      return await (await (await folder.getFileHandle(name)).getFile()).text();
    } catch {
      return null;
    }
  }, name);
}

async function write(page: Page, name: string, text: string): Promise<void> {
  await page.evaluate(async ([name, text]) => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("shopping");
    const file = await (await folder.getFileHandle(name ?? "")).createWritable();
    await file.write(text ?? "");
    await file.close();
  }, [name, text]);
}

test("from a folder to a commit, with a reload in the middle, and back", { timeout: 240_000 }, async () => {
  const page = await world.open();
  await picker(page);
  await folder(page);
  await page.reload();

  // The token went out of the address and stays with the tab.
  assert.equal(new URL(page.url()).hash, "");
  await page.getByRole("button", { name: "Open a folder" }).click();
  await page.getByText("shopping", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Model: test:7b" }).waitFor();
  await page.getByRole("textbox", { name: "Task" }).fill("Count the list and spell two numbers out.");
  await page.getByRole("button", { name: "Send" }).click();

  // A tool that only reads runs; one that starts programs is asked about.
  const question = page.getByRole("alertdialog");
  await question.waitFor();
  await page.getByText("I look at the list first.").waitFor();
  assert.equal(await question.locator("#ask-summary").textContent(), COMMAND);
  await shot(page, "story-1-question");

  // The page goes away in the middle.
  await page.reload();
  await page.getByText("I look at the list first.").waitFor();
  await page.getByText(/cut off/).first().waitFor();
  await page.getByRole("button", { name: "Go on" }).waitFor();
  await shot(page, "story-2-resumed");
  await page.getByRole("button", { name: "Go on" }).click();
  await question.waitFor();
  await page.keyboard.press("y");
  await page.getByText("Another language shall check that.").waitFor();
  await question.waitFor();
  const tasks = await page.evaluateHandle(() => {
    const tasks: number[] = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
    return tasks;
  });
  await page.keyboard.press("y");
  await page.getByRole("heading", { name: "Counted" }).waitFor();
  const long = await tasks.jsonValue();
  console.log(`long tasks of the page while Python computed: ${long.map(Math.round).join(", ") || "none"} ms`);
  assert.ok(long.every((ms) => ms <= LONG_TASK_MS), `the page did not answer for ${Math.max(...long)} ms`);
  await shot(page, "story-3-streaming");
  await page.getByRole("button", { name: "Send" }).waitFor();

  // What the call did can be looked into.
  await page.locator(".call summary", { hasText: "Bash" }).last().click();
  await page.locator(".call-body").getByText("40", { exact: true }).first().waitFor();
  await page.locator(".call summary", { hasText: "Python" }).last().click();
  await page.locator(".call-body").getByText("checked 40 against 40 and 6057").first().waitFor();
  await shot(page, "story-4-call");

  // Nothing reached the folder yet.
  assert.deepEqual([await read(page, "list.txt"), await read(page, "count.txt")], [LIST, null]);
  await page.keyboard.press("Alt+f");
  await page.getByRole("treeitem", { name: "count.txt" }).click();
  await page.getByText("40", { exact: true }).last().waitFor();

  // Meanwhile the user changes the same line of another file.
  await write(page, "plan.txt", "We shop on Friday.\n");
  await page.keyboard.press("Alt+c");
  await page.getByRole("button", { name: "Look again" }).click();
  await page.getByRole("treeitem", { name: "plan.txt, modified, conflict" }).click();
  await page.getByRole("button", { name: "Compare" }).click();
  await page.getByText("We shop on Friday.").first().waitFor();
  await shot(page, "story-5-conflict");
  await accessible(page, "story conflict");

  // One of two parts of the list is committed, with the new file, and without the conflict.
  await page.getByRole("treeitem", { name: "list.txt, modified" }).click();
  await page.getByRole("checkbox", { name: "Include the part at line 33" }).uncheck();
  await shot(page, "story-6-partial");
  await page.getByRole("button", { name: "Commit 2 of 3 changes" }).click();
  await page.getByText("Committed 2 files to shopping").first().waitFor();
  assert.equal(await read(page, "list.txt"), LIST.replace("item 3\n", "item three\n"));
  assert.equal(await read(page, "count.txt"), "40\n");
  assert.equal(await read(page, "plan.txt"), "We shop on Friday.\n");

  // The commit is taken back as one step; then the conflict is decided.
  await page.getByRole("button", { name: "Undo" }).first().click();
  await page.getByText(/Took the commit back/).first().waitFor();
  assert.deepEqual([await read(page, "list.txt"), await read(page, "count.txt")], [LIST, null]);
  await page.getByRole("treeitem", { name: "plan.txt, modified, conflict" }).click();
  await page.getByRole("button", { name: "Take the agent's" }).click();
  await page.getByText("plan.txt is now as the agent left it").waitFor();
  assert.equal(await read(page, "plan.txt"), "We shop today.\n");
  // What was taken out of the commit is still out, until it is taken in.
  await page.getByRole("treeitem", { name: "list.txt, modified" }).click();
  await page.getByRole("checkbox", { name: "Include the part at line 33" }).check();
  await page.getByRole("button", { name: "Commit 2 changes" }).click();
  await page.getByText("Nothing differs from the folder.").waitFor();
  assert.equal(await read(page, "list.txt"), CHANGED);

  // All of that is in the journal, which is whole.
  await page.keyboard.press("Alt+i");
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText(/are whole and in order/).waitFor();
  await shot(page, "story-7-verified");

  // The model got what it insists on, the page never the key.
  assert.deepEqual(await world.refused(), []);
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]) + document.documentElement.outerHTML);
  assert.ok(!kept.includes(KEY));
  world.quiet();
  await world.closeBrowser();
});

test("the demo needs nothing but the page", { timeout: 120_000 }, async () => {
  const page = await world.open();
  const began = await page.evaluate(() => performance.getEntriesByType("navigation").map((entry) => entry.duration));
  await page.getByRole("button", { name: "Start empty" }).click();
  await page.getByRole("button", { name: /^Model/ }).click();
  await page.getByRole("radio", { name: /Demo/ }).check();
  await page.getByRole("button", { name: "Use this model" }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("This was the demo").first().waitFor();
  console.log(`page loaded in ${began.map(Math.round).join()} ms`);
  world.quiet();
});
