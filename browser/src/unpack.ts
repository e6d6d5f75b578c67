/** Unpacking components. They are packed with Brotli, which no browser unpacks for a page that asks for it by itself. */

import { BrotliDecStream, initSync } from "brotli-dec-wasm/web";
import { WardianError } from "./api.js";

/** As `BrotliStreamResultCode` has it. */
const NEEDS_MORE_OUTPUT = 3;

/** What is unpacked at once. */
const PIECE_BYTES = 256 << 10;

const WASM = [0x00, 0x61, 0x73, 0x6d];

/** Unpacks a component of `length` bytes. One that came unpacked is taken as it is: servers may do that on the way. */
export async function unpack(
  stream: ReadableStream<Uint8Array>,
  length: number,
  name: string,
  decoder: () => Promise<WebAssembly.Module>,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  const put = (chunk: Uint8Array) => {
    if (at + chunk.length > length) throw new WardianError("integrity", `${name} has more than ${length} bytes`);
    bytes.set(chunk, at);
    at += chunk.length;
  };
  let take: ((chunk: Uint8Array) => void) | undefined;
  let unpacker: BrotliDecStream | undefined;
  try {
    for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
      if (chunk.length === 0) continue;
      if (!take) {
        if (WASM.every((byte, index) => chunk[index] === byte)) take = put;
        else {
          initSync({ module: await decoder() });
          unpacker = new BrotliDecStream();
          take = through(unpacker, put);
        }
      }
      take(chunk);
    }
  } catch (error) {
    if (error instanceof WardianError) throw error;
    throw new WardianError("io", `cannot fetch ${name}: ${String(error)}`);
  } finally {
    unpacker?.free();
  }
  if (at !== length) throw new WardianError("integrity", `${name} has ${at} bytes, and should have ${length}`);
  return bytes;
}

function through(unpacker: BrotliDecStream, put: (chunk: Uint8Array) => void): (chunk: Uint8Array) => void {
  return (chunk) => {
    let rest = chunk;
    for (;;) {
      const result = unpacker.dec(rest, PIECE_BYTES);
      put(result.buf);
      rest = rest.subarray(result.input_offset);
      const { code } = result;
      result.free();
      if (code !== NEEDS_MORE_OUTPUT) return;
    }
  };
}
