/** An open session: its folder, its agent, its workers. */

import {
  WardianError,
  type AgentEvent,
  type ComponentInfo,
  type ExecOptions,
  type JournalEvent,
  type Project,
  type ProjectInfo,
} from "./api.js";
import { Agent, type Start } from "./agent.js";
import type { Asking } from "./capability/approver.js";
import { Activities } from "./capability/activities.js";
import { Control } from "./capability/control.js";
import { SessionNet } from "./capability/http/net.js";
import { Recent } from "./capability/recent.js";
import { errorCode, join, Tree } from "./capability/tree.js";
import { Turns } from "./capability/turns.js";
import { type Components, type Manifest } from "./components.js";
import { info, lock, lockProjects, openProject, pickedFolder, privateFolder, type Home, type Record } from "./home.js";
import { Jobs } from "./jobs.js";
import { JournalTap, readJournal } from "./journal.js";
import { narrowed } from "./project.js";
import type { Powers, SpawnError } from "./protocol.js";
import { recover, reviewError } from "./review.js";
import { code, Kernel, killedBy } from "./kernel.js";
import { Look, SIDE_BYTES_MAX } from "./look.js";
import { zip } from "./sessions.js";
import { callLimits, chooseModel, sessionOptions, type ChosenModel, type Settings } from "./settings.js";
import { fillProject } from "./upload.js";
import { Workers } from "./workers.js";

/** How long an agent that was told to stop may take to do so. */
const STOP_GRACE_MS = 2000;

type Mode = "run" | "commit" | "read";

export class Case {
  readonly #home: Home;
  readonly #components: Components;
  readonly #manifest: Manifest;
  readonly #settings: Settings;
  readonly #model: ChosenModel;
  readonly #asking: Asking;
  readonly #record: Record;
  readonly #folder: FileSystemDirectoryHandle;
  readonly #release: () => void;
  readonly #workers: Workers;
  readonly #net: SessionNet;
  readonly #turns = new Turns();
  readonly #control = new Control();
  readonly id: string;
  #show: (event: AgentEvent) => void = () => {};
  readonly #recent = new Recent();
  /** The agent for runs, with the session open. */
  #agent: Agent | undefined;
  /** One that only looks, also while the other one runs. */
  #reader: Agent | undefined;
  #processes: Kernel | undefined;
  #look: Look | undefined;
  #looking: Promise<unknown> = Promise.resolve();
  #isRunning = false;
  /** What is done with an agent, one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  private constructor(
    id: string,
    options: {
      home: Home;
      components: Components;
      manifest: Manifest;
      settings: Settings;
      model: ChosenModel;
      asking: Asking;
      record: Record;
      folder: FileSystemDirectoryHandle;
      release: () => void;
      guest: URL;
    },
  ) {
    this.id = id;
    this.#home = options.home;
    this.#components = options.components;
    this.#manifest = options.manifest;
    this.#settings = options.settings;
    this.#model = options.model;
    this.#asking = options.asking;
    this.#record = options.record;
    this.#folder = options.folder;
    this.#release = options.release;
    this.#workers = new Workers(options.guest, () => this.#recent.clear());
    this.#net = new SessionNet(options.components, options.manifest, options.settings.net);
  }

  static async open(
    home: Home,
    components: Components,
    project: Project,
    settings: Settings,
    asking: Asking,
    guest: URL,
  ): Promise<Case> {
    const manifest = await components.manifest();
    const model = chooseModel(settings.model, manifest);
    const isNew = settings.session === undefined;
    const id = settings.session ?? home.newId();
    if (!isNew) await home.session(id);
    const release = await lock(id);
    try {
      const folder = await home.create(id);
      const record = await openProject(home, project, id, fillProject);
      const narrow = await narrowed(record.handle, settings);
      const all = { home, components, manifest, settings: narrow, model, asking, record, folder, release, guest };
      const session = new Case(id, all);
      session.#warm();
      await session.#net.check(new Activities());
      await session.#recover();
      await session.#opened();
      await home.keep(record);
      return session;
    } catch (error) {
      if (isNew) await (await home.sessions()).removeEntry(id, { recursive: true }).catch(() => {});
      release();
      throw error;
    }
  }

  /** What the first call will most likely need is fetched, and compiled, while the user still types. */
  #warm(): void {
    const [first] = this.#manifest.tools;
    if (!first) return;
    const program = this.#components.program(first.program, callLimits(this.#settings.limits));
    // If it fails, the call that needs it says so.
    program.then(
      (program) => this.#isClosed || this.#workers.warm(program),
      () => {},
    );
  }

  get components(): ComponentInfo[] {
    const { agents, tools, commands, netfetch } = this.#manifest;
    const agent = agents[this.#model.provider];
    return [
      ...(agent ? [{ name: `agent-${this.#model.provider}`, digest: agent.digest, role: "agent" }] : []),
      ...tools.map(({ name, digest }) => ({ name, digest, role: "tool" })),
      ...commands.map(({ name, digest }) => ({ name, digest, role: "command" })),
      { name: "netfetch", digest: netfetch.digest, role: "netfetch" },
    ];
  }

  project(): Promise<ProjectInfo> {
    return info(this.#record);
  }

  events(): Promise<JournalEvent[]> {
    return readJournal(this.#folder);
  }

  async #start(mode: Mode): Promise<Agent> {
    const provider = mode === "run" ? this.#model.provider : "provider-script";
    const program = this.#manifest.agents[provider];
    if (!program) throw new WardianError("usage", `there is no agent with ${provider}`);
    const folder = async (name: string) =>
      privateFolder(await this.#folder.getDirectoryHandle(name, { create: true }), mode !== "read");
    const tap = new JournalTap((event) => this.#show(event));
    const own = new Activities();
    const service = this.#settings.model;
    const options: Start = {
      components: this.#components,
      workers: this.#workers,
      kernel: await this.#kernel(),
      program: program.program,
      tools: mode === "run" ? this.#manifest.tools : [],
      session: privateFolder(this.#folder, mode !== "read"),
      layers: {
        project: pickedFolder(this.#record.handle, mode === "commit"),
        upper: await folder("upper"),
        tmp: await folder("tmp"),
      },
      commits: mode === "commit",
      provider: mode === "run" ? this.#model.config : {},
      sending: mode === "run" && service?.kind === "service" ? this.#net.provider(service, own) : undefined,
      net: mode === "run" ? this.#net : undefined,
      own,
      jobs: new Jobs(own),
      turns: this.#turns,
      recent: this.#recent,
      control: this.#control,
      asking: this.#asking,
      config: () => ({}),
      show: (event) => this.#show(event),
      tap: tap.hear,
    };
    const agent = await Agent.start(options);
    if (mode === "read") return agent;
    const known = {
      session: this.id,
      project: this.#record.name,
      version: this.#manifest.version,
      agent: program.digest,
      model: this.#model.name,
    };
    try {
      await agent.call((exports) =>
        exports["wardian:session/session@0.1.0"].open(sessionOptions(this.#settings, known)),
      );
    } catch (error) {
      await agent.close();
      throw openError(error);
    }
    return agent;
  }

  /** Starts processes, over the session's files. */
  async #kernel(): Promise<Kernel> {
    const folder = async (name: string) => privateFolder(await this.#folder.getDirectoryHandle(name, { create: true }));
    this.#processes ??= new Kernel({
      components: this.#components,
      workers: this.#workers,
      commands: this.#manifest.commands,
      layers: {
        project: pickedFolder(this.#record.handle, false),
        upper: await folder("upper"),
        tmp: await folder("tmp"),
      },
      turns: this.#turns,
      recent: this.#recent,
      show: (event) => this.#show(event),
    });
    return this.#processes;
  }

  /** A program of the user's own, in the session's workspace. */
  async exec(
    argv: string[],
    options: Omit<ExecOptions, "signal" | "onOutput" | "stdin"> & { stdin: Uint8Array },
    output: (stream: "stdout" | "stderr", bytes: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<{ status: number; killed?: string }> {
    if (this.#isClosed) throw new WardianError("cancelled", "the agent was closed");
    const env = Object.entries({ ...this.#settings.env, ...options.env });
    const spawn = { argv, env, cwd: options.cwd ?? "/workspace", stdin: options.stdin, limits: {} };
    const limits = callLimits({ ...this.#settings.limits, ...options.limits });
    const powers: Powers = { files: "write", net: [], process: ["*"], env: [] };
    try {
      const exit = await (await this.#kernel()).exec(spawn, powers, limits, output, signal);
      const killed = killedBy(exit.status);
      return { status: code(exit.status), ...(killed === undefined ? {} : { killed }) };
    } catch (error) {
      throw execError(error, argv);
    }
  }

  /** The agent for runs, with its session open. */
  async #opened(): Promise<Agent> {
    this.#agent ??= await this.#start("run");
    return this.#agent;
  }

  /** One after the other. */
  #next<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new WardianError("cancelled", "the agent was closed"));
    const next = this.#last.then(work, work);
    this.#last = next.catch(() => {});
    return next;
  }

  /** One task. Its events are shown until it is over. */
  async run(text: string, show: (event: AgentEvent) => void): Promise<void> {
    if (this.#isRunning) throw new WardianError("busy", "another run is under way");
    this.#isRunning = true;
    this.#control.reset();
    try {
      await this.#next(async () => {
        const agent = await this.#opened();
        this.#show = show;
        this.#components.fetching = (component, done, total) => show({ type: "fetching", component, done, total });
        try {
          await agent.run(text);
        } catch (error) {
          // What broke is not used again: the next run opens the session anew, which closes what was left open.
          await this.#drop();
          throw error;
        }
      });
    } finally {
      this.#show = () => {};
      this.#components.fetching = () => {};
      this.#isRunning = false;
    }
  }

  /** Ends the run that is under way. */
  cancel(): void {
    this.#control.cancel();
  }

  /** True if a run that was told to end has not done so in time: then only its worker's end helps. */
  async isStuck(): Promise<boolean> {
    await new Promise((resolve) => setTimeout(resolve, STOP_GRACE_MS));
    return this.#isRunning && this.#control.isCancelled;
  }

  async #drop(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    await agent?.close();
  }

  /** Something that only looks: with the agent if it is idle, else beside it. */
  async read<T>(work: (agent: Agent) => Promise<T>): Promise<T> {
    try {
      if (!this.#isRunning && this.#agent) {
        const agent = this.#agent;
        return await this.#next(() => work(agent));
      }
      this.#reader ??= await this.#start("read");
      return await work(this.#reader);
    } catch (error) {
      throw reviewError(error);
    }
  }

  /** Something that changes the project or the layer: the session is lent to it, as natively to another process. */
  async change<T>(work: (agent: Agent) => Promise<T>, show: (event: AgentEvent) => void = () => {}): Promise<T> {
    if (this.#isRunning) throw new WardianError("busy", "a run is under way");
    try {
      return await this.#next(async () => {
        const release = await lockProjects();
        try {
          return await this.#alone(work, show);
        } finally {
          release();
        }
      });
    } catch (error) {
      throw reviewError(error);
    }
  }

  /** Looks into files as the agent sees them. */
  async look<T>(work: (look: Look) => Promise<T>): Promise<T> {
    // One at a time: an instance answers one call after the other.
    const next = this.#looking.then(async () => {
      this.#look ??= await Look.start(this.#components, this.#manifest.workspace.program, this.#turns, {
        project: pickedFolder(this.#record.handle, false),
        upper: privateFolder(await this.#folder.getDirectoryHandle("upper", { create: true }), false),
        tmp: privateFolder(await this.#folder.getDirectoryHandle("tmp", { create: true }), false),
      });
      return work(this.#look);
    });
    this.#looking = next.catch(() => {});
    return next;
  }

  /** Both sides of a file in full. */
  content(path: string, options: { bytesMax?: number }): Promise<{ before?: Uint8Array; after?: Uint8Array }> {
    const project = async (): Promise<Uint8Array | undefined> => {
      const tree = new Tree(pickedFolder(this.#record.handle, false));
      try {
        const found = await tree.look(join("", path));
        if (found.kind === "directory") return undefined;
        const most = options.bytesMax ?? SIDE_BYTES_MAX;
        if (found.file.size > most) throw new WardianError("io", `${path} has more than ${most} bytes`);
        return new Uint8Array(await found.file.arrayBuffer());
      } catch (error) {
        if (errorCode(error) === "no-entry" || errorCode(error) === "not-directory") return undefined;
        throw error;
      }
    };
    return this.look((look) => look.content(project, path, options));
  }

  async exportProject(): Promise<Blob> {
    return zip(this.#record.handle, this.#record.name);
  }

  async #alone<T>(work: (agent: Agent) => Promise<T>, show: (event: AgentEvent) => void): Promise<T> {
    await this.#drop();
    this.#show = show;
    // On record from here on: if the page dies, the next one on this session finishes what was begun.
    this.#record.isPending = true;
    await this.#home.keep(this.#record);
    const agent = await this.#start("commit");
    let isWhole = true;
    try {
      return await work(agent);
    } catch (error) {
      // After these something may be left to take back.
      isWhole = !(error instanceof Error) && (error as { tag?: string }).tag !== "io";
      throw error;
    } finally {
      this.#show = () => {};
      await agent.close();
      if (isWhole) {
        this.#record.isPending = false;
        await this.#home.keep(this.#record);
      }
    }
  }

  /** Finishes a commit or undo that a page that died has begun. What cannot be finished now is, before the next one. */
  async #recover(): Promise<void> {
    if (this.#record.isPending) await this.change(recover).catch(() => {});
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.cancel();
    await Promise.race([this.#last, new Promise((resolve) => setTimeout(resolve, STOP_GRACE_MS))]);
    this.#isClosed = true;
    await this.#drop();
    await this.#reader?.close();
    await this.#look?.close();
    this.#workers.close();
    this.#release();
  }

  get home(): Home {
    return this.#home;
  }
}

function execError(error: unknown, argv: string[]): unknown {
  if (error instanceof Error) return error;
  const told = error as SpawnError;
  switch (told.tag) {
    case "not-found":
      return new WardianError("usage", `there is no command ${argv[0] ?? ""}`);
    case "not-permitted":
      return new WardianError("usage", `${told.val} may not be started`);
    case "invalid":
      return new WardianError("usage", told.val);
    case "broken":
      return new WardianError("integrity", told.val);
    case "too-many":
      return new WardianError("host", `there are more than ${told.val} processes`);
  }
}

type OpenError =
  | { tag: "damaged"; val: { line: bigint; reason: string } }
  | { tag: "newer"; val: bigint }
  | { tag: "io" | "invalid-options"; val: string };

function openError(error: unknown): unknown {
  if (error instanceof Error) return error;
  const told = error as OpenError;
  switch (told.tag) {
    case "damaged":
      return new WardianError("integrity", `the journal is damaged at line ${told.val.line}: ${told.val.reason}`);
    case "newer":
      return new WardianError("integrity", `the journal is of format ${told.val}, which this version does not know`);
    case "invalid-options":
      return new WardianError("usage", told.val);
    case "io":
      return new WardianError("journal", told.val);
  }
}
