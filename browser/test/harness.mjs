// A page with the package in it, in a Chromium of its own: what every test and benchmark starts from.

import { createReadStream, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { after, beforeEach } from "node:test";
import { tmpdir } from "node:os";
import { extname, join, normalize, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { constants as zlib, createBrotliCompress } from "node:zlib";
import { chromium } from "playwright-core";

export const DIST = resolve(process.env.WARDIAN_BROWSER ?? fileURLToPath(new URL("../../dist/browser", import.meta.url)));

const TYPES = { ".js": "text/javascript", ".json": "application/json", ".html": "text/html", ".wasm": "application/wasm" };

/** No script but the package's own; none of another origin. WebAssembly is all that is needed besides. */
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src *";

/** `assets` of an agent that has the tests' components, too. */
export const WITH_TESTS = "/with-tests/";

const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Serves the package, packed as `wardian serve` sends it or a little worse, and counts the bytes. */
export async function serve() {
  const counts = { bytes: 0, files: new Map() };
  const server = createServer(async (request, response) => {
    const asked = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
    // The same package, in which the tests' own tools and commands are everybody's.
    const path = asked.startsWith(WITH_TESTS) ? asked.slice(WITH_TESTS.length - 1) : asked;
    response.setHeader("Content-Security-Policy", POLICY);
    if (path === "/") {
      response.setHeader("Content-Type", "text/html");
      response.end('<!doctype html><title>Wardian</title><script type="module" src="/index.js"></script>');
      return;
    }
    if (path !== asked && path === "/manifest.json") {
      const manifest = JSON.parse(await readFile(join(DIST, path), "utf8"));
      for (const entry of Object.values(manifest.tests)) (entry.tools ? manifest.tools : manifest.commands).push(entry);
      response.setHeader("Content-Type", TYPES[".json"]);
      response.end(JSON.stringify(manifest));
      return;
    }
    // What stands beside the package's modules for a test alone.
    const isOurs = path === "/fault.js" || path === "/fault-writes.js";
    const file = isOurs ? fileURLToPath(new URL(`.${path}`, import.meta.url)) : join(DIST, path);
    const isFile = (isOurs || file.startsWith(DIST)) && (await stat(file).then((file) => file.isFile(), () => false));
    if (!isFile) {
      response.statusCode = 404;
      response.end();
      return;
    }
    // What has a digest in its name never changes.
    const isNamed = /^\/(components|glue|programs)\//.test(path);
    response.setHeader("Cache-Control", isNamed ? "public, max-age=31536000, immutable" : "no-cache");
    response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
    // Of a file that is asked for again, one transfer.
    let sent = 0;
    const count = (chunk) => {
      counts.bytes += chunk.length;
      sent += chunk.length;
      counts.files.set(path, sent);
    };
    const stream = createReadStream(file);
    if (extname(file) === ".brotli") {
      stream.on("data", count).pipe(response);
    } else {
      response.setHeader("Content-Encoding", "br");
      const packer = createBrotliCompress({ params: { [zlib.BROTLI_PARAM_QUALITY]: 9 } });
      stream.pipe(packer).on("data", count).pipe(response);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, counts, close: () => server.close() };
}

function executable() {
  const given = process.env.WARDIAN_CHROMIUM;
  if (given) return given;
  const known = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/bin/google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
  ];
  const found = known.find((path) => existsSync(path));
  if (!found) throw new Error(`there is no Chromium: install one, or name it in WARDIAN_CHROMIUM`);
  return found;
}

/** A browser with a profile of its own. */
export async function launch() {
  const profile = mkdtempSync(join(tmpdir(), "wardian-chromium-"));
  const isRoot = process.getuid?.() === 0;
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: executable(),
    headless: true,
    args: isRoot ? [...FLAGS, "--no-sandbox"] : FLAGS,
  });
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { context, close };
}

/** The package's page, in a browser of its own. */
export async function open() {
  const server = await serve();
  const { context, close: closeBrowser } = await launch();
  const lines = [];
  const newPage = async () => {
    const page = await context.newPage();
    page.on("console", (message) => lines.push(message.text()));
    page.on("pageerror", (error) => lines.push(String(error)));
    await page.goto(server.origin);
    // What the tests call: the package, and shorthands that each would have to write anew.
    await page.evaluate(async () => {
      const wardian = await import("/index.js");
      const run = async (agent, text, options) => {
        const events = [];
        for await (const event of agent.run(text, options)) events.push(event);
        return events;
      };
      const write = async (folder, path, content) => {
        const names = path.split("/");
        for (const name of names.slice(0, -1)) folder = await folder.getDirectoryHandle(name, { create: true });
        const file = await (await folder.getFileHandle(names.at(-1), { create: true })).createWritable();
        await file.write(content);
        await file.close();
      };
      const read = async (folder, path) => {
        const names = path.split("/");
        for (const name of names.slice(0, -1)) folder = await folder.getDirectoryHandle(name);
        return (await (await folder.getFileHandle(names.at(-1))).getFile()).text();
      };
      /** Stands in for the user's folder: no picker can be clicked here, and its handles behave alike. */
      const folder = async (name, files) => {
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create: true });
        for (const [path, content] of Object.entries(files)) await write(folder, path, content);
        return folder;
      };
      const base64 = async (blob) => {
        const bytes = new Uint8Array(await blob.arrayBuffer());
        let text = "";
        for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
        return btoa(text);
      };
      globalThis.t = { ...wardian, run, write, read, folder, base64 };
    });
    return page;
  };
  const close = async () => {
    await closeBrowser();
    server.close();
  };
  return { page: await newPage(), newPage, context, server, lines, close };
}

/**
 * For tests that come one after the other: a page, in a new browser after every `most` of them. Chromium frees the memories of
 * workers that have ended when it likes, and has addresses for a hundred or so at a time.
 */
export function renewed(most) {
  let browser;
  let played = 0;
  beforeEach(async () => {
    if (played++ % most > 0) return;
    await browser?.close();
    browser = await open();
  });
  after(() => browser?.close());
  return () => browser.page;
}

/** The files below a folder of this machine, by their paths in it; none where there is no such folder. */
export function files(folder, base = folder) {
  const found = {};
  for (const entry of existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) Object.assign(found, files(path, base));
    else found[relative(base, path)] = readFileSync(path, "utf8");
  }
  return found;
}
