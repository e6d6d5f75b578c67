// examples/02-page-vite, as its README says: the package in a page that Vite serves, and in one that it has built.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { launch } from "./harness.mjs";

const EXAMPLE = fileURLToPath(new URL("../../examples/02-page-vite", import.meta.url));

const OPTIONS = { cwd: EXAMPLE, timeout: 120_000 };

let browser;

before(async () => {
  await promisify(execFile)("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], OPTIONS);
  browser = await launch();
});

after(() => browser?.close());

/** Starts a server of the example, and gives what it says its address is. */
async function serving(script, work) {
  const args = ["run", script, "--", "--host", "127.0.0.1", "--port", "0"];
  const server = spawn("npm", args, { ...OPTIONS, detached: true, stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, NO_COLOR: "1" } });
  try {
    let said = "";
    for await (const chunk of server.stdout) {
      said += chunk;
      const found = /http:\/\/127\.0\.0\.1:\d+\//.exec(said);
      if (found) return await work(found[0]);
    }
    throw new Error(`npm run ${script} ended without an address: ${said}`);
  } finally {
    // What ended by itself is gone already.
    if (server.exitCode === null && server.signalCode === null) process.kill(-server.pid);
  }
}

async function runs(origin) {
  const page = await browser.context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(origin);
  await page.click("#run");
  await page.waitForFunction(() => document.querySelector("#output").textContent.includes("\n+Hello"), null, { timeout: 60_000 }).catch(() => {});
  const text = await page.textContent("#output");
  await page.close();
  assert.deepEqual(errors, []);
  assert.match(text, /^I write it\.\nHello from a page\n[^]*Done: look at the change and commit it\.\n[^]*\n\+Hello from a page\n/);
}

test("served", { timeout: 180_000 }, () => serving("dev", runs));

test("built", { timeout: 180_000 }, async () => {
  await promisify(execFile)("npm", ["run", "build"], OPTIONS);
  await serving("preview", runs);
});
