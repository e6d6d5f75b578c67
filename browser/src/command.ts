/** One process: a command in a fresh instance, with the streams that it was started with. */

import { cli, Exit } from "./capability/cli.js";
import { Mounts } from "./capability/filesystem.js";
import { http, type Send } from "./capability/http.js";
import { Captured } from "./capability/output.js";
import type { Ends } from "./capability/pipe.js";
import type { Starter } from "./capability/process.js";
import type { Told } from "./capability/recent.js";
import { start } from "./capability/start.js";
import { BrokenPipe, standardInput, standardOutput } from "./capability/stdio.js";
import { sockets } from "./capability/sockets.js";
import { turns, type TurnsAccess } from "./capability/turns.js";
import { common, count, instantiate, setMeter, type Imports } from "./instance.js";
import { Meter } from "./limits.js";
import type { CommandStart, Done, Job, Program, Status } from "./protocol.js";
import { fault, lend } from "./tool.js";

export interface Surroundings {
  turns: TurnsAccess;
  ends: Ends;
  starter: Starter;
  send: Send;
  told: Told;
}

interface Run {
  run(): Promise<void>;
}

export async function runCommand(job: Job, what: CommandStart, program: Program, lent: Surroundings): Promise<Done> {
  const meter = new Meter(job.limits);
  const mounts = new Mounts();
  lend(mounts, job, lent.told);
  const stderr = new Captured();
  const stdin = what.stdin === undefined ? undefined : lent.ends.reader(what.stdin);
  const writer = (end: number | undefined) => (end === undefined ? undefined : lent.ends.writer(end));
  const out = standardOutput(writer(what.stdout), meter, () => {});
  const err = standardOutput(writer(what.stderr), meter, (bytes) => stderr.push(bytes));
  const imports: Imports = {
    ...common(),
    ...cli({
      args: what.argv,
      env: what.env,
      cwd: what.cwd,
      stdin: () => standardInput(stdin),
      stdout: () => out,
      stderr: () => err,
    }),
    ...mounts.imports(),
    ...sockets(),
    ...http(lent.send),
    "wardian:host/turns": turns(lent.turns),
    "wardian:host/start": start(what.asksForDirectory ? undefined : what.cwd),
    "wardian:process/process": lent.starter.imports(),
    "wardian:process/jobs": lent.starter.jobs(),
    "wardian:tool/others": lent.starter.others(),
  };
  let result: Done["result"];
  setMeter(meter);
  meter.resume();
  try {
    const instance = await instantiate(program, count(imports), (memory) => meter.watch(memory));
    const name = Object.keys(instance).find((name) => name.startsWith("wasi:cli/run@")) ?? "";
    result = { tag: "ok", val: await ran(instance[name] as Run) };
  } catch (error) {
    const status: Status | undefined =
      error instanceof Exit
        ? { tag: "exited", val: error.status & 0xff }
        : error instanceof BrokenPipe
          ? { tag: "killed", val: { tag: "pipe" } }
          : undefined;
    result = status ? { tag: "ok", val: status } : { tag: "err", val: fault(error, meter, new Captured()) };
  } finally {
    setMeter(undefined);
    meter.pause();
    await mounts.close().catch(() => {});
  }
  return { result, memoryPeak: Math.max(meter.memoryPeak, meter.memory()) };
}

/** A program that returns an error has the status 1. */
async function ran(run: Run): Promise<Status> {
  try {
    await run.run();
    return { tag: "exited", val: 0 };
  } catch (error) {
    if (error instanceof Error) throw error;
    return { tag: "exited", val: 1 };
  }
}
