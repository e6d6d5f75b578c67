// Prepares components for pages: `node components.mjs JOB.json`, as `cargo xtask browser` calls it.
//
// A page fetches the very components that the native host runs and cuts the core modules out of them: what is made here
// ahead of time is only the code that joins those modules (by jco), and where in which component each module is. Output is
// named by the digest of what it was made of, and kept in a cache.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants as zlib } from "node:zlib";
import { transpileBytes } from "@bytecodealliance/jco-transpile";
import { transform } from "esbuild";
import { ASYNC_EXPORTS, ASYNC_IMPORTS } from "./async.mjs";

/**
 * How components are packed. The best quality takes a second for 400 KB and saves a tenth of what quality 9 leaves. A window of
 * 16 MiB is memory of each page while it unpacks, and saves 4 % of Python.
 */
const QUALITY = 11;
const WINDOW_BITS = 24;

function pack(bytes) {
  const params = {
    [zlib.BROTLI_PARAM_QUALITY]: QUALITY,
    [zlib.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
    [zlib.BROTLI_PARAM_SIZE_HINT]: bytes.length,
  };
  return promisify(brotliCompress)(bytes, { params });
}

/** Goes up when the same component gives other output. */
const FORMAT = "2";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const versions = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8")).packages;
const tools = ["@bytecodealliance/jco-transpile", "esbuild"].map((name) => versions[`node_modules/${name}`].version);

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const kept = (name) => join(job.cache, name);

/** What `make` returns, from the cache if it was made before. */
async function cached(name, make) {
  const path = kept(name);
  if (!existsSync(path)) {
    const bytes = await make();
    writeFileSync(`${path}.${process.pid}`, bytes);
    renameSync(`${path}.${process.pid}`, path);
  }
  return readFileSync(path);
}

function place(name, bytes) {
  const path = join(job.out, name);
  mkdirSync(join(path, ".."), { recursive: true });
  if (!existsSync(path) || !readFileSync(path).equals(bytes)) writeFileSync(path, bytes);
}

/** The parts that stand in a composition as they are, and what is between them. */
function recipe(whole, parts) {
  const found = [];
  for (const part of parts) {
    const at = whole.indexOf(part.data);
    if (at >= 0) found.push({ part, at });
  }
  found.sort((one, other) => one.at - other.at || other.part.data.length - one.part.data.length);
  const pieces = [];
  let end = 0;
  for (const { part, at } of found) {
    if (at < end) continue; // inside of another part
    if (at > end) pieces.push({ base64: whole.subarray(end, at).toString("base64") });
    pieces.push({ component: part.name });
    end = at + part.data.length;
  }
  if (end < whole.length) pieces.push({ base64: whole.subarray(end).toString("base64") });
  return pieces;
}

/**
 * jco's code tells of its every step where it is debugged, and makes up what it would tell in any case: a good part of the time
 * of a call between components. Minified, nothing is left of it.
 */
function withoutDebugging(script) {
  const told = /^(\s*)_debugLog\(/gm;
  if (!told.test(script)) throw new Error("jco's _debugLog has another name now: see withoutDebugging");
  return script.replace(told, "$1false && _debugLog(");
}

/** A component as a page instantiates it. */
async function program(name, whole, parts) {
  const digest = sha256(whole);
  const key = sha256([FORMAT, ...tools, ...ASYNC_IMPORTS, ...ASYNC_EXPORTS, digest].join("\n")).slice(0, 32);
  let made;
  const glue = await cached(`${key}.js`, async () => {
    made = await transpileBytes(whole, {
      name: "program",
      instantiation: "async",
      asyncMode: "jspi",
      asyncImports: ASYNC_IMPORTS,
      asyncExports: ASYNC_EXPORTS,
      emitTypescriptDeclarations: false,
    });
    const script = withoutDebugging(Buffer.from(made.files["program.js"]).toString());
    const { code } = await transform(script, { minify: true, format: "esm", target: "es2022" });
    // What may be written to first must be whole last: the modules' places go before the code.
    const modules = {};
    for (const [file, bytes] of Object.entries(made.files)) {
      if (!file.endsWith(".wasm")) continue;
      const at = whole.indexOf(Buffer.from(bytes));
      // What joins components is made by jco, and small.
      modules[file] = at >= 0 ? { at, bytes: bytes.length } : { base64: Buffer.from(bytes).toString("base64") };
    }
    writeFileSync(kept(`${key}.json`), JSON.stringify(modules));
    return code;
  });
  const modules = JSON.parse(readFileSync(kept(`${key}.json`), "utf8"));
  const script = `glue/${name}-${key.slice(0, 16)}.js`;
  place(script, glue);
  const file = `programs/${name}-${key.slice(0, 16)}.json`;
  const description = { digest, bytes: whole.length, glue: script, recipe: recipe(whole, parts), modules };
  place(file, Buffer.from(JSON.stringify(description)));
  return file;
}

/** What a tool component says of itself. It is a constant of the component and needs no power, so nothing is lent. */
async function describe(name, bytes) {
  const key = sha256([FORMAT, ...tools, "describe", sha256(bytes)].join("\n")).slice(0, 32);
  const list = await cached(`${key}.tools.json`, async () => {
    const folder = kept(`${key}.describe`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const made = await transpileBytes(bytes, { name: "tool", instantiation: "async", emitTypescriptDeclarations: false });
    for (const [file, content] of Object.entries(made.files)) writeFileSync(join(folder, file), content);
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    const { instantiate } = await import(pathToFileURL(join(folder, "tool.js")));
    const module = (file) => WebAssembly.compile(readFileSync(join(folder, file)));
    const nothing = class {};
    const stream = () => new nothing();
    // By name: any interface, any function of it.
    const lent = {
      "wasi:cli/environment": { getEnvironment: () => [], getArguments: () => [], initialCwd: () => undefined },
      "wasi:cli/stdin": { getStdin: stream },
      "wasi:cli/stdout": { getStdout: stream },
      "wasi:cli/stderr": { getStderr: stream },
      "wasi:cli/terminal-stdin": { getTerminalStdin: () => undefined },
      "wasi:cli/terminal-stdout": { getTerminalStdout: () => undefined },
      "wasi:cli/terminal-stderr": { getTerminalStderr: () => undefined },
      "wasi:config/store": { get: () => undefined, getAll: () => [] },
      "wasi:filesystem/preopens": { getDirectories: () => [] },
      "wasi:random/insecure-seed": { insecureSeed: () => [1n, 2n] },
      "wasi:random/random": { getRandomBytes: (n) => new Uint8Array(Number(n)), getRandomU64: () => 4n },
      "wasi:clocks/monotonic-clock": { now: () => 0n, resolution: () => 1n },
      "wasi:clocks/wall-clock": { now: () => ({ seconds: 0n, nanoseconds: 0 }) },
    };
    const anything = (given = {}) =>
      new Proxy(given, {
        get: (target, key) =>
          key in target
            ? target[key]
            : typeof key === "string" && /^[A-Z]/.test(key)
              ? (target[key] = class {})
              : () => {
                  throw new Error(`${name}: its list of tools must need no power, and asks for ${String(key)}`);
                },
      });
    const imports = new Proxy({}, { get: (_, key) => anything(lent[key]) });
    const instance = await instantiate(module, imports);
    const list = await instance["wardian:tool/tools@0.1.0"].list();
    rmSync(folder, { recursive: true, force: true });
    return Buffer.from(JSON.stringify(list));
  });
  return JSON.parse(list);
}

mkdirSync(job.cache, { recursive: true });
const components = job.components.map((component) => {
  const data = readFileSync(component.file);
  return { ...component, data, digest: sha256(data) };
});
const manifest = { format: 1, version: job.version, components: {}, agents: {}, tools: [], commands: [], tests: {} };
// In threads of their own, while the glue is made.
const packing = Promise.all(
  components.map(({ data, digest }) => cached(`${digest}.${QUALITY}-${WINDOW_BITS}.brotli`, () => pack(data))),
);
const find = (name) => {
  const component = components.find((one) => one.name === name);
  if (!component) throw new Error(`there is no component ${name}`);
  return component;
};
for (const { name, provider, file } of job.agents) {
  const whole = readFileSync(file);
  manifest.agents[provider] = { digest: sha256(whole), program: await program(name, whole, components) };
}
for (const { name, file } of job.tools) {
  const { digest, data } = find(name);
  const http = data.toString("latin1").match(/wasi:http\/outgoing-handler@[0-9.]+/)?.[0];
  const made = await program(name, readFileSync(file), components);
  const entry = { name, digest, program: made, tools: await describe(name, data), ...(http ? { http } : {}) };
  if (job.tests.includes(name)) manifest.tests[name] = entry;
  else manifest.tools.push(entry);
}
for (const { name, file, names } of job.commands) {
  const { digest } = find(name);
  const whole = readFileSync(file);
  // By its name in the component's imports; the glue binds it if it is one.
  const made = await program(name, whole, components);
  const { glue } = JSON.parse(readFileSync(join(job.out, made), "utf8"));
  const asksForDirectory = readFileSync(join(job.out, glue), "utf8").includes("initialCwd");
  const entry = { name, digest, program: made, names, asksForDirectory };
  if (job.tests.includes(name)) manifest.tests[name] = entry;
  else manifest.commands.push(entry);
}
const netfetch = find("netfetch");
manifest.netfetch = { digest: netfetch.digest, program: await program("netfetch", netfetch.data, components) };
const workspace = find("workspace");
manifest.workspace = { digest: workspace.digest, program: await program("workspace", workspace.data, components) };
for (const [index, packed] of (await packing).entries()) {
  const { name, data, digest } = components[index];
  // No name by which a server would take it for the encoding of something else.
  const file = `components/${name}-${digest.slice(0, 16)}.wasm.brotli`;
  place(file, packed);
  manifest.components[name] = { file, digest, bytes: data.length, packed: packed.length };
}
if (job.scenario) manifest.scenario = readFileSync(job.scenario, "utf8");
place("manifest.json", Buffer.from(JSON.stringify(manifest)));
