/** `wasi:clocks`. */

import { Pollable, Timer } from "./poll.js";

const NS_PER_MS = 1_000_000;

const ns = (ms: number): bigint => BigInt(Math.round(ms * NS_PER_MS));

export const monotonicClock = {
  now: (): bigint => ns(performance.now()),
  // Browsers round it: finer than this it is nowhere.
  resolution: (): bigint => ns(0.1),
  subscribeInstant: (when: bigint): Pollable => new Pollable(new Timer(Number(when) / NS_PER_MS)),
  subscribeDuration: (duration: bigint): Pollable =>
    new Pollable(new Timer(performance.now() + Number(duration) / NS_PER_MS)),
};

export interface Datetime {
  seconds: bigint;
  nanoseconds: number;
}

export function datetime(ms: number): Datetime {
  const whole = Math.floor(ms / 1000);
  return { seconds: BigInt(whole), nanoseconds: Math.floor((ms - whole * 1000) * NS_PER_MS) };
}

export const wallClock = {
  now: (): Datetime => datetime(performance.timeOrigin + performance.now()),
  resolution: (): Datetime => datetime(1),
};
