// What the app looks like and how it is used without a mouse, in states that a double of the package brings about.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, afterEach, before, test } from "node:test";
import type { Page } from "playwright-core";
import { accessible, shot, World } from "./harness.ts";

const site = mkdtempSync(join(tmpdir(), "wardian-site-"));
let world: World;

before(async () => {
  const app = resolve(import.meta.dirname, "..");
  const built = spawnSync(process.execPath, ["build.mjs", "--out", site, "--engine", "test/double.ts", "--dev"], { cwd: app, encoding: "utf8" });
  assert.equal(built.status, 0, built.stderr);
  world = await World.start({ site });
});
afterEach(async () => {
  await world.closeBrowser();
  world.quiet();
});
after(async () => {
  await world.end();
  rmSync(site, { recursive: true, force: true });
});

async function begin(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Start empty" }).click();
  await page.locator("#task").press("Enter");
  await page.getByRole("alertdialog").waitFor();
}

async function finish(page: Page): Promise<void> {
  await begin(page);
  await page.keyboard.press("y");
  await page.getByRole("heading", { name: "What was wrong" }).waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
}

for (const scheme of ["light", "dark"] as const) {
  test(`every state is legible and labelled, ${scheme}`, { timeout: 120_000 }, async () => {
    const page = await world.open({ colorScheme: scheme });
    const state = async (name: string) => {
      // What fades in is there, and colours have come.
      await page.waitForTimeout(250);
      await shot(page, `${scheme}-${name}`);
      await accessible(page, `${scheme} ${name}`);
    };
    await state("1-welcome");
    await begin(page);
    await state("2-question");
    await page.keyboard.press("y");
    await page.getByRole("heading", { name: "What was wrong" }).waitFor();
    await page.locator(".call summary").last().click();
    await state("3-call");
    await page.keyboard.press("Alt+c");
    await page.getByRole("treeitem", { name: "prices.py, modified" }).click();
    await page.getByText("def mean(prices):").first().waitFor();
    await state("4-changes");
    await page.getByRole("button", { name: "As wide as the page" }).click();
    await page.getByRole("button", { name: "Side by side" }).click();
    await state("5-side-by-side");
    await page.getByRole("button", { name: "Side by side" }).click();
    await page.getByRole("treeitem", { name: "notes.txt, modified, conflict" }).click();
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByText("bread, the dark one").waitFor();
    await state("6-conflict");
    await page.getByRole("button", { name: "Beside the conversation" }).click();
    await page.keyboard.press("Alt+f");
    await page.getByRole("treeitem", { name: "README.md" }).click();
    await page.getByText("A file.").first().waitFor();
    await state("7-files");
    await page.keyboard.press("Alt+i");
    await state("8-details");
    await page.getByRole("button", { name: /^Model/ }).click();
    await page.getByRole("radio", { name: /Directly/ }).check();
    await state("9-model");
  });
}

test("a phone shows one place at a time", { timeout: 60_000 }, async () => {
  const page = await world.open({ viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  await shot(page, "phone-1-welcome");
  await page.getByRole("button", { name: "Start empty" }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("button", { name: /Allow once/ }).click();
  await page.getByRole("heading", { name: "What was wrong" }).waitFor();
  await shot(page, "phone-2-answer");
  const tabs = page.getByRole("navigation", { name: "Places" });
  await tabs.getByRole("button", { name: /Changes/ }).click();
  await page.getByRole("treeitem", { name: "prices.py, modified" }).click();
  await page.locator(".diff").getByText("def mean(prices):").first().waitFor();
  await shot(page, "phone-3-changes");
  await accessible(page, "phone changes");
  assert.equal(await page.locator("#task").isVisible(), false);
  await tabs.getByRole("button", { name: "Sessions" }).click();
  await shot(page, "phone-4-sessions");
  await accessible(page, "phone sessions");
  const isWider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert.equal(isWider, false, "the page is wider than the screen");
});

test("a review is done by keys alone", { timeout: 60_000 }, async () => {
  const page = await world.open();
  await finish(page);
  await page.keyboard.press("Alt+c");
  const tree = page.getByRole("tree", { name: "Changed files" });
  await tree.focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.getByRole("treeitem", { name: "logo.png, modified" }).count(), 0);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Space");
  assert.equal(await page.getByRole("treeitem", { name: "logo.png, modified" }).getAttribute("aria-checked"), "false");
  await page.getByRole("button", { name: "Commit 4 of 6 changes" }).waitFor();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Changes of notes.txt" }).or(page.locator("section[aria-label='Changes of notes.txt']")).first().waitFor();
  // A change in conflict is not taken in by keys either.
  await page.keyboard.press("Space");
  assert.equal(await page.getByRole("treeitem", { name: /notes.txt/ }).getAttribute("aria-checked"), "false");
  await page.keyboard.press("k");
  await page.keyboard.press("x");
  await page.getByRole("button", { name: "Commit 3 of 6 changes" }).focus();
  await page.keyboard.press("Enter");
  await page.getByText(/Committed 3 files/).first().waitFor();
});

test("part of a file is committed", { timeout: 60_000 }, async () => {
  const page = await world.open();
  await finish(page);
  await page.keyboard.press("Alt+c");
  await page.getByRole("treeitem", { name: "prices.py, modified" }).click();
  const box = page.getByRole("checkbox", { name: "Include the part at line 9" });
  await box.uncheck();
  assert.equal(await page.getByRole("treeitem", { name: "prices.py, modified" }).getAttribute("aria-checked"), "mixed");
  await page.getByText("Some parts of files").waitFor();
  await box.check();
  assert.equal(await page.getByRole("treeitem", { name: "prices.py, modified" }).getAttribute("aria-checked"), "true");
});

test("a question is answered by a key, but not while one writes", { timeout: 60_000 }, async () => {
  const page = await world.open();
  await begin(page);
  assert.equal(await page.evaluate(() => document.activeElement?.classList.contains("ask")), true);
  await page.keyboard.press("/");
  await page.keyboard.type("any yes and no");
  assert.equal(await page.getByRole("alertdialog").count(), 1);
  assert.equal(await page.locator("#task").inputValue(), "any yes and no");
  await page.getByRole("alertdialog").focus();
  await page.keyboard.press("n");
  await page.getByText("the user refused it").waitFor();
  assert.equal(await page.locator("#task").inputValue(), "any yes and no");
});

test("what a model writes is never markup", { timeout: 60_000 }, async () => {
  const page = await world.open();
  await finish(page);
  await page.getByText("<img src=x onerror=alert(1)>").waitFor();
  const found = await page.evaluate(() => ({
    images: document.querySelectorAll(".markdown img").length,
    handlers: [...document.querySelectorAll(".markdown *")].filter((element) => element.getAttributeNames().some((name) => name.startsWith("on"))).length,
    links: [...document.querySelectorAll<HTMLAnchorElement>(".markdown a")].map((link) => [link.href, link.rel, link.target]),
  }));
  assert.deepEqual(found, { images: 0, handlers: 0, links: [["https://docs.python.org/3/", "noopener noreferrer nofollow", "_blank"]] });
});

test("a run is stopped, and the page does not stall meanwhile", { timeout: 60_000 }, async () => {
  const page = await world.open({}, "?slow");
  await page.evaluate(() => {
    const tasks: number[] = [];
    Object.assign(globalThis, { tasks });
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
  });
  await begin(page);
  await page.keyboard.press("y");
  await page.getByText("Fetching python-runtime · 73 %").waitFor();
  await page.keyboard.press("Alt+.");
  await page.getByText("Stopping").waitFor();
  const tasks = await page.evaluate(() => (globalThis as unknown as { tasks: number[] }).tasks);
  console.log(`long tasks of a run, ms: ${tasks.map(Math.round).join(" ") || "none"}`);
});

test("trouble has words and a way on", { timeout: 60_000 }, async () => {
  const old = await world.open({}, "?old");
  await old.getByText("This browser cannot run Wardian").waitFor();
  await old.getByText("JSPI").waitFor();
  await accessible(old, "unsupported");
  const failed = await world.open({}, "?fail");
  await failed.getByRole("button", { name: "Start empty" }).click();
  await failed.getByRole("button", { name: "Send" }).click();
  await failed.getByRole("alert").getByText("another page has this session open").waitFor();
  await shot(failed, "trouble");
  await accessible(failed, "trouble");
  const uploads = await world.open({}, "?nopicker");
  await uploads.getByText("This browser opens no folders in place").waitFor();
  assert.equal(await uploads.getByRole("button", { name: "Open a folder" }).count(), 0);
});
