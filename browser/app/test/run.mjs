// Runs the tests: `node test/run.mjs [PART OF A NAME..]`. They are TypeScript, so they are bundled first.

import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const tests = readdirSync(here).filter((name) => name.endsWith(".test.ts"));
// Below node_modules, so that what is not bundled is found.
const out = mkdtempSync(join(here, "../node_modules/.tests-"));
try {
  await build({
    absWorkingDir: here,
    entryPoints: tests,
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    jsx: "automatic",
    jsxImportSource: "preact",
    packages: "external",
    alias: { wardian: join(here, "double.ts") },
    define: { "import.meta.dirname": JSON.stringify(here) },
    logLevel: "warning",
  });
  const names = process.argv.slice(2).map((name) => `--test-name-pattern=${name}`);
  const files = tests.map((name) => join(out, name.replace(/\.ts$/, ".mjs")));
  const { status } = spawnSync(process.execPath, ["--test", "--test-concurrency=1", ...names, ...files], { stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
