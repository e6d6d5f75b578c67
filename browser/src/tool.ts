/** One call of a tool, in a fresh instance: what a worker does that runs guests. */

import { cli, Exit, NO_INPUT } from "./capability/cli.js";
import { config } from "./capability/config.js";
import { Mounts } from "./capability/filesystem.js";
import { http, type Send } from "./capability/http.js";
import { Captured, output } from "./capability/output.js";
import type { Starter } from "./capability/process.js";
import type { Told } from "./capability/recent.js";
import { start } from "./capability/start.js";
import { turns, type TurnsAccess } from "./capability/turns.js";
import { common, count, instantiate, setMeter, trapName, type Imports } from "./instance.js";
import { LimitReached, Meter } from "./limits.js";
import type { Done, Fault, Job, Program } from "./protocol.js";

/** Longest progress message that is shown, in bytes. */
const PROGRESS_BYTES_MAX = 512;

export interface Lent {
  turns: TurnsAccess;
  starter: Starter;
  send: Send;
  told: Told;
  progress(message: string, done: [bigint, bigint] | undefined): void;
}

interface Update {
  message: string;
  done?: [bigint, bigint];
}

interface ToolCall {
  id: string;
  tool: string;
  input: string;
}

interface Tools {
  call(call: unknown): Promise<unknown>;
}

/** A guest that could not get memory: its library says so, or it was about to have all that there is. */
const isOutOfMemory = (meter: Meter, said: string | undefined): boolean =>
  /memory allocation of \d+ bytes failed/.test(said ?? "") || meter.memory() + (1 << 20) > meter.limits.memory_bytes_max;

/** Why code broke, as a fault. */
export function fault(error: unknown, meter: Meter, stderr: Captured): Fault {
  if (meter.reached) return { tag: "limit", val: meter.reached };
  if (error instanceof LimitReached) return { tag: "limit", val: error.fault };
  const said = stderr.lastLine();
  if (error instanceof WebAssembly.RuntimeError && isOutOfMemory(meter, said)) {
    return { tag: "limit", val: { name: "memory-bytes-max", at: meter.limits.memory_bytes_max } };
  }
  if (error instanceof WebAssembly.LinkError) return { tag: "host", val: `cannot start an instance: ${error.message}` };
  let what = String(error);
  if (error instanceof Exit) what = `it called exit(${error.status}) instead of returning`;
  else if (error instanceof Error) what = trapName(error);
  return { tag: "trapped", val: said ? `${what}: ${said}` : what };
}

/** Lends the workspace its folders, as far as the grant goes. */
export function lend(mounts: Mounts, job: Pick<Job, "layers" | "files">, told: Told): void {
  if (job.files === "none") return;
  const writable = job.files === "write";
  mounts.lend("/project", { ...job.layers.project, writable: false });
  mounts.lend("/upper", { ...job.layers.upper, writable }, { told });
  mounts.lend("/tmp", { ...job.layers.tmp, writable });
}

const encoder = new TextEncoder();

/** Bytes of text and of what else a result has. */
function resultBytes(result: unknown): number {
  if (typeof result === "string") return encoder.encode(result).length;
  if (result instanceof Uint8Array) return result.length;
  if (typeof result === "object" && result !== null) {
    return Object.entries(result).reduce((sum, [key, each]) => sum + (key === "tag" ? 0 : resultBytes(each)), 0);
  }
  return 0;
}

export async function runTool(job: Job, call: ToolCall, program: Program, lent: Lent): Promise<Done> {
  const meter = new Meter(job.limits);
  const stderr = new Captured();
  const mounts = new Mounts();
  lend(mounts, job, lent.told);
  const imports: Imports = {
    ...common(),
    ...cli({
      args: [],
      env: [],
      stdin: NO_INPUT,
      stdout: () => output(meter, new Captured()),
      stderr: () => output(meter, stderr),
    }),
    ...mounts.imports(),
    "wasi:config/store": config(job.config),
    "wardian:host/turns": turns(lent.turns),
    "wardian:host/start": start(),
    ...http(lent.send),
    "wardian:process/process": lent.starter.imports(),
    "wardian:process/jobs": lent.starter.jobs(),
    "wardian:tool/others": lent.starter.others(),
    "wardian:tool/progress": {
      report(update: Update) {
        const bytes = encoder.encode(update.message);
        meter.putOut(bytes.length + 16);
        const cut = new TextDecoder().decode(bytes.subarray(0, PROGRESS_BYTES_MAX)).replace(/\ufffd+$/, "");
        lent.progress(bytes.length > PROGRESS_BYTES_MAX ? cut : update.message, update.done);
      },
    },
  };
  let result: Done["result"];
  setMeter(meter);
  meter.resume();
  try {
    const instance = await instantiate(program, count(imports), (memory) => meter.watch(memory));
    const tools = instance["wardian:tool/tools@0.1.0"] as Tools;
    let answer: { tag: "ok" | "err"; val: unknown };
    try {
      answer = { tag: "ok", val: await tools.call(call) };
    } catch (error) {
      // What a tool reports is a value of its contract; everything else is how the code broke.
      if (error instanceof Error) throw error;
      answer = { tag: "err", val: error };
    }
    meter.putOut(resultBytes(answer.val));
    result = { tag: "ok", val: answer };
  } catch (error) {
    result = { tag: "err", val: fault(error, meter, stderr) };
  } finally {
    setMeter(undefined);
    meter.pause();
    await mounts.close().catch(() => {});
  }
  meter.memoryPeak = Math.max(meter.memoryPeak, meter.memory());
  return { result, memoryPeak: meter.memoryPeak };
}
