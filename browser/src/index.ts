/**
 * Wardian in a page: the agent, its session and its tools are the components that the native host runs, byte for byte.
 *
 * ```ts
 * const agent = await createAgent({ project: { kind: "empty" } });
 * for await (const event of agent.run("Explore this project.")) console.log(event);
 * ```
 */

import {
  WardianError,
  type Agent,
  type AgentEvent,
  type AgentOptions,
  type ComponentInfo,
  type ExecOptions,
  type ExecResult,
  type Files,
  type JournalEvent,
  type Lack,
  type OnAsk,
  type ProjectInfo,
  type Review,
  type RunOptions,
  type Sessions,
} from "./api.js";
import { Caller, type FromEngine } from "./rpc.js";

export * from "./api.js";

const ASSETS = new URL("./", import.meta.url);

/** Workers stand beside the components, or, where the page may not start them from there, beside this module. */
function engine(name: string, assets: string): Caller {
  const beside = new URL("engine.js", assets);
  return new Caller(beside.origin === globalThis.location.origin ? beside : new URL("./engine.js", import.meta.url), name);
}

const assetsOf = (assets: string | URL | undefined): string => new URL(assets ?? ASSETS, ASSETS).href.replace(/\/?$/, "/");

interface Asks {
  requestPermission?(options: { mode: "readwrite" }): Promise<PermissionState>;
}

class PageAgent implements Agent {
  readonly session: string;
  readonly components: ComponentInfo[];
  readonly #caller: Caller;
  readonly #handle: FileSystemDirectoryHandle | undefined;
  readonly #onAsk: OnAsk | undefined;
  readonly #asks = new Map<number, AbortController>();
  #project: ProjectInfo;
  #event: (event: AgentEvent) => void = () => {};
  #isRunning = false;
  readonly #outputs = new Map<number, (stream: "stdout" | "stderr", bytes: Uint8Array) => void>();
  #execs = 0;

  constructor(
    caller: Caller,
    opened: { session: string; project: ProjectInfo; components: ComponentInfo[] },
    handle: FileSystemDirectoryHandle | undefined,
    onAsk: OnAsk | undefined,
  ) {
    this.#caller = caller;
    this.session = opened.session;
    this.components = opened.components;
    this.#project = opened.project;
    this.#handle = handle;
    this.#onAsk = onAsk;
    caller.listener = (message) => this.#hear(message);
  }

  get project(): ProjectInfo {
    return this.#project;
  }

  #hear(message: FromEngine): void {
    if (message.kind === "event") this.#event(message.event);
    else if (message.kind === "ask") void this.#ask(message);
    else if (message.kind === "output") this.#outputs.get(message.exec)?.(message.stream, message.bytes);
    else if (message.kind === "withdrawn") {
      this.#asks.get(message.ask)?.abort();
      this.#asks.delete(message.ask);
    }
  }

  async #ask({ ask, question }: Extract<FromEngine, { kind: "ask" }>): Promise<void> {
    const controller = new AbortController();
    this.#asks.set(ask, controller);
    const answer = await Promise.resolve()
      .then(() => this.#onAsk?.(question, controller.signal))
      .catch(() => undefined);
    if (this.#asks.delete(ask)) this.#caller.say({ kind: "answer", ask, answer });
  }

  async *run(text: string, options: RunOptions = {}): AsyncGenerator<AgentEvent, void, undefined> {
    if (this.#isRunning) throw new WardianError("busy", "another run is under way");
    this.#isRunning = true;
    const queue: AgentEvent[] = [];
    let [wake, isOver] = [() => {}, false];
    let failed: unknown;
    this.#event = (event) => {
      queue.push(event);
      wake();
    };
    const over = this.#caller.call("run", text).then(
      () => {},
      (error: unknown) => void (failed = error),
    );
    void over.then(() => {
      isOver = true;
      wake();
    });
    const cancel = () => void this.#cancel();
    if (options.signal?.aborted) cancel();
    options.signal?.addEventListener("abort", cancel);
    try {
      for (;;) {
        const event = queue.shift();
        if (event) yield event;
        else if (isOver) break;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
      if (failed !== undefined) throw failed;
    } finally {
      options.signal?.removeEventListener("abort", cancel);
      // Whoever leaves the loop early does not want the rest.
      if (!isOver) {
        cancel();
        await over;
      }
      this.#event = () => {};
      this.#isRunning = false;
    }
  }

  async #cancel(): Promise<void> {
    const isStuck = await this.#caller.call<boolean>("cancel").catch(() => false);
    if (isStuck) {
      // The session is whole: opening it again closes what this leaves open.
      this.#caller.end(new WardianError("host", "the agent did not stop in time and was ended"));
    }
  }

  events(): Promise<JournalEvent[]> {
    return this.#caller.call("events");
  }

  readonly review: Review = {
    changes: (options = {}) => this.#caller.call("changes", options),
    diff: (path, options = {}) => this.#caller.call("diff", path, options),
    unified: (path, options = {}) => this.#caller.call("unified", path, options),
    content: (path, options = {}) => this.#caller.call("content", path, options),
    plan: (options = {}) => this.#caller.call("plan", options),
    commit: (options = {}) => this.#caller.call("commit", options),
    discard: (options = {}) => this.#caller.call("discard", options),
    undo: () => this.#caller.call("undo"),
    history: (after = 0) => this.#caller.call("history", after),
  };

  readonly files: Files = {
    list: (path = "") => this.#caller.call("listFiles", path),
    read: (path, options = {}) => this.#caller.call("readFile", path, options),
  };

  async exec(argv: string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { stdin = "", signal, onOutput, ...rest } = options;
    this.#execs += 1;
    const exec = this.#execs;
    const pieces = { stdout: [] as Uint8Array<ArrayBuffer>[], stderr: [] as Uint8Array<ArrayBuffer>[] };
    this.#outputs.set(exec, (stream, bytes) => {
      pieces[stream].push(bytes as Uint8Array<ArrayBuffer>);
      onOutput?.(stream, bytes);
    });
    const end = () => void this.#caller.call("endExec", exec).catch(() => {});
    const whole = async (stream: "stdout" | "stderr") => new Uint8Array(await new Blob(pieces[stream]).arrayBuffer());
    const bytes = typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
    try {
      const running = this.#caller.call<{ status: number; killed?: string }>("exec", exec, argv, { ...rest, stdin: bytes });
      if (signal?.aborted) end();
      signal?.addEventListener("abort", end, { once: true });
      const ended = await running;
      return { ...ended, stdout: await whole("stdout"), stderr: await whole("stderr") };
    } finally {
      signal?.removeEventListener("abort", end);
      this.#outputs.delete(exec);
    }
  }

  async requestWrite(): Promise<boolean> {
    const state = (await (this.#handle as Asks | undefined)?.requestPermission?.({ mode: "readwrite" })) ?? "granted";
    this.#project = await this.#caller.call<ProjectInfo>("project");
    return state === "granted";
  }

  exportProject(): Promise<Blob> {
    return this.#caller.call("exportProject");
  }

  async close(): Promise<void> {
    await this.#caller.call("close").catch(() => {});
    this.#caller.end(new WardianError("cancelled", "the agent was closed"));
  }
}

/**
 * Opens a session, new or old, and starts its agent.
 *
 * @throws {WardianError} `unsupported`, `usage`, `in-use`, `integrity` or `io`; its message says why.
 */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const lacking = lacks().find((lack) => lack.required);
  if (lacking) throw new WardianError("unsupported", lacking.message);
  const { project, onAsk, assets, ...settings } = options;
  const from = assetsOf(assets);
  const caller = engine("wardian", from);
  try {
    const opened = await caller.call<{ session: string; project: ProjectInfo; components: ComponentInfo[] }>(
      "open",
      project.kind === "files" ? { ...project, files: [...project.files] } : project,
      { ...settings, asks: onAsk !== undefined },
      from,
    );
    return new PageAgent(caller, opened, project.kind === "directory" ? project.handle : undefined, onAsk);
  } catch (error) {
    caller.end(new WardianError("host", "the session was not opened"));
    throw error;
  }
}

/** The sessions that this browser keeps. `assets` as in `AgentOptions`. */
export function sessions(options: { assets?: string | URL } = {}): Sessions {
  const assets = assetsOf(options.assets);
  let started: Caller | undefined;
  const call = <T>(method: string, ...parameters: unknown[]): Promise<T> => {
    started ??= engine("wardian sessions", assets);
    return started.call<T>(method, ...parameters);
  };
  return {
    list: () => call("listSessions", assets),
    delete: (id) => call("deleteSession", id),
    export: (id) => call("exportSession", id),
    import: (zip) => call("importSession", zip),
    events: (id) => call("sessionEvents", id),
    verify: (id) => call("verifySession", id, assets),
    replay: (id) => call("replaySession", id, assets),
  };
}

/** What this browser lacks. */
export function lacks(): Lack[] {
  const found: Lack[] = [];
  const lack = (what: Lack["what"], required: boolean, message: string) => found.push({ what, required, message });
  const scope = globalThis as unknown as { [name: string]: unknown };
  if (typeof (WebAssembly as unknown as { Suspending?: unknown }).Suspending !== "function") {
    lack("jspi", true, "this browser cannot suspend WebAssembly (JSPI), which the components need to wait for anything");
  }
  if (typeof navigator.storage?.getDirectory !== "function") {
    lack("opfs", true, "this browser has no private file system here (it needs HTTPS or localhost): sessions have no place");
  }
  if (typeof scope["Worker"] !== "function") lack("worker", true, "this browser has no workers: nothing could be ended");
  if (navigator.locks === undefined) lack("locks", true, "this browser cannot keep two tabs off one session");
  if (typeof scope["showDirectoryPicker"] !== "function") {
    lack("directory", false, "this browser cannot open a folder in place: upload one, or a zip archive, and export it later");
  }
  return found;
}
