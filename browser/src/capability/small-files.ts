/** `wardian:host/small-files`: many small files in one call. */

import type { Descriptor } from "./filesystem.js";

/** What one call may ask for. */
const FILES_MAX = 256;
const BYTES_MAX = 64 << 10;

export interface SmallFile {
  size: bigint;
  /** A browser has no permission bits. */
  mode: undefined;
  bytes: Uint8Array | undefined;
}

export const smallFiles = {
  async read(directory: Descriptor, names: string[], bytesMax: bigint): Promise<(SmallFile | undefined)[]> {
    const isEntry = (name: string) => name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name);
    if (names.length > FILES_MAX || bytesMax > BigInt(BYTES_MAX) || !names.every(isEntry)) throw "invalid";
    return directory.readSmall(names, Number(bytesMax));
  },
};
