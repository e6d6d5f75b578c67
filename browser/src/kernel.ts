/** Processes: who started whom, with what streams, and what holds for all that one call starts. */

import type { AgentEvent, Limits } from "./api.js";
import { Activities } from "./capability/activities.js";
import type { GuestRequest } from "./capability/http.js";
import { HttpFailure, type Download, type ErrorCode, type Sending } from "./capability/http/send.js";
import type { Recent } from "./capability/recent.js";
import { Tree } from "./capability/tree.js";
import type { Turns } from "./capability/turns.js";
import type { Components, ManifestCommand } from "./components.js";
import { End, Pipe, type Owner } from "./pipes.js";
import { Jobs, RUNNING_MAX } from "./jobs.js";
import { CREDIT_BYTES } from "./protocol.js";
import type {
  CommandInfo,
  Exit,
  Fault,
  FromGuest,
  Job,
  JobAnswer,
  JobRequest,
  Layers,
  Powers,
  Spawn,
  SpawnError,
  Spawned,
  Status,
  Stream,
  ToGuest,
} from "./protocol.js";
import type { Ended, Running, Workers } from "./workers.js";

/** Processes of one family that run at once. A pipeline has a dozen; a program that starts itself has no end. */
const PROCESSES_MAX = 64;

/** From a job's start to its end. */
const JOB_WALL_MS_MAX = 3_600_000;

/** How deep processes may start each other. */
const DEPTH_MAX = 16;

/** Bytes of the arguments and the environment of one process, as on Linux. */
const ARGUMENTS_BYTES_MAX = 2 << 20;

/** What a family may use: as much as its first member. */
class Family {
  processes = 1;
  /** As far as it was told. */
  readonly used = new Map<Member, { active: number; memory: number }>();
  #spent = 0;

  constructor(readonly limits: Limits) {}

  gone(member: Member): void {
    this.#spent += this.used.get(member)?.active ?? 0;
    this.used.delete(member);
    this.processes -= 1;
  }

  /** The limit that all together have reached. */
  reached(): { name: string; at: number } | undefined {
    let [active, memory] = [this.#spent, 0];
    for (const each of this.used.values()) {
      active += each.active;
      memory += each.memory;
    }
    if (active > this.limits.cpu_ms_max) return { name: "cpu-ms-max", at: this.limits.cpu_ms_max };
    if (memory > this.limits.memory_bytes_max) return { name: "memory-bytes-max", at: this.limits.memory_bytes_max };
    return undefined;
  }
}

/** Code that may start processes: a tool's call, or a process. */
interface Member {
  family: Family;
  depth: number;
  powers: Powers;
  limits: Limits;
  running: Running | undefined;
  stdin: End | undefined;
  stdout: End | undefined;
  stderr: End | undefined;
  /** Ends that its worker has besides. */
  ends: Map<number, End>;
  children: Map<number, Process>;
  call: string | undefined;
  process: number | undefined;
  /** What it does besides computing is told here. */
  activities: Activities;
  /** None: it has no network. */
  sending: Sending | undefined;
  /** None: it cannot start what outlives it. */
  jobs: Jobs | undefined;
  /** Requests under way. */
  isOver?: boolean;
  requests: Map<number, { isCancelled: boolean; download?: Download }>;
}

interface Process extends Member {
  process: number;
  begin: number;
  kill: (status: Status) => void;
}

export interface KernelOptions {
  components: Components;
  workers: Workers;
  commands: ManifestCommand[];
  layers: Layers;
  turns: Turns;
  /** Told of what processes write to the layer. */
  recent: Recent;
  show: (event: AgentEvent) => void;
}

const spawnError = (error: unknown): SpawnError =>
  typeof error === "object" && error !== null && "tag" in error
    ? (error as SpawnError)
    : { tag: "broken", val: error instanceof Error ? error.message : String(error) };

/** The number that shells and scripts know: 128 and a signal's where the process was ended. */
export function code(status: Status): number {
  if (status.tag === "exited") return status.val;
  return { pipe: 141, trapped: 134, killed: 137, limit: 137, host: 137 }[status.val.tag];
}

export const killedBy = (status: Status): string | undefined => {
  if (status.tag === "exited") return undefined;
  const { val } = status;
  if (val.tag === "limit") return val.val.name.replaceAll("-", "_");
  return "val" in val ? `${val.tag}: ${val.val}` : val.tag;
};

function statusOf(ended: Ended): { status: Status; memoryPeak: number } {
  const killed = (val: Extract<Status, { tag: "killed" }>["val"]): Status => ({ tag: "killed", val });
  if ("limit" in ended) return { status: killed({ tag: "limit", val: ended.limit }), memoryPeak: 0 };
  if ("broken" in ended) return { status: killed({ tag: "host", val: ended.broken }), memoryPeak: 0 };
  if ("killed" in ended) return { status: killed({ tag: "killed" }), memoryPeak: 0 };
  const { result, memoryPeak } = ended.done;
  if (result.tag === "ok") return { status: result.val as Status, memoryPeak };
  const fault: Fault = result.val;
  if (fault.tag === "limit") return { status: killed({ tag: "limit", val: fault.val }), memoryPeak };
  return { status: killed({ tag: fault.tag === "trapped" ? "trapped" : "host", val: fault.val }), memoryPeak };
}

const encoder = new TextEncoder();

export class Kernel {
  readonly #options: KernelOptions;
  #count = 0;

  constructor(options: KernelOptions) {
    this.#options = options;
  }

  /** What code with these powers may start. */
  commands(powers: Powers): CommandInfo[] {
    const all = this.#options.commands.flatMap(({ name: component, digest, names }) =>
      names.map((name) => ({ name, component, digest })),
    );
    const may = (name: string) => powers.process.includes("*") || powers.process.includes(name);
    return all.filter(({ name }) => may(name)).sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** A tool's call. It has no streams of its own that lead anywhere. */
  member(powers: Powers, limits: Limits, call: string, activities: Activities, more: { sending?: Sending | undefined; jobs?: Jobs } = {}): Member {
    const streams = { stdin: undefined, stdout: undefined, stderr: undefined };
    // What a process prints is for its starter, who bounds what becomes of it.
    const own = { ...limits, output_bytes_max: Number.MAX_SAFE_INTEGER };
    const [ends, children] = [new Map<number, End>(), new Map<number, Process>()];
    const family = new Family(limits);
    const requests: Member["requests"] = new Map();
    const { sending, jobs } = more;
    const rest = { ends, children, call, process: undefined, activities, sending, jobs, requests };
    return { family, depth: 0, powers, limits: own, running: undefined, ...streams, ...rest };
  }

  /** Hears what a member's worker says. */
  hear(member: Member, message: FromGuest): void {
    const say = (message: ToGuest) => member.running?.say(message);
    switch (message.kind) {
      case "spawn":
        void this.#spawn(member, message.spawn).then(
          (spawned) => say({ kind: "spawned", request: message.request, spawned }),
          (error: unknown) => say({ kind: "spawned", request: message.request, spawned: { error: spawnError(error) } }),
        );
        break;
      case "job":
        void this.#job(member, message.job).then((answer) => say({ kind: "job", request: message.request, answer }));
        break;
      case "call":
        void member.activities
          .call(message.tool, message.input)
          .then((answer) => say({ kind: "called", request: message.request, answer }));
        break;
      case "kill":
        member.children.get(message.process)?.kill({ tag: "killed", val: { tag: "killed" } });
        break;
      case "want": {
        const end = this.#end(member, message.end);
        end?.pipe.want(end);
        break;
      }
      case "unwant": {
        const end = this.#end(member, message.end);
        end?.pipe.unwant(end);
        break;
      }
      case "write": {
        const end = this.#end(member, message.end);
        end?.pipe.write(end, message.bytes);
        break;
      }
      case "close":
        this.#end(member, message.end)?.close();
        member.ends.delete(message.end);
        break;
      case "wrote":
        this.#options.recent.wrote(message.path, message.content);
        break;
      case "request":
        void this.#request(member, message.request, message.outgoing);
        break;
      case "cancel-request": {
        const request = member.requests.get(message.request);
        if (request) request.isCancelled = true;
        request?.download?.cancel();
        break;
      }
      case "pong": {
        member.family.used.set(member, { active: message.active, memory: message.memory });
        const reached = member.family.reached();
        if (reached) member.running?.limit(reached);
        break;
      }
    }
  }

  /** Sends a request for a worker; the body comes back through a pipe, no faster than it is read. */
  async #request(member: Member, request: number, outgoing: GuestRequest): Promise<void> {
    const say = (message: ToGuest) => member.running?.say(message);
    const fail = (error: unknown): ErrorCode =>
      error instanceof HttpFailure ? error.code : { tag: "internal-error", val: String(error) };
    const state: { isCancelled: boolean; download?: Download } = { isCancelled: false };
    member.requests.set(request, state);
    try {
      if (!member.sending) throw new HttpFailure({ tag: "HTTP-request-denied" });
      const { status, headers, body } = await member.sending.send(outgoing);
      state.download = body;
      if (state.isCancelled || member.isOver) body.cancel();
      const pipe = new Pipe();
      let next = () => {};
      const writer = new End(pipe, "write", (message) => {
        if (message.kind === "broken") body.cancel();
        next();
      });
      const reader = new End(pipe, "read", say);
      member.ends.set(reader.id, reader);
      say({ kind: "response", request, status, headers, end: reader.id });
      try {
        for (;;) {
          const bytes = await body.next();
          if (!bytes) break;
          const taken = new Promise<void>((resolve) => (next = resolve));
          pipe.write(writer, bytes);
          await taken;
        }
      } catch (error) {
        say({ kind: "body-failed", end: reader.id, code: fail(error) });
      }
      writer.close();
    } catch (error) {
      say({ kind: "no-response", request, code: fail(error) });
    } finally {
      member.requests.delete(request);
    }
  }

  #end(member: Member, id: number): End | undefined {
    return [member.stdin, member.stdout, member.stderr].find((end) => end?.id === id) ?? member.ends.get(id);
  }

  /** The member's code has ended: nothing that it has started or has open outlives it. */
  ended(member: Member): void {
    member.isOver = true;
    for (const { download } of member.requests.values()) download?.cancel();
    for (const child of [...member.children.values()]) child.kill({ tag: "killed", val: { tag: "killed" } });
    for (const end of member.ends.values()) end.close();
    for (const end of [member.stdin, member.stdout, member.stderr]) end?.close();
    member.family.gone(member);
  }

  #check({ argv, env, cwd }: Spawn): void {
    const invalid = (val: string): SpawnError => ({ tag: "invalid", val });
    const bytes = [...argv, ...env.flat()].reduce((sum, text) => sum + encoder.encode(text).length, 0);
    if (bytes > ARGUMENTS_BYTES_MAX) {
      throw invalid(`arguments and environment have ${bytes} bytes, more than ${ARGUMENTS_BYTES_MAX}`);
    }
    if (argv.some((argument) => argument.includes("\0"))) throw invalid("an argument has a zero byte");
    if (!cwd.startsWith("/")) throw invalid(`cwd is no absolute path: ${JSON.stringify(cwd)}`);
  }

  async #job(member: Member, job: JobRequest): Promise<JobAnswer> {
    const { jobs } = member;
    switch (job.ask) {
      case "list":
        return { jobs: jobs?.list() ?? [] };
      case "kill":
        return { found: jobs?.kill(job.id) ?? false };
      case "start":
        try {
          return { id: await this.#startJob(member, job.spawn, job.label) };
        } catch (error) {
          return { error: spawnError(error) };
        }
    }
  }

  /** What `argv` names, if this code may start it. */
  #command(member: Member, spawn: Spawn): ManifestCommand {
    const name = spawn.argv[0];
    if (name === undefined) throw { tag: "invalid", val: "argv is empty" } satisfies SpawnError;
    this.#check(spawn);
    const command = this.#options.commands.find(({ names }) => names.includes(name));
    if (!command) throw { tag: "not-found" } satisfies SpawnError;
    const { powers } = member;
    if (!powers.process.includes("*") && !powers.process.includes(name)) {
      throw { tag: "not-permitted", val: name } satisfies SpawnError;
    }
    return command;
  }

  /** A family of its own: that of its starter ends with the call. */
  async #startJob(starter: Member, spawn: Spawn, label: string): Promise<number> {
    const command = this.#command(starter, spawn);
    const { jobs, powers, limits } = starter;
    if (!jobs) throw { tag: "invalid", val: "there is no session that jobs could belong to" } satisfies SpawnError;
    if (jobs.running >= RUNNING_MAX) throw { tag: "too-many", val: RUNNING_MAX } satisfies SpawnError;
    const child = this.#child(this.member(powers, limits, "", jobs.activities));
    child.call = undefined;
    const toChild: Owner = (message) => child.running?.say(message);
    const drained: Promise<void>[] = [];
    const connect = async (stream: Stream, which: "stdin" | "stdout" | "stderr"): Promise<End | undefined> => {
      if (stream.tag === "stdout" && which === "stderr") return child.stdout?.share(toChild);
      if (stream.tag !== "file") return undefined;
      return this.#file(stream, which === "stdin", toChild, drained);
    };
    child.stdin = await connect(spawn.stdin, "stdin");
    child.stdout = await connect(spawn.stdout, "stdout");
    child.stderr = await connect(spawn.stderr, "stderr");
    const wall = Math.min(spawn.limits.wall_ms_max ?? JOB_WALL_MS_MAX, JOB_WALL_MS_MAX);
    const own = { ...narrowed(limits, spawn.limits), wall_ms_max: wall };
    let over: (exit: Exit) => void = () => {};
    const ended = new Promise<Exit>((resolve) => (over = resolve));
    const id = await this.#start(child, command, spawn, own, (exit) => over(exit));
    jobs.add(id, spawn.argv, label, () => child.kill({ tag: "killed", val: { tag: "killed" } }));
    // It has ended once what it wrote is in its file.
    void ended.then(async (exit) => {
      await Promise.all(drained);
      jobs.ended(id, exit);
    });
    return id;
  }

  /** An end of a pipe whose other end is a file. */
  async #file(place: Extract<Stream, { tag: "file" }>, isInput: boolean, owner: Owner, drained: Promise<void>[]): Promise<End> {
    const { layers } = this.#options;
    const folder = { "/upper": layers.upper, "/tmp": layers.tmp, "/project": layers.project }[place.mount];
    if (!folder) throw { tag: "invalid", val: "a job's stream is no file" } satisfies SpawnError;
    const tree = new Tree(folder, folder === layers.upper ? this.#options.recent : undefined);
    const file = await tree.open(place.path, { create: false, exclusive: false, write: !isInput });
    const pipe = new Pipe();
    let wake = () => {};
    let at = place.at;
    let done = () => {};
    const over = () => {
      file.close();
      void tree.close();
      done();
    };
    if (isInput) {
      const writer = new End(pipe, "write", (message) => (message.kind === "broken" ? over() : wake()));
      void (async () => {
        for (let from = at ?? 0; ; ) {
          const bytes = await file.read(CREDIT_BYTES, from);
          if (bytes.length === 0) break;
          const taken = new Promise<void>((resolve) => (wake = resolve));
          pipe.write(writer, bytes);
          await taken;
          from += bytes.length;
        }
        writer.close();
        over();
      })().catch(() => writer.close());
      return new End(pipe, "read", owner);
    }
    drained.push(new Promise((resolve) => (done = resolve)));
    const reader: End = new End(pipe, "read", (message) => {
      if (message.kind !== "data") return;
      const { bytes } = message;
      if (!bytes) return over();
      void (async () => {
        const position = at ?? (await file.size());
        const written = await file.write(bytes, position);
        if (at !== undefined) at += written;
        if (written < bytes.length) throw new Error("there is no space");
        pipe.want(reader);
      })().catch(() => {
        reader.close();
        over();
      });
    });
    // Before anything is wanted: a pipe that nobody writes to is at its end.
    const end = new End(pipe, "write", owner);
    pipe.want(reader);
    return end;
  }

  async #spawn(starter: Member, spawn: Spawn): Promise<Spawned> {
    const toStarter: Owner = (message) => starter.running?.say(message);
    const given: End[] = [];
    const take = (stream: Stream): End | undefined => {
      if (stream.tag !== "end") return undefined;
      const end = this.#end(starter, stream.end);
      starter.ends.delete(stream.end);
      if (end) given.push(end);
      if (end && stream.unread) end.pipe.unread(stream.unread);
      return end;
    };
    const [fromIn, fromOut, fromErr] = [take(spawn.stdin), take(spawn.stdout), take(spawn.stderr)];
    const opened: End[] = [];
    try {
      const command = this.#command(starter, spawn);
      if (starter.depth >= DEPTH_MAX) throw { tag: "too-many", val: DEPTH_MAX } satisfies SpawnError;
      const { family } = starter;
      if (family.processes >= PROCESSES_MAX) throw { tag: "too-many", val: PROCESSES_MAX } satisfies SpawnError;

      const child = this.#child(starter);
      const toChild: Owner = (message) => child.running?.say(message);
      const ends: Spawned = { process: child.process, stdin: undefined, stdout: undefined, stderr: undefined };
      const owned = (end: End): End => {
        opened.push(end);
        return end;
      };
      const connect = (stream: Stream, which: "stdin" | "stdout" | "stderr", moved: End | undefined): End | undefined => {
        if (stream.tag === "null") return undefined;
        if (stream.tag === "inherit") return starter[which] && owned(starter[which].share(toChild));
        if (stream.tag === "stdout") {
          if (which !== "stderr") throw { tag: "invalid", val: "stdout cannot go to where stdout goes" } satisfies SpawnError;
          return child.stdout && owned(child.stdout.share(toChild));
        }
        if (stream.tag === "end") return moved && owned(moved.share(toChild));
        const pipe = new Pipe();
        const [mine, theirs] = which === "stdin" ? (["read", "write"] as const) : (["write", "read"] as const);
        const other = owned(new End(pipe, theirs, toStarter));
        starter.ends.set(other.id, other);
        ends[which] = other.id;
        return owned(new End(pipe, mine, toChild));
      };
      child.stdin = connect(spawn.stdin, "stdin", fromIn);
      child.stdout = connect(spawn.stdout, "stdout", fromOut);
      child.stderr = connect(spawn.stderr, "stderr", fromErr);
      const pumped = [spawn.stdout.tag === "pump" && ends.stdout, spawn.stderr.tag === "pump" && ends.stderr];
      const totals = pumped.filter((id): id is number => typeof id === "number");
      await this.#start(child, command, spawn, narrowed(starter.limits, spawn.limits), (exit) => {
        const sums = totals.map((id): [number, number] => [id, starter.ends.get(id)?.pipe.total ?? 0]);
        starter.running?.say({ kind: "exited", process: child.process, exit, totals: sums });
        starter.children.delete(child.process);
      });
      starter.children.set(child.process, child);
      return ends;
    } catch (error) {
      for (const end of opened) {
        end.close();
        starter.ends.delete(end.id);
      }
      throw error;
    } finally {
      // The child has its own by now.
      for (const end of given) end.close();
    }
  }

  #child(starter: Member): Process {
    this.#count += 1;
    const [ends, children] = [new Map<number, End>(), new Map<number, Process>()];
    const streams = { stdin: undefined, stdout: undefined, stderr: undefined };
    const { family, powers, limits, call, activities, sending } = starter;
    const requests: Member["requests"] = new Map();
    const rest = { ends, children, call, activities, sending, jobs: undefined, requests };
    const child = { family, depth: starter.depth + 1, powers, limits, running: undefined, ...streams, ...rest };
    return { ...child, process: this.#count, begin: performance.now(), kill: () => {} };
  }

  async #start(
    child: Process,
    command: ManifestCommand,
    { argv, env, cwd }: Pick<Spawn, "argv" | "env" | "cwd">,
    limits: Limits,
    over: (exit: Exit) => void,
  ): Promise<number> {
    child.limits = limits;
    child.family.processes += 1;
    const { components, workers, layers, turns, show } = this.#options;
    let program;
    try {
      program = await components.program(command.program, limits);
    } catch (error) {
      child.family.gone(child);
      throw error;
    }
    child.begin = performance.now();
    const job: Omit<Job, "program" | "turns"> = {
      limits,
      layers,
      files: child.powers.files,
      config: {},
      commands: this.commands(child.powers),
      what: {
        kind: "command",
        ...{ argv, env, cwd, asksForDirectory: command.asksForDirectory },
        ...{ stdin: child.stdin?.id, stdout: child.stdout?.id, stderr: child.stderr?.id },
      },
    };
    show({
      type: "process.started",
      process: child.process,
      ...(child.call === undefined ? {} : { call: child.call }),
      argv,
      component: command.digest,
    });
    const number = child.activities.processStarted(argv, command.digest, cwd);
    let status: Status | undefined;
    const watch = { message: (message: FromGuest) => this.hear(child, message), asked: () => child.activities.asked() };
    const running = workers.run(job, program, turns, watch, (running) => {
      child.running = running;
    });
    child.kill = (why) => {
      status ??= why;
      running.kill();
    };
    void running.ended.then((ended) => {
      const told = statusOf(ended);
      const wallMs = Math.floor(performance.now() - child.begin);
      const exit: Exit = { status: status ?? told.status, wallMs, memoryPeak: told.memoryPeak };
      this.ended(child);
      child.activities.processEnded(number, exit);
      const killed = killedBy(exit.status);
      show({
        type: "process.ended",
        process: child.process,
        status: code(exit.status),
        ...(killed === undefined ? {} : { killed }),
        ms: wallMs,
        memory_peak_bytes: told.memoryPeak,
      });
      over(exit);
    });
    return number;
  }

  /** A program of the user's own: its output goes to the page. */
  async exec(
    spawn: Pick<Spawn, "argv" | "env" | "cwd" | "limits"> & { stdin: Uint8Array },
    powers: Powers,
    limits: Limits,
    output: (stream: "stdout" | "stderr", bytes: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<Exit> {
    const activities = new Activities();
    // Of code that nobody watches nothing is kept.
    activities.close();
    const starter = this.member(powers, limits, "", activities);
    starter.call = undefined;
    const name = spawn.argv[0] ?? "";
    this.#check({ ...spawn, stdin: { tag: "null" }, stdout: { tag: "null" }, stderr: { tag: "null" } });
    const command = this.#options.commands.find(({ names }) => names.includes(name));
    if (!command) throw { tag: "not-found" } satisfies SpawnError;
    const child = this.#child(starter);
    const toChild: Owner = (message) => child.running?.say(message);
    const input = new Pipe();
    child.stdin = new End(input, "read", toChild);
    if (spawn.stdin.length > 0) input.write(undefined, spawn.stdin);
    const sink = (stream: "stdout" | "stderr"): Promise<void> => {
      const pipe = new Pipe();
      return new Promise((resolve) => {
        const end: End = new End(pipe, "read", (message) => {
          if (message.kind !== "data") return;
          if (!message.bytes) return resolve();
          output(stream, message.bytes);
          pipe.want(end);
        });
        child[stream] = new End(pipe, "write", toChild);
        pipe.want(end);
      });
    };
    const drained = [sink("stdout"), sink("stderr")];
    const exit = await new Promise<Exit>((resolve, reject) => {
      this.#start(child, command, spawn, narrowed(limits, spawn.limits), resolve).then(() => {
        const kill = () => child.kill({ tag: "killed", val: { tag: "killed" } });
        if (signal.aborted) kill();
        signal.addEventListener("abort", kill, { once: true });
      }, reject);
    });
    await Promise.all(drained);
    return exit;
  }
}

/** The lower of what is wished and what the caller has. */
function narrowed(own: Limits, wished: Partial<Limits>): Limits {
  const limits = { ...own };
  for (const [name, value] of Object.entries(wished)) {
    const key = name as keyof Limits;
    if (value !== undefined) limits[key] = Math.min(own[key], value);
  }
  return limits;
}
