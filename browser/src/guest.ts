/** The worker that guests run in: one at a time, each in an instance of its own. A worker is ended where a guest will not. */

import type { FromGuest, Program, ToGuest } from "./protocol.js";
import { hear } from "./capability/ahead.js";
import { Ends } from "./capability/pipe.js";
import { Starter } from "./capability/process.js";
import type { Told } from "./capability/recent.js";
import { Requests } from "./capability/requests.js";
import { runCommand } from "./command.js";
import { runTool } from "./tool.js";
import { currentMeter } from "./instance.js";

const scope = globalThis as unknown as {
  postMessage(message: FromGuest): void;
  onmessage: ((event: MessageEvent<ToGuest>) => void) | null;
};

const say = (message: FromGuest): void => scope.postMessage(message);

const programs = new Map<string, Program>();
const takers = new Map<number, (ended: number | undefined) => void>();
const ends = new Ends(say);
let starter = new Starter(ends, say, []);
let requests = new Requests(ends, say);
let request = 0;
let ended = 0;

const told: Told = { wrote: (path, content) => say({ kind: "wrote", path, content }) };

const turns = {
  take: () =>
    new Promise<number | undefined>((resolve) => {
      request += 1;
      takers.set(request, resolve);
      say({ kind: "take-turn", request });
    }),
  end: () => {
    ended += 1;
    say({ kind: "end-turn", ended });
  },
  ended: () => ended,
};

scope.onmessage = ({ data: message }) => {
  if (message.kind !== "ping") hear();
  switch (message.kind) {
    case "warm":
      programs.set(message.program.key, message.program);
      // If it cannot be had, the guest that needs it says so.
      void import(/* @vite-ignore */ message.program.glue).catch(() => {});
      break;
    case "run": {
      const { job } = message;
      if ("modules" in job.program) programs.set(job.program.key, job.program);
      const program = programs.get(job.program.key);
      if (!program) throw new Error(`the program ${job.program.key} was not sent`);
      ended = job.turns;
      const progress = (text: string, done: [bigint, bigint] | undefined) =>
        say({ kind: "progress", message: text, done });
      ends.clear();
      starter = new Starter(ends, say, job.commands);
      requests = new Requests(ends, say);
      const { send } = requests;
      const done =
        job.what.kind === "tool"
          ? runTool(job, job.what.call, program, { turns, starter, send, told, progress })
          : runCommand(job, job.what, program, { turns, starter, send, told, ends });
      void done.then((done) => say({ kind: "done", done }));
      break;
    }
    case "turn": {
      if (message.ended !== undefined) ended = message.ended;
      takers.get(message.request)?.(message.ended);
      takers.delete(message.request);
      break;
    }
    case "turns":
      ended = Math.max(ended, message.ended);
      break;
    case "ping": {
      const meter = currentMeter();
      say({ kind: "pong", ping: message.ping, active: meter?.active() ?? 0, memory: meter?.memory() ?? 0 });
      break;
    }
    case "response":
      requests.response(message.request, message.status, message.headers, message.end);
      break;
    case "no-response":
      requests.none(message.request, message.code);
      break;
    case "body-failed":
      requests.failed(message.end, message.code);
      break;
    case "job":
      starter.answered(message.request, message.answer);
      break;
    case "called":
      starter.called(message.request, message.answer);
      break;
    case "spawned":
      starter.spawned(message.request, message.spawned);
      break;
    case "exited":
      starter.exited(message.process, message.exit, message.totals);
      break;
    case "data":
      ends.data(message.end, message.bytes);
      break;
    case "unwanted":
      ends.unwanted(message.end);
      break;
    case "credit":
      ends.credit(message.end, message.bytes);
      break;
    case "broken":
      ends.broken(message.end);
      break;
  }
};

say({ kind: "ready" });
