// wardian:host/small-files, as a page lends it: src/capability/small-files.ts over a folder of the browser's storage.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { renewed } from "./harness.mjs";

const page = renewed(2);

const ENTRY = `
  export { Mounts } from "./src/capability/filesystem.ts";
  export { smallFiles } from "./src/capability/small-files.ts";
  export { Recent } from "./src/capability/recent.ts";
`;

/** Puts the capability into the page, over a folder with these files: `lent`, with `read(names, bytesMax)`. */
async function lend(name, files) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const made = await build({
    stdin: { contents: ENTRY, resolveDir: root, loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
  });
  const body = made.outputFiles[0].text;
  await page().route("**/capability.js", (route) => route.fulfill({ contentType: "text/javascript", body }));
  await page().evaluate(
    async ([name, files]) => {
      const { Mounts, smallFiles, Recent } = await import("/capability.js");
      const handle = await t.folder(name, files);
      const [mounts, recent] = [new Mounts(), new Recent()];
      mounts.lend("/", { kind: "private", handle, writable: true }, { told: recent });
      const [[directory]] = mounts.imports()["wasi:filesystem/preopens"].getDirectories();
      const read = async (names, bytesMax, from = directory) => {
        try {
          const text = (bytes) => bytes && new TextDecoder().decode(bytes);
          const found = await smallFiles.read(from, names, BigInt(bytesMax));
          return found.map((file) => file && [Number(file.size), text(file.bytes) ?? null]);
        } catch (error) {
          return error;
        }
      };
      globalThis.lent = { read, directory, recent, mounts, handle };
    },
    [name, files],
  );
}

test("files are read in the order of their names, and what is no small file is told apart", async () => {
  await lend("small", { "a.txt": "one", "b.txt": "", "large.txt": "123456", "folder/c.txt": "three" });
  const read = (...parameters) => page().evaluate((parameters) => lent.read(...parameters), parameters);
  const names = ["large.txt", "none", "a.txt", "folder", "b.txt"];
  assert.deepEqual(await read(names, 5), [[6, null], undefined, [3, "one"], undefined, [0, ""]]);
  for (const name of ["", ".", "..", "folder/c.txt", "/a.txt", "a\0"]) assert.equal(await read(["a.txt", name], 5), "invalid", name);
  assert.equal((await read(Array(256).fill("a.txt"), 65536)).length, 256);
  assert.equal(await read(Array(257).fill("a.txt"), 5), "invalid");
  assert.equal(await read(["a.txt"], 65537), "invalid");
  const ofFile = async () => lent.read([], 5, await lent.directory.openAt({}, "a.txt", {}, { read: true }));
  assert.equal(await page().evaluate(ofFile), "not-directory");
});

test("what is read is what was written last, by this worker or, as it was told, by another", async () => {
  await lend("fresh", { "open.txt": "old", "told.txt": "old" });
  const seen = await page().evaluate(async () => {
    const bytes = (text) => new TextEncoder().encode(text);
    const { read, directory, recent, handle } = lent;
    const before = await read(["open.txt", "told.txt"], 16);
    recent.wrote("told.txt", { bytes: bytes("newer"), at: Date.now() });
    const told = await read(["told.txt"], 16);
    recent.wrote("told.txt", undefined);
    await handle.removeEntry("told.txt");
    const removed = await read(["told.txt"], 16);
    const open = await directory.openAt({}, "open.txt", {}, { read: true });
    const same = await read(["open.txt"], 16);
    return { before, told, removed, same, alone: new TextDecoder().decode((await open.read(16n, 0n))[0]) };
  });
  const before = [[3, "old"], [3, "old"]];
  assert.deepEqual(seen, { before, told: [[5, "newer"]], removed: [undefined], same: [[3, "old"]], alone: "old" });
});
