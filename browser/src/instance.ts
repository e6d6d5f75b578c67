/** Instances: one component with what it is lent. */

import { monotonicClock, wallClock } from "./capability/clocks.js";
import { devices } from "./capability/devices.js";
import { modes } from "./capability/modes.js";
import { poll, Pollable } from "./capability/poll.js";
import { insecure, insecureSeed, random } from "./capability/random.js";
import { smallFiles } from "./capability/small-files.js";
import { InputStream, IoError, OutputStream } from "./capability/streams.js";
import type { Meter } from "./limits.js";
import type { Program } from "./protocol.js";

export type Imports = Record<string, Record<string, unknown>>;

/** What every component is lent: nothing that reaches anything. */
export const common = (): Imports => ({
  "wasi:io/poll": { Pollable, poll },
  "wasi:io/error": { Error: IoError },
  "wasi:io/streams": { InputStream, OutputStream },
  "wasi:clocks/monotonic-clock": monotonicClock,
  "wasi:clocks/wall-clock": wallClock,
  "wasi:random/random": random,
  "wasi:random/insecure": insecure,
  "wasi:random/insecure-seed": insecureSeed,
  "wardian:host/devices": devices,
  "wardian:host/modes": modes,
  "wardian:host/small-files": smallFiles,
});

interface Glue {
  instantiate(
    module: (name: string) => WebAssembly.Module,
    imports: Imports,
    core: (module: WebAssembly.Module, imports: WebAssembly.Imports) => Promise<WebAssembly.Instance>,
  ): Promise<Record<string, unknown>>;
}

/** Instantiates a program. `seen` is told of its memories. */
export async function instantiate(
  program: Program,
  imports: Imports,
  seen: (memory: WebAssembly.Memory) => void = () => {},
): Promise<Record<string, unknown>> {
  const glue = (await import(/* @vite-ignore */ program.glue)) as Glue;
  const known = new Set<WebAssembly.Memory>();
  return glue.instantiate(
    (name) => {
      const module = program.modules[name];
      if (!module) throw new Error(`the program has no module ${name}`);
      return module;
    },
    imports,
    async (module, imports) => {
      const instance = await WebAssembly.instantiate(module, imports);
      for (const each of Object.values(instance.exports)) {
        if (each instanceof WebAssembly.Memory && !known.has(each)) {
          known.add(each);
          seen(each);
        }
      }
      return instance;
    },
  );
}

/** The instance that runs in this worker now: there is one at a time. */
let metered: Meter | undefined;

export function setMeter(meter: Meter | undefined): void {
  metered = meter;
}

export function currentMeter(): Meter | undefined {
  return metered;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

const COUNTED = Symbol("counted");

/** The same function, counted as a call into the host; the time in which it is waited for is not the code's. */
function counted(method: Method): Method {
  return function (...args) {
    const meter = metered;
    meter?.hostcall();
    const result = method.apply(this, args);
    if (!(result instanceof Promise) || !meter) return result;
    meter.pause();
    const resume = () => {
      // Unless it has ended meanwhile, and another one runs.
      if (metered === meter) meter.resume();
    };
    return result.then(
      (value: unknown) => {
        resume();
        return value;
      },
      (error: unknown) => {
        resume();
        throw error;
      },
    );
  };
}

/** Makes every call into the host count, whatever it is lent. */
export function count(imports: Imports): Imports {
  const all: Imports = {};
  for (const [name, each] of Object.entries(imports)) {
    const members: Record<string, unknown> = (all[name] = {});
    for (const [key, member] of Object.entries(each)) {
      if (typeof member !== "function") members[key] = member;
      else if (/^[A-Z]/.test(key)) {
        countClass(member.prototype as Record<PropertyKey, unknown>);
        members[key] = member;
      } else members[key] = counted(member as Method);
    }
  }
  return all;
}

function countClass(prototype: Record<PropertyKey, unknown>): void {
  if (Object.hasOwn(prototype, COUNTED)) return;
  Object.defineProperty(prototype, COUNTED, { value: true });
  for (const key of Object.getOwnPropertyNames(prototype)) {
    const property = Object.getOwnPropertyDescriptor(prototype, key);
    if (key !== "constructor" && typeof property?.value === "function") {
      Object.defineProperty(prototype, key, { ...property, value: counted(property.value as Method) });
    }
  }
}

/** A trap, as the native host names it. */
export function trapName(error: Error): string {
  const message = error.message;
  if (error instanceof RangeError) return "wasm trap: call stack exhausted";
  if (!(error instanceof WebAssembly.RuntimeError)) return message;
  const names: [RegExp, string][] = [
    [/unreachable/, "wasm `unreachable` instruction executed"],
    [/memory access out of bounds/, "out of bounds memory access"],
    [/divide by zero/, "integer divide by zero"],
    [/remainder by zero/, "integer divide by zero"],
    [/divide result unrepresentable/, "integer overflow"],
    [/float unrepresentable/, "invalid conversion to integer"],
    [/table index is out of bounds|table access/, "undefined element: out of bounds table access"],
    [/null function or function signature mismatch|signature/, "indirect call type mismatch"],
  ];
  const name = names.find(([pattern]) => pattern.test(message))?.[1];
  return name ? `wasm trap: ${name}` : message;
}
