// The native host, with compiled code that all tests share: compiling anew would take longer than they do.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAM = process.env.WARDIAN_PROGRAM ?? fileURLToPath(new URL("../../dist/wardian", import.meta.url));
const CACHE = join(tmpdir(), "wardian-tests-page", "cache");

/** A state folder, and a folder beside it for what a test needs. `variables`: of the environment, besides those of the test. */
export function home(variables = {}) {
  const folder = mkdtempSync(join(tmpdir(), "wardian-home-"));
  const state = join(folder, "state");
  mkdirSync(CACHE, { recursive: true, mode: 0o700 });
  mkdirSync(state);
  symlinkSync(CACHE, join(state, "cache"));
  const environment = { ...process.env, ...variables, WARDIAN_HOME: state };
  /** Its output, whatever its exit status. */
  const run = (...words) =>
    new Promise((resolve, reject) => {
      const limits = { cwd: folder, env: environment, timeout: 300_000, maxBuffer: 1 << 26 };
      const child = execFile(PROGRAM, words, limits, (error, stdout, stderr) => {
        if (error && error.code === "ENOENT") reject(error);
        else resolve({ status: error ? (error.code ?? 1) : 0, stdout, stderr });
      });
      // What reads its standard input would wait for it until the time is up.
      child.stdin.end();
    });
  /** The same, of what must not fail. */
  const must = async (...words) => {
    const { status, stdout, stderr } = await run(...words);
    if (status !== 0) throw new Error(`wardian ${words.join(" ")}: status ${status}\n${stdout}${stderr}`);
    return stdout;
  };
  return { folder, state, run, must, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
