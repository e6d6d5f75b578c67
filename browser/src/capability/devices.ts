/** `wardian:host/devices`: streams that a guest cannot make itself. */

import { READY } from "./poll.js";
import { randomBytes } from "./random.js";
import { EMPTY, InputStream, OutputStream, SINK } from "./streams.js";

export const devices = {
  empty: (): InputStream => new InputStream(EMPTY),
  zeros: (): InputStream => new InputStream({ ...READY, read: (size) => new Uint8Array(size), close() {} }),
  random: (): InputStream => new InputStream({ ...READY, read: randomBytes, close() {} }),
  sink: (): OutputStream => new OutputStream(SINK),
};
