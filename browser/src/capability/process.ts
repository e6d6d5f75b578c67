/** `wardian:process`: starts commands for tools and for other commands. */

import type { Limits } from "../api.js";
import type {
  CommandInfo,
  Exit,
  FromGuest,
  JobAnswer,
  JobRequest,
  Spawn,
  SpawnError,
  Spawned,
  Stream,
  ToolAnswer,
} from "../protocol.js";
import { FileReader, FileWriter } from "./filesystem.js";
import { Ends, PipeReader, PipeWriter, pump } from "./pipe.js";
import { Pollable, Signal, type Source } from "./poll.js";
import { dispose, InputStream, OutputStream } from "./streams.js";

interface Command {
  argv: string[];
  env: [string, string][];
  cwd: string;
  stdin: { tag: "inherit" | "null" | "pipe" } | { tag: "from"; val: InputStream };
  stdout: Output;
  stderr: Output;
  limits: { wallMsMax?: bigint; cpuMsMax?: bigint; memoryBytesMax?: bigint; outputBytesMax?: bigint };
}

type Output = { tag: "inherit" | "null" | "pipe" | "stdout" } | { tag: "to"; val: OutputStream };

function told(exit: Exit) {
  const { status } = exit;
  const killed = status.tag === "killed" ? status.val : undefined;
  const limited = killed?.tag === "limit" ? { name: killed.val.name, at: BigInt(killed.val.at) } : undefined;
  return {
    status: limited ? { tag: "killed", val: { tag: "limit", val: limited } } : status,
    wallMs: BigInt(exit.wallMs),
    memoryPeakBytes: BigInt(exit.memoryPeak),
  };
}

/** A process that guest code has started. */
export class Child {
  readonly #signal = new Signal();
  readonly #process: number;
  readonly #say: (message: FromGuest) => void;
  #stdin: OutputStream | undefined;
  #stdout: InputStream | undefined;
  #stderr: InputStream | undefined;
  #exit: Exit | undefined;
  /** Bytes that came through each end that is pumped into a file, and bytes that have to. */
  readonly moved = new Map<number, number>();
  #totals: [number, number][] = [];

  constructor(
    process: number,
    say: (message: FromGuest) => void,
    ends: { stdin?: OutputStream; stdout?: InputStream; stderr?: InputStream },
  ) {
    this.#process = process;
    this.#say = say;
    this.#stdin = ends.stdin;
    this.#stdout = ends.stdout;
    this.#stderr = ends.stderr;
  }

  exited(exit: Exit, totals: [number, number][]): void {
    this.#exit = exit;
    this.#totals = totals;
    this.#signal.fire();
  }

  count(end: number, bytes: number): void {
    this.moved.set(end, (this.moved.get(end) ?? 0) + bytes);
    this.#signal.fire();
  }

  /** It has ended, and what it wrote is where it goes. */
  #isOver(): boolean {
    return this.#exit !== undefined && this.#totals.every(([end, total]) => (this.moved.get(end) ?? 0) >= total);
  }

  stdin(): OutputStream | undefined {
    const stream = this.#stdin;
    this.#stdin = undefined;
    return stream;
  }

  stdout(): InputStream | undefined {
    const stream = this.#stdout;
    this.#stdout = undefined;
    return stream;
  }

  stderr(): InputStream | undefined {
    const stream = this.#stderr;
    this.#stderr = undefined;
    return stream;
  }

  subscribe(): Pollable {
    const source: Source = { ready: () => this.#isOver(), watch: (wake) => this.#signal.watch(wake) };
    return new Pollable(source);
  }

  exit(): ReturnType<typeof told> | undefined {
    return this.#exit && this.#isOver() ? told(this.#exit) : undefined;
  }

  kill(): void {
    if (!this.#exit) this.#say({ kind: "kill", process: this.#process });
  }

  [dispose](): void {
    this.kill();
    this.#stdin?.[dispose]();
    this.#stdout?.[dispose]();
    this.#stderr?.[dispose]();
  }
}

/** A file between which and a process bytes are moved. */
interface Pump {
  begin(spawned: Spawned, child: Child): void;
  abandon(): void;
}

function wished(command: Command): Partial<Limits> {
  const number = (value: bigint | undefined) => (value === undefined ? undefined : Number(value));
  const { wallMsMax, cpuMsMax, memoryBytesMax, outputBytesMax } = command.limits;
  const all: [keyof Limits, number | undefined][] = [
    ["wall_ms_max", number(wallMsMax)],
    ["cpu_ms_max", number(cpuMsMax)],
    ["memory_bytes_max", number(memoryBytesMax)],
    ["output_bytes_max", number(outputBytesMax)],
  ];
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

const invalid = (val: string): SpawnError => ({ tag: "invalid", val });

/** Starting processes, for the one guest that a worker runs. */
export class Starter {
  readonly #ends: Ends;
  readonly #say: (message: FromGuest) => void;
  readonly #commands: CommandInfo[];
  readonly #children = new Map<number, Child>();
  /** What ended before its starter heard of its beginning. */
  readonly #early = new Map<number, [Exit, [number, number][]]>();
  readonly #jobs = new Map<number, (answer: JobAnswer) => void>();
  readonly #calls = new Map<number, (answer: ToolAnswer) => void>();
  readonly #requests = new Map<number, (spawned: Spawned | { error: SpawnError }) => void>();
  #request = 0;

  constructor(ends: Ends, say: (message: FromGuest) => void, commands: CommandInfo[]) {
    this.#ends = ends;
    this.#say = say;
    this.#commands = commands;
  }

  spawned(request: number, spawned: Spawned | { error: SpawnError }): void {
    this.#requests.get(request)?.(spawned);
    this.#requests.delete(request);
  }

  exited(process: number, exit: Exit, totals: [number, number][]): void {
    const child = this.#children.get(process);
    if (child) child.exited(exit, totals);
    else this.#early.set(process, [exit, totals]);
    this.#children.delete(process);
  }

  async #spawn(command: Command): Promise<Child> {
    const pumps: Pump[] = [];
    // First, so that the streams are taken in any case: their other ends learn of it.
    const stdin = await this.#input(command.stdin, pumps);
    const stdout = this.#output(command.stdout, "stdout", pumps);
    const stderr = this.#output(command.stderr, "stderr", pumps);
    const limits = wished(command);
    const { argv, env, cwd } = command;
    const spawn: Spawn = { argv, env, cwd, stdin, stdout, stderr, limits };
    this.#request += 1;
    const request = this.#request;
    const spawned = await new Promise<Spawned | { error: SpawnError }>((resolve) => {
      this.#requests.set(request, resolve);
      this.#say({ kind: "spawn", request, spawn });
    });
    if ("error" in spawned) {
      for (const { abandon } of pumps) abandon();
      throw spawned.error;
    }
    const own = <T>(stream: Stream, end: number | undefined, make: (end: number) => T): T | undefined =>
      stream.tag === "pipe" && end !== undefined ? make(end) : undefined;
    const input = own(stdin, spawned.stdin, (end) => new OutputStream(this.#ends.writer(end)));
    const output = own(stdout, spawned.stdout, (end) => new InputStream(this.#ends.reader(end)));
    const errors = own(stderr, spawned.stderr, (end) => new InputStream(this.#ends.reader(end)));
    const child = new Child(spawned.process, this.#say, {
      ...(input ? { stdin: input } : {}),
      ...(output ? { stdout: output } : {}),
      ...(errors ? { stderr: errors } : {}),
    });
    this.#children.set(spawned.process, child);
    for (const { begin } of pumps) begin(spawned, child);
    const early = this.#early.get(spawned.process);
    if (early) this.exited(spawned.process, ...early);
    this.#early.delete(spawned.process);
    return child;
  }

  async #input(input: Command["stdin"], pumps: Pump[]): Promise<Stream> {
    if (input.tag !== "from") return { tag: input.tag };
    const reader = input.val.take();
    if (reader instanceof PipeReader) return { tag: "end", end: reader.end, unread: await reader.detach() };
    pumps.push({
      begin: ({ stdin }) => {
        if (stdin !== undefined) void pump(reader, this.#ends.writer(stdin), () => {});
      },
      abandon: () => reader.close(),
    });
    return { tag: "pump" };
  }

  #output(output: Output, name: "stdout" | "stderr", pumps: Pump[]): Stream {
    if (output.tag !== "to") return { tag: output.tag };
    const writer = output.val.take();
    if (writer instanceof PipeWriter) {
      writer.detach();
      return { tag: "end", end: writer.end, unread: undefined };
    }
    pumps.push({
      begin: (spawned, child) => {
        const end = spawned[name];
        if (end !== undefined) void pump(this.#ends.reader(end), writer, (bytes) => child.count(end, bytes));
      },
      abandon: () => writer.close(),
    });
    return { tag: "pump" };
  }

  answered(request: number, answer: JobAnswer): void {
    this.#jobs.get(request)?.(answer);
    this.#jobs.delete(request);
  }

  #ask(job: JobRequest): Promise<JobAnswer> {
    this.#request += 1;
    const request = this.#request;
    return new Promise((resolve) => {
      this.#jobs.set(request, resolve);
      this.#say({ kind: "job", request, job });
    });
  }

  /** A stream of a job: it leads to a file, which is opened anew where the job is. */
  async #jobStream(stream: Command["stdin"] | Output): Promise<Stream> {
    if (stream.tag === "pipe") throw invalid("a job has no pipes: its starter may be gone before it");
    if (stream.tag !== "from" && stream.tag !== "to") return { tag: stream.tag };
    const taken = stream.val.take();
    try {
      if (taken instanceof FileReader || taken instanceof FileWriter) return { tag: "file", ...(await taken.place()) };
    } catch {
      throw invalid("a file of the job cannot be written");
    } finally {
      taken.close();
    }
    throw invalid("a job has no pipes: its starter may be gone before it");
  }

  async #startJob(command: Command, label: string): Promise<number> {
    const { argv, env, cwd } = command;
    const stdin = await this.#jobStream(command.stdin);
    const stdout = await this.#jobStream(command.stdout);
    const stderr = await this.#jobStream(command.stderr);
    const spawn: Spawn = { argv, env, cwd, stdin, stdout, stderr, limits: wished(command) };
    const answer = await this.#ask({ ask: "start", spawn, label });
    if ("error" in answer) throw answer.error;
    return "id" in answer ? answer.id : 0;
  }

  called(request: number, answer: ToolAnswer): void {
    this.#calls.get(request)?.(answer);
    this.#calls.delete(request);
  }

  /** `wardian:tool/others`. */
  others() {
    return {
      call: async (tool: string, input: string): Promise<unknown> => {
        this.#request += 1;
        const request = this.#request;
        const answer = await new Promise<ToolAnswer>((resolve) => {
          this.#calls.set(request, resolve);
          this.#say({ kind: "call", request, tool, input });
        });
        if (answer.tag === "err") throw answer.val;
        return answer.val;
      },
    };
  }

  /** `wardian:process/jobs`. */
  jobs() {
    return {
      start: (command: Command, label: string): Promise<number> => this.#startJob(command, label),
      jobs: async () => {
        const answer = await this.#ask({ ask: "list" });
        const jobs = "jobs" in answer ? answer.jobs : [];
        return jobs.map(({ id, argv, label, exit }) => ({ id, argv, label, exit: exit && told(exit) }));
      },
      kill: async (id: number): Promise<boolean> => {
        const answer = await this.#ask({ ask: "kill", id });
        return "found" in answer && answer.found;
      },
    };
  }

  imports() {
    return {
      Child,
      spawn: (command: Command): Promise<Child> => this.#spawn(command),
      // No instance is kept here: each runs in a worker of its own, which is ended.
      spawnKept: (command: Command, _name: string): Promise<Child> => this.#spawn(command),
      lookup: (name: string): CommandInfo | undefined => this.#commands.find((command) => command.name === name),
      commands: (): CommandInfo[] => this.#commands,
    };
  }
}
