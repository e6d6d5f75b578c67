// Makes the site: `node build.mjs --out DIR --package DIR`, or `--engine FILE` in place of the package.
//
// The package is not bundled but stands beside the app, as it is: it finds its workers and components beside its own
// modules. `--engine` bundles another one in its place, for tests of the interface alone. `--dev` leaves names as they are.

import { build } from "esbuild";
import { constants as file } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { brotliCompress, constants as zlib } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({
  options: {
    out: { type: "string" },
    package: { type: "string" },
    engine: { type: "string" },
    dev: { type: "boolean", default: false },
  },
});
if (!values.out || !values.package === !values.engine) {
  console.error("usage: node build.mjs --out DIR (--package DIR | --engine FILE) [--dev]");
  process.exit(2);
}
const out = resolve(values.out);

/** Where the package stands, seen from the app's modules. */
const PACKAGE = "../wardian/index.js";

const engine = {
  name: "engine",
  setup(build) {
    build.onResolve({ filter: /^wardian$/ }, () =>
      values.engine ? { path: resolve(values.engine) } : { path: PACKAGE, external: true },
    );
  },
};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: { main: "src/main.tsx", app: "src/style/app.css" },
  outdir: join(out, "app"),
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["chrome137", "firefox140", "safari26"],
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: !values.dev,
  sourcemap: values.dev ? "inline" : false,
  legalComments: "linked",
  metafile: true,
  logLevel: "warning",
  plugins: [engine],
  define: { "process.env.NODE_ENV": JSON.stringify(values.dev ? "development" : "production") },
});

const named = (entry) => {
  const file = Object.entries(result.metafile.outputs).find(([, output]) => output.entryPoint === entry)?.[0];
  if (!file) throw new Error(`${entry} was not built`);
  return `app/${file.slice(file.lastIndexOf("/") + 1)}`;
};
const page = (await readFile(join(here, "index.html"), "utf8"))
  .replace("{{style}}", named("src/style/app.css"))
  .replace("{{script}}", named("src/main.tsx"))
  .replace("{{package}}", values.engine ? "" : `<link rel="modulepreload" href="wardian/index.js">`);
await writeFile(join(out, "index.html"), page);
await copyFile(join(here, "icon.svg"), join(out, "icon.svg"));

/** All of the package that runs: no types, and no components that only its own tests use. */
async function place(from, to) {
  const manifest = JSON.parse(await readFile(join(from, "manifest.json"), "utf8"));
  const tests = Object.keys(manifest.tests);
  const isTest = (name) => tests.some((test) => name.startsWith(`${test}-`));
  for (const test of tests) delete manifest.components[test];
  manifest.tests = {};
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const isWanted = entry.isFile() && !entry.name.endsWith(".d.ts") && entry.name !== "package.json" && !isTest(entry.name);
    if (!isWanted) continue;
    const target = join(to, path.slice(from.length));
    await mkdir(dirname(target), { recursive: true });
    await copyFile(path, target, file.COPYFILE_FICLONE);
  }
  await writeFile(join(to, "manifest.json"), JSON.stringify(manifest));
}
if (values.package) await place(resolve(values.package), join(out, "wardian"));

/** What is worth it gets a compressed twin beside it, for servers that send such. Components are packed already. */
const compress = promisify(brotliCompress);
const WORTH_BYTES_MIN = 1024;
let [files, bytes, packed] = [0, 0, 0];
for (const entry of await readdir(out, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  const content = await readFile(path);
  files++;
  bytes += content.length;
  const isText = /\.(js|css|html|json|svg|txt|wasm)$/.test(entry.name);
  if (values.dev || !isText || content.length < WORTH_BYTES_MIN) {
    packed += content.length;
    continue;
  }
  const twin = await compress(content, { params: { [zlib.BROTLI_PARAM_QUALITY]: 11, [zlib.BROTLI_PARAM_SIZE_HINT]: content.length } });
  await writeFile(`${path}.br`, twin);
  packed += twin.length;
}
console.log(`${files} files, ${(bytes / 1024).toFixed(0)} KiB, ${(packed / 1024).toFixed(0)} KiB on the wire`);
