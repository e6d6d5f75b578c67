/** A browser, the served page in it, and all that must not happen there. */

import AxeBuilder from "axe-core";
import { chromium, type BrowserContext, type BrowserContextOptions, type Page } from "playwright-core";
import { spawn, type ChildProcess } from "node:child_process";
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface, type Interface } from "node:readline";

const ROOT = resolve(import.meta.dirname, "../../..");
const PROGRAM = process.env["WARDIAN_PROGRAM"] ?? join(ROOT, "dist/wardian");
const MODEL_SERVER = process.env["WARDIAN_MODEL_SERVER"];
export const SHOTS = process.env["WARDIAN_SHOTS"] ?? join(ROOT, "dist/tests/app");

/** As xtask/src/browser.rs has them. */
const CHROMIUMS = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** What a strict model says, turn by turn. */
export interface Turn {
  text?: string;
  calls?: [tool: string, input: unknown][];
  pause_ms?: number;
}

/** A program that is spoken to by lines. It ends with the test. */
class Child {
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #waiting: ((line: string) => void)[] = [];
  readonly #come: string[] = [];

  constructor(program: string, words: string[], env: Record<string, string>, cwd: string) {
    this.#process = spawn(program, words, { cwd, env: { PATH: process.env["PATH"] ?? "", HOME: cwd, ...env }, stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#process.stdout! });
    this.#lines.on("line", (line) => {
      const next = this.#waiting.shift();
      if (next) next(line);
      else this.#come.push(line);
    });
  }

  say(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  line(): Promise<string> {
    const come = this.#come.shift();
    if (come !== undefined) return Promise.resolve(come);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("a program said nothing for 20 s")), 20_000);
      this.#waiting.push((line) => (clearTimeout(timer), resolve(line)));
    });
  }

  async end(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
    if (this.#process.exitCode !== null) return this.#process.exitCode;
    const ended = new Promise<number | null>((resolve) => this.#process.once("exit", (code) => resolve(code)));
    this.#process.kill(signal);
    return ended;
  }
}

export class World {
  readonly #folder = mkdtempSync(join(tmpdir(), "wardian-app-"));
  readonly #troubles: string[] = [];
  #served: Child | undefined;
  #model: Child | undefined;
  #context: BrowserContext | undefined;
  url = "";

  /** `site`: another folder than what the program carries. `turns`: what the model says. */
  static async start({ site = process.env["WARDIAN_SITE"], turns }: { site?: string | undefined; turns?: Turn[] } = {}): Promise<World> {
    const world = new World();
    const env: Record<string, string> = { WARDIAN_HOME: join(world.#folder, "home") };
    const words = ["serve", "--port", "0", "--json", ...(site ? ["--site", site] : [])];
    if (turns) {
      assert.ok(MODEL_SERVER, "WARDIAN_MODEL_SERVER names the strict model server: run this through `cargo xtask test`");
      world.#model = new Child(MODEL_SERVER, ["chat"], {}, world.#folder);
      for (const turn of turns) world.#model.say(JSON.stringify(turn));
      world.#model.say("");
      env["CHAT_BASE_URL"] = await world.#model.line();
      // The key that the server insists on; it never comes into the page.
      env["CHAT_API_KEY"] = KEY;
      words.push("-m", "chat/test:7b");
    }
    const project = join(world.#folder, "project");
    mkdirSync(project);
    world.#served = new Child(PROGRAM, words, env, project);
    const { url } = JSON.parse(await world.#served.line()) as { url: string };
    world.url = url;
    mkdirSync(SHOTS, { recursive: true });
    return world;
  }

  /** What was wrong with the requests that the model got. */
  async refused(): Promise<string[]> {
    this.#model?.say("refused?");
    // Lines of the program that serves are of another process.
    return JSON.parse((await this.#model?.line()) ?? "[]") as string[];
  }

  async open(options: BrowserContextOptions = {}, query = ""): Promise<Page> {
    if (!this.#context) {
      const given = process.env["WARDIAN_CHROMIUM"] ?? CHROMIUMS.find((path) => existsSync(path));
      assert.ok(given, "there is no Chromium: install one, or name it in WARDIAN_CHROMIUM");
      const flags = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
      if (process.getuid?.() === 0) flags.push("--no-sandbox");
      this.#context = await chromium.launchPersistentContext(join(this.#folder, `profile${Date.now()}`), {
        executablePath: given, headless: true, args: flags, viewport: { width: 1440, height: 900 }, reducedMotion: "reduce", ...options,
      });
      this.#context.setDefaultTimeout(30_000);
    }
    const page = await this.#context.newPage();
    const origin = new URL(this.url).origin;
    page.on("console", (message) => {
      // Also where the policy was broken.
      if (message.type() === "error") this.#troubles.push(message.text());
    });
    page.on("pageerror", (error) => this.#troubles.push(String(error)));
    page.on("request", (request) => {
      const isOwn = request.url().startsWith(`${origin}/`) || /^(blob|data):/.test(request.url());
      if (!isOwn) this.#troubles.push(`a request left: ${request.url()}`);
    });
    const [address, fragment] = this.url.split("#");
    await page.goto(`${address}${query}#${fragment}`);
    await page.waitForSelector(".welcome, .unsupported, .conversation");
    return page;
  }

  /** Nothing was said on the console, no policy was broken, nothing was fetched from elsewhere. */
  quiet(): void {
    assert.deepEqual(this.#troubles, []);
  }

  async closeBrowser(): Promise<void> {
    await this.#context?.close();
    this.#context = undefined;
  }

  async end(): Promise<void> {
    await this.closeBrowser();
    const code = await this.#served?.end();
    await this.#model?.end("SIGTERM");
    rmSync(this.#folder, { recursive: true, force: true });
    assert.equal(code, 0, "wardian serve did not end cleanly");
  }
}

export const KEY = "sk-test-0123456789abcdef0123456789abcdef";

export async function shot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

/** What whoever cannot see, or uses no mouse, would stumble over. */
export async function accessible(page: Page, state: string): Promise<void> {
  // Not as a script of the page, whose policy has no room for it.
  const violations = await page.evaluate(`(() => { ${AXE}; return axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }).then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map((node) => node.html.slice(0, 160) + " (" + node.failureSummary + ")").join(" | "))); })()`);
  assert.deepEqual(violations, [], state);
}
const AXE = AxeBuilder.source;
