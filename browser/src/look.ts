/** Files as the agent sees them: the workspace alone, with nothing in it that could change them. */

import { WardianError, type FileInfo } from "./api.js";
import { cli, NO_INPUT } from "./capability/cli.js";
import { Mounts } from "./capability/filesystem.js";
import { start } from "./capability/start.js";
import { SINK } from "./capability/streams.js";
import { turns, type Turns } from "./capability/turns.js";
import type { Components } from "./components.js";
import { common, instantiate } from "./instance.js";
import type { Layers } from "./protocol.js";

const BOUNDS = { memory_bytes_max: 512 << 20, table_elements_max: 100_000 };
const FILE_BYTES_MAX = 16 << 20;
export const SIDE_BYTES_MAX = 1 << 20;
const PIECE = 1n << 20n;

/** `wasi:filesystem/types`, as the workspace exports it. */
interface Descriptor {
  openAt(flags: object, path: string, open: object, mode: object): Promise<Descriptor>;
  read(length: bigint, offset: bigint): Promise<[Uint8Array, boolean]>;
  stat(): Promise<{ type: string; size: bigint }>;
  readDirectory(): Promise<{ readDirectoryEntry(): Promise<{ type: string; name: string } | undefined> }>;
}

const KINDS: Record<string, FileInfo["type"]> = {
  "regular-file": "file",
  directory: "directory",
  "symbolic-link": "symlink",
};

function dispose(resource: unknown): void {
  const symbol = Symbol.dispose ?? Symbol.for("dispose");
  (resource as { [key: symbol]: (() => void) | undefined })[symbol]?.();
}

export class Look {
  readonly #root: Descriptor;
  readonly #mounts: Mounts;

  private constructor(root: Descriptor, mounts: Mounts) {
    this.#root = root;
    this.#mounts = mounts;
  }

  static async start(components: Components, program: string, layer: Turns, layers: Layers): Promise<Look> {
    const mounts = new Mounts();
    mounts.lend("/project", layers.project);
    mounts.lend("/upper", layers.upper);
    mounts.lend("/tmp", layers.tmp);
    const exports = await instantiate(await components.program(program, BOUNDS), {
      ...common(),
      ...cli({ args: [], env: [], stdin: NO_INPUT, stdout: () => SINK, stderr: () => SINK }),
      ...mounts.imports(),
      "wardian:host/turns": turns({
        take: () => layer.take(),
        end: () => layer.end(),
        ended: () => layer.ended,
      }),
      "wardian:host/start": start(),
    });
    const preopens = exports["wasi:filesystem/preopens@0.2.6"] as { getDirectories(): Promise<[Descriptor, string][]> };
    const root = (await preopens.getDirectories()).find(([, name]) => name === "/")?.[0];
    if (!root) throw new WardianError("io", "the workspace cannot be opened");
    return new Look(root, mounts);
  }

  /** A path is relative to the project, or absolute. */
  #open(path: string): Promise<Descriptor> {
    const whole = path.startsWith("/") ? path.slice(1) : `workspace/${path}`;
    return this.#root.openAt({ symlinkFollow: true }, whole === "" ? "." : whole, {}, { read: true });
  }

  async #named<T>(path: string, work: (file: Descriptor) => Promise<T>): Promise<T> {
    try {
      const file = await this.#open(path);
      try {
        return await work(file);
      } finally {
        dispose(file);
      }
    } catch (error) {
      throw typeof error === "string" ? new WardianError("io", `${path}: ${error}`) : error;
    }
  }

  list(path: string): Promise<FileInfo[]> {
    return this.#named(path, async (directory) => {
      const entries = await directory.readDirectory();
      const found: FileInfo[] = [];
      for (;;) {
        const entry = await entries.readDirectoryEntry();
        if (!entry) break;
        const type = KINDS[entry.type] ?? "other";
        let size = 0;
        if (type === "file") {
          const file = await directory.openAt({}, entry.name, {}, { read: true });
          size = Number((await file.stat()).size);
          dispose(file);
        }
        found.push({ name: entry.name, type, size });
      }
      dispose(entries);
      return found.sort((one, other) => (one.name < other.name ? -1 : 1));
    });
  }

  read(path: string, options: { bytesMax?: number }): Promise<Uint8Array> {
    const most = options.bytesMax ?? FILE_BYTES_MAX;
    return this.#named(path, async (file) => {
      const pieces: Uint8Array[] = [];
      let length = 0;
      for (;;) {
        const [bytes, isLast] = await file.read(PIECE, BigInt(length));
        pieces.push(bytes.slice());
        length += bytes.length;
        if (length > most) throw new WardianError("io", `${path} has more than ${most} bytes`);
        if (isLast || bytes.length === 0) break;
      }
      const whole = new Uint8Array(length);
      let at = 0;
      for (const piece of pieces) {
        whole.set(piece, at);
        at += piece.length;
      }
      return whole;
    });
  }

  /** What the project has and what a commit would leave, of a file that was changed. */
  async content(
    before: () => Promise<Uint8Array | undefined>,
    path: string,
    options: { bytesMax?: number },
  ): Promise<{ before?: Uint8Array; after?: Uint8Array }> {
    const bytesMax = options.bytesMax ?? SIDE_BYTES_MAX;
    const after = await this.read(path, { bytesMax }).catch((error: unknown) => {
      if (error instanceof WardianError && error.message.endsWith(": no-entry")) return undefined;
      throw error;
    });
    const old = await before();
    return { ...(old ? { before: old } : {}), ...(after ? { after } : {}) };
  }

  close(): Promise<void> {
    return this.#mounts.close();
  }
}
