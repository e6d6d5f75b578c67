/** `wasi:random`. */

/** `crypto.getRandomValues` takes no more at once. */
const PIECE_BYTES_MAX = 65536;

export function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += PIECE_BYTES_MAX) crypto.getRandomValues(bytes.subarray(at, at + PIECE_BYTES_MAX));
  return bytes;
}

const u64 = (): bigint => crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;

export const random = {
  getRandomBytes: (length: bigint): Uint8Array => randomBytes(Number(length)),
  getRandomU64: u64,
};

export const insecure = {
  getInsecureRandomBytes: random.getRandomBytes,
  getInsecureRandomU64: u64,
};

export const insecureSeed = { insecureSeed: (): [bigint, bigint] => [u64(), u64()] };
