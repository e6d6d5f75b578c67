// Makes the package's modules: `node package.mjs OUT`. Three files for three kinds of threads, and the types.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const out = process.argv[2];
const root = fileURLToPath(new URL("..", import.meta.url));

execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "--project", root, "--outDir", join(out, ".types"), "--emitDeclarationOnly"], { stdio: "inherit" });
mkdirSync(out, { recursive: true });
for (const name of ["index", "api"]) writeFileSync(join(out, `${name}.d.ts`), readFileSync(join(out, ".types", `${name}.d.ts`)));
rmSync(join(out, ".types"), { recursive: true });

await build({
  absWorkingDir: root,
  entryPoints: ["index", "engine", "guest"].map((name) => `src/${name}.ts`),
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "linked",
  logLevel: "warning",
});
// Browsers unpack Brotli for servers that say so, and not for pages.
copyFileSync(join(root, "node_modules/brotli-dec-wasm/pkg/brotli_dec_wasm_bg.wasm"), join(out, "brotli.wasm"));
const { name, version, description, license, type, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
writeFileSync(join(out, "package.json"), `${JSON.stringify({ name, version, description, license, type, exports }, null, 2)}\n`);
