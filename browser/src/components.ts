/** Components: fetched once, checked against their digests, cut into the modules that are compiled. */

import { WardianError } from "./api.js";
import { unpack } from "./unpack.js";
import type { Program } from "./protocol.js";

export interface ManifestTool {
  name: string;
  digest: string;
  program: string;
  tools: unknown[];
  /** The import by which it sends requests, if it has one. */
  http?: string;
}

export interface ManifestCommand {
  name: string;
  digest: string;
  program: string;
  names: string[];
  /** It finds out by itself where it starts. */
  asksForDirectory: boolean;
}

/** What `cargo xtask browser` leaves beside the package's modules. */
export interface Manifest {
  format: number;
  version: string;
  components: Record<string, { file: string; digest: string; bytes: number; packed: number }>;
  agents: Record<string, { digest: string; program: string }>;
  tools: ManifestTool[];
  commands: ManifestCommand[];
  /** Components that only tests use. */
  tests: Record<string, ManifestTool | ManifestCommand>;
  netfetch: { digest: string; program: string };
  workspace: { digest: string; program: string };
  scenario?: string;
}

interface Description {
  digest: string;
  bytes: number;
  glue: string;
  recipe: ({ component: string } | { base64: string })[];
  modules: Record<string, { at: number; bytes: number } | { base64: string }>;
}

/** Bounds that a module's own memories and tables get: a browser has no other way to refuse growth. */
export interface Bounds {
  memory_bytes_max: number;
  table_elements_max: number;
}

const PAGE = 65536;

/** Components up to this size are kept for the next program that they are part of. */
const KEPT_BYTES_MAX = 2 << 20;

const MANIFEST_FORMAT = 1;

export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function decode(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/** Told how a fetch is getting on. */
export type Fetching = (component: string, done: number, total: number) => void;

export class Components {
  readonly #assets: URL;
  #manifest: Promise<Manifest> | undefined;
  #unpacker: Promise<WebAssembly.Module> | undefined;
  readonly #bytes = new Map<string, Promise<Uint8Array>>();
  readonly #programs = new Map<string, Promise<Program>>();
  fetching: Fetching = () => {};

  constructor(assets: string | URL) {
    this.#assets = new URL(assets);
  }

  async #fetch(file: string): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(new URL(file, this.#assets), { credentials: "same-origin" });
    } catch (error) {
      throw new WardianError("io", `cannot fetch ${file}: ${String(error)}`);
    }
    if (!response.ok) throw new WardianError("io", `cannot fetch ${file}: ${response.status} ${response.statusText}`);
    return response;
  }

  manifest(): Promise<Manifest> {
    this.#manifest ??= (async () => {
      const manifest = (await (await this.#fetch("manifest.json")).json()) as Manifest;
      if (manifest.format !== MANIFEST_FORMAT) {
        throw new WardianError("integrity", `the components are of format ${manifest.format}, not ${MANIFEST_FORMAT}`);
      }
      return manifest;
    })().catch((error: unknown) => {
      this.#manifest = undefined;
      throw error;
    });
    return this.#manifest;
  }

  /** A component's bytes: exactly those that its digest names. */
  #component(name: string): Promise<Uint8Array> {
    let bytes = this.#bytes.get(name);
    if (!bytes) {
      bytes = this.#fetchComponent(name);
      this.#bytes.set(name, bytes);
      bytes.then(
        (bytes) => bytes.length > KEPT_BYTES_MAX && this.#bytes.delete(name),
        () => this.#bytes.delete(name),
      );
    }
    return bytes;
  }

  async #fetchComponent(name: string): Promise<Uint8Array> {
    const entry = (await this.manifest()).components[name];
    if (!entry) throw new WardianError("integrity", `there is no component ${name}`);
    const response = await this.#fetch(entry.file);
    if (!response.body) throw new WardianError("io", `cannot fetch ${entry.file}: it is empty`);
    let done = 0;
    const counted = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          done += chunk.length;
          this.fetching(name, Math.min(done, entry.packed), entry.packed);
          controller.enqueue(chunk);
        },
      }),
    );
    const bytes = await unpack(counted, entry.bytes, name, () => this.#decoder());
    const digest = await sha256(bytes);
    if (digest !== entry.digest) {
      throw new WardianError("integrity", `${name} has the digest ${digest}, and should have ${entry.digest}`);
    }
    return bytes;
  }

  /** The code that unpacks components. */
  #decoder(): Promise<WebAssembly.Module> {
    this.#unpacker ??= this.#fetch("brotli.wasm")
      .then((response) => response.arrayBuffer())
      .then((bytes) => WebAssembly.compile(bytes))
      .catch((error: unknown) => {
        this.#unpacker = undefined;
        throw error;
      });
    return this.#unpacker;
  }

  /** A program with these bounds, compiled. */
  program(file: string, bounds: Bounds): Promise<Program> {
    const key = `${file} ${bounds.memory_bytes_max} ${bounds.table_elements_max}`;
    let program = this.#programs.get(key);
    if (!program) {
      program = this.#compile(file, bounds, key);
      this.#programs.set(key, program);
      program.catch(() => this.#programs.delete(key));
    }
    return program;
  }

  async #compile(file: string, bounds: Bounds, key: string): Promise<Program> {
    const description = (await (await this.#fetch(file)).json()) as Description;
    const pieces = await Promise.all(
      description.recipe.map((piece) => ("component" in piece ? this.#component(piece.component) : decode(piece.base64))),
    );
    const whole = new Uint8Array(description.bytes);
    let at = 0;
    for (const piece of pieces) {
      if (at + piece.length > whole.length) break;
      whole.set(piece, at);
      at += piece.length;
    }
    // Each component was checked by itself; this is about how they were put together.
    const digest = await sha256(whole);
    if (at !== whole.length || digest !== description.digest) {
      throw new WardianError("integrity", `${file} is not the composition that its digest names: ${digest}`);
    }
    const modules: Record<string, WebAssembly.Module> = {};
    await Promise.all(
      Object.entries(description.modules).map(async ([name, place]) => {
        const bytes = "at" in place ? whole.subarray(place.at, place.at + place.bytes) : decode(place.base64);
        modules[name] = await WebAssembly.compile(bound(bytes, bounds) as Uint8Array<ArrayBuffer>);
      }),
    );
    return { key, glue: new URL(description.glue, this.#assets).href, modules };
  }
}

/**
 * The same module with upper bounds on its memories and tables. They are the only thing that is changed: a growth beyond
 * them is refused by the engine, as the native host refuses it.
 */
export function bound(module: Uint8Array, bounds: Bounds): Uint8Array {
  const out: Uint8Array[] = [module.subarray(0, 8)];
  let at = 8;
  let changed = false;
  const leb = (): number => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = module[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
      shift += 7;
    }
  };
  const encode = (value: number): number[] => {
    const bytes = [];
    do {
      const low = value % 128;
      value = Math.floor(value / 128);
      bytes.push(value > 0 ? low | 0x80 : low);
    } while (value > 0);
    return bytes;
  };
  const limits = (section: number[], most: number) => {
    const flags = module[at++] ?? 0;
    const least = leb();
    const max = flags & 1 ? leb() : Infinity;
    // Not below the least, or it would be no module: a component whose first memory is too large fails when it starts.
    section.push(flags | 1, ...encode(least), ...encode(Math.max(Math.min(max, most), least)));
  };
  while (at < module.length) {
    const start = at;
    const id = module[at++];
    const size = leb();
    const body = at;
    const end = body + size;
    if (id === 4 || id === 5) {
      const count = leb();
      const section = encode(count);
      let isPlain = true;
      for (let each = 0; each < count; each++) {
        if (id === 4) {
          // 0x40: a table with an initial value, which no toolchain makes for now.
          if (module[at] === 0x40 || module[at] === 0x63 || module[at] === 0x64) isPlain = false;
          section.push(module[at++] ?? 0);
          limits(section, bounds.table_elements_max);
        } else {
          limits(section, Math.floor(bounds.memory_bytes_max / PAGE));
        }
      }
      if (isPlain && at === end) {
        out.push(Uint8Array.of(id, ...encode(section.length)), Uint8Array.from(section));
        changed = true;
        continue;
      }
      throw new WardianError("integrity", "a module has a table or memory of a kind that cannot be bounded");
    }
    at = end;
    out.push(module.subarray(start, end));
  }
  if (!changed) return module;
  const whole = new Uint8Array(out.reduce((sum, piece) => sum + piece.length, 0));
  let to = 0;
  for (const piece of out) {
    whole.set(piece, to);
    to += piece.length;
  }
  return whole;
}
