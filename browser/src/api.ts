/**
 * What a page sees of Wardian. Everything here can be told apart from the native host by names only: events are those of
 * docs/journal.md, reviews those of wit/wardian-workspace, settings those of docs/settings.md.
 *
 * `index.ts` has the functions: `createAgent`, `sessions`, `lacks`.
 */

// Projects

/**
 * Where the project is. `handle` may come from `showDirectoryPicker()` or from `navigator.storage.getDirectory()`: it is
 * read as it is, nothing is copied up front, and it is written to by `commit` and `undo` alone.
 */
export type Project =
  | { kind: "directory"; handle: FileSystemDirectoryHandle; name?: string }
  /** A zip archive: unpacked once into a folder of its own. */
  | { kind: "zip"; blob: Blob; name?: string }
  /** What `<input type="file" webkitdirectory>` or a drop gives: copied once into a folder of its own. */
  | { kind: "files"; files: Iterable<File>; name?: string }
  /** A folder of its own, empty at first. */
  | { kind: "empty"; name?: string }
  /** The project that the session was begun on, as long as the browser still has it. Only with `session`. */
  | { kind: "recorded" };

/** How a project that was opened is known: in `session.start` it is `project`. */
export interface ProjectInfo {
  name: string;
  /** `directory`: the user's own folder. `copy`: one that the browser keeps, which `exportProject` gives back. */
  kind: "directory" | "copy";
  /** Whether the page may write to it now. `prompt`: `requestWrite()` asks, from a click. */
  write: "granted" | "prompt" | "denied";
}

// Models

/** Which model answers, and how it is reached. */
export type Model =
  /** The embedded scenario; needs no key. */
  | { kind: "demo" }
  /** A scenario (docs/scenario.md) of the page's own. */
  | { kind: "script"; scenario: string; name?: string }
  /** A service, directly or through a proxy that has the key. */
  | {
      kind: "service";
      protocol: "openai" | "chat" | "anthropic";
      name: string;
      /** With which it begins: `https://api.openai.com/v1`, or that of a proxy on this origin. */
      baseUrl: string;
      /**
       * Held in memory only, added by the host as a request leaves, sent to the origin of `baseUrl` alone. None: the
       * proxy has it.
       */
      key?: string;
      /** Further headers for that origin, for instance a proxy's token. Treated as secret. */
      headers?: Record<string, string>;
      /** Further settings of the provider, as docs/models.md names them. */
      config?: Record<string, string>;
    };

// Limits and policies: docs/settings.md

export type Approve = "none" | "ask" | "reads" | "files" | "all";
export type Verdict = "allow" | "ask" | "deny";

export interface Rule {
  verdict: Verdict;
  /** A glob over the tool's name. */
  tool: string;
  /** A glob over the call's one-line summary. */
  subject?: string;
}

export interface Budget {
  steps_max?: number;
  seconds_max?: number;
  tokens_max?: number;
  result_bytes_max?: number;
}

export interface Limits {
  wall_ms_max: number;
  cpu_ms_max: number;
  memory_bytes_max: number;
  table_elements_max: number;
  output_bytes_max: number;
  hostcalls_max: number;
}

export interface NetRule {
  /** How errors and the journal name it. */
  name: string;
  verdict: Verdict;
  host: string;
  /** Left out: that of the scheme. */
  port?: number | "*";
  schemes?: ("http" | "https")[];
  methods?: string[];
  content_types?: string[];
  /**
   * Must be `"*"`: a page does not see the addresses that a name leads to. A rule that is to reach public addresses only
   * cannot be enforced here, and is refused when the agent is made.
   */
  networks: "*";
}

export interface Net {
  rules: NetRule[];
  /** Must be `refuse` here: a page does not see redirects. Default: `refuse`. */
  redirects?: "refuse";
  limits?: Partial<NetLimits>;
}

export interface NetLimits {
  requests_max: number;
  concurrent_max: number;
  redirects_max: number;
  url_bytes_max: number;
  header_bytes_max: number;
  request_bytes_max: number;
  response_bytes_max: number;
  connect_ms_max: number;
  first_byte_ms_max: number;
  between_bytes_ms_max: number;
  total_ms_max: number;
}

// Questions

export interface Question {
  id: string;
  tool: string;
  /** As the journal has them: `files:write`, `net:example.org`, `process:*`. */
  powers: string[];
  /** One line: what the call would do. */
  summary: string;
  /** The whole input, JSON text; of a question about a request, empty. */
  input: string;
}

/** `session`: this tool, until the session ends. */
export type Answer = "once" | "session" | "deny";

/** Asked for each question, perhaps several at once. `signal` is aborted when the question is withdrawn. */
export type OnAsk = (question: Question, signal: AbortSignal) => Promise<Answer> | Answer;

// The agent

export interface AgentOptions {
  project: Project;
  /** Default: the demo. */
  model?: Model;
  /** The session to go on with. Default: a new one. */
  session?: string;
  /** Default: `files`. */
  approve?: Approve;
  rules?: Rule[];
  budget?: Budget;
  limits?: Partial<Limits>;
  /** Default: no rules, so that each host is asked about, or refused where nobody can be asked. */
  net?: Net;
  instructions?: string;
  context_bytes_max?: number;
  parallel_calls_max?: number;
  retries_max?: number;
  response_bytes_max?: number;
  /** Without it there is nobody to ask: what would be asked is refused. */
  onAsk?: OnAsk;
  /** Environment of the shell and of Python. */
  env?: Record<string, string>;
  /**
   * The folder of the package's files: its workers and components. Default: beside its module. Of another origin, it is
   * asked for components alone, since a browser starts no workers from there.
   */
  assets?: string | URL;
}

export interface RunOptions {
  /** Cancels the run: it ends with `session.end`, stop `cancelled`. */
  signal?: AbortSignal;
}

export interface Agent {
  readonly session: string;
  readonly project: ProjectInfo;
  /** What runs: names and lowercase hex SHA-256 of exactly the bytes that the native host runs, as they were checked. */
  readonly components: ComponentInfo[];

  /**
   * One task. The events are the journal's lines, each once it is written, and between them what is streamed. The last is
   * a `session.end`. Leaving the loop early cancels the run. One run at a time.
   *
   * @throws {WardianError} `journal` where the journal cannot be written, `busy` during another run or a commit, `host`.
   */
  run(text: string, options?: RunOptions): AsyncIterableIterator<AgentEvent>;

  /** The journal's lines so far, oldest first. */
  events(): Promise<JournalEvent[]>;

  readonly review: Review;
  /** The files as the agent sees them: `/workspace`, `/tmp`. */
  readonly files: Files;

  /** Programs of one's own in the session's workspace, as `wardian sh -c` and `wardian exec`. */
  exec(argv: string[], options?: ExecOptions): Promise<ExecResult>;

  /** Asks the user for leave to write to the project's folder. Only from a click or a key. */
  requestWrite(): Promise<boolean>;
  /** A zip of the project as it is, without what was not committed. For projects of kind `copy`. */
  exportProject(): Promise<Blob>;

  /** Ends a run that is under way, and all workers; lets go of the session. */
  close(): Promise<void>;
}

export interface ComponentInfo {
  name: string;
  digest: string;
  /** `agent`, `tool`, `command` or `netfetch`. */
  role: string;
}

export interface ExecOptions {
  cwd?: string;
  env?: Record<string, string>;
  stdin?: string | Uint8Array;
  signal?: AbortSignal;
  /** Called with each piece of output as it comes. */
  onOutput?: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
  limits?: Partial<Limits>;
}

export interface ExecResult {
  /** What a shell would show. */
  status: number;
  /** Why it did not end by itself, for instance `wall_ms_max`. */
  killed?: string;
  stdout: Uint8Array;
  stderr: Uint8Array;
}

// Events

/** A line of the journal. Each type's further fields are in docs/journal.md. */
export type JournalEvent = { seq: number; ts: string; prev: string } & (
  | {
      type: "session.start";
      format: number;
      session: string;
      wardian: string;
      project: string;
      agent: string;
      model: string;
      components: Record<string, string>;
      limits: Limits;
      settings: Record<string, unknown>;
      approve: Approve;
      resumed: boolean;
    }
  | { type: "user.message"; text: string }
  | { type: "model.request"; call: number; purpose: "turn" | "compact"; messages_sha256: string }
  | {
      type: "model.response";
      call: number;
      text: string;
      tool_calls: { id: string; tool: string; input: string }[];
      state?: string;
      usage: { input_tokens: number; cached_tokens: number; output_tokens: number };
      stop: string | null;
      error: EventError | null;
    }
  | { type: "permission.ask"; id: string; tool: string; powers: string[]; summary: string; net?: string }
  | {
      type: "permission.answer";
      id: string;
      allowed: boolean;
      by: "user" | "rule" | "mode";
      scope: "once" | "session";
      net?: string;
    }
  | { type: "tool.use"; id: string; tool: string; component: string; input: unknown }
  | { type: "process.start"; id: string; argv: string[]; component: string; cwd: string }
  | {
      type: "process.exit";
      id: string;
      status: number | null;
      killed?: string;
      ms: number;
      memory_peak_bytes: number;
    }
  | {
      type: "tool.result";
      id: string;
      tool: string;
      output: { text: string; parts?: OutputPart[]; data?: unknown } | null;
      error: EventError | null;
      ms: number;
      truncated: boolean;
    }
  | {
      type: "net.request";
      id?: string;
      call?: number;
      component: string;
      method: string;
      url: string;
      decision: "allow" | "deny";
      rule: string;
      status: number | null;
      bytes_in: number;
      bytes_out: number;
      ms: number;
      error: EventError | null;
    }
  | { type: "workspace.change"; path: string; kind: ChangeKind | "more"; id: string; count?: number }
  | {
      type: "workspace.commit" | "workspace.undo";
      commit: number;
      undoes?: number;
      paths: string[];
      before: string[];
      after: string[];
    }
  | { type: "workspace.discard"; paths: string[] }
  | { type: "context.compact"; summary: string; keep: number }
  | {
      type: "session.end";
      stop: "done" | "cancelled" | "budget" | "error";
      text: string;
      usage: { requests: number; input_tokens: number; output_tokens: number };
      error: EventError | null;
    }
);

export interface EventError {
  kind: string;
  message: string;
  at?: number;
}

export type OutputPart =
  | { text: string }
  | { image: { media_type: string; base64: string } }
  | { file: { path: string; media_type: string; bytes: number } };

/** What is streamed and not journaled. */
export type StreamEvent =
  | { type: "text.delta"; text: string }
  | { type: "reasoning.delta"; text: string }
  /** A streamed answer ended; what follows is another one. */
  | { type: "response.end"; usage: { input_tokens: number; cached_tokens: number; output_tokens: number } }
  /** A call begins, before anyone is asked about it. */
  | { type: "tool.started"; id: string; tool: string; summary: string; input: string }
  | { type: "tool.progress"; id: string; message: string; done?: [number, number] }
  | { type: "tool.finished"; id: string; tool: string; ms: number; error: EventError | null }
  /** A program began or ended: what a call starts, and what that starts. Not part of the journal's format 1. */
  | { type: "process.started"; process: number; parent?: number; call?: string; argv: string[]; component: string }
  | { type: "process.ended"; process: number; status: number; killed?: string; ms: number; memory_peak_bytes: number }
  | { type: "retrying"; reason: string; delay_ms: number }
  | { type: "compacting" }
  /** A component is fetched for the first time: a large one takes its time. */
  | { type: "fetching"; component: string; done: number; total: number };

export type AgentEvent = JournalEvent | StreamEvent;

// Review: wit/wardian-workspace

export type ChangeKind = "added" | "modified" | "deleted" | "renamed" | "mode" | "type";
export type Conflict = "both-changed" | "both-added" | "deleted-in-project" | "changed-in-project" | "in-the-way";

export interface Entry {
  fileType: "file" | "directory" | "symlink";
  size: number;
  /** Lowercase hex SHA-256; empty for a directory. */
  digest: string;
  mode?: number;
}

export interface Change {
  path: string;
  kind: ChangeKind;
  /** Of a rename: where it was. */
  from?: string;
  /** In the project now. */
  before?: Entry;
  /** What a commit would leave. */
  after?: Entry;
  /** None: it can be committed. */
  conflict?: Conflict;
  /** `after` has both sides' changes, merged line by line. */
  merged: boolean;
  ignored: boolean;
}

export interface ChangeList {
  changes: Change[];
  /** How many were left out because the project ignores them. */
  ignored: number;
}

export interface DiffLine {
  side: "context" | "removed" | "added";
  text: string;
  /** Ranges of bytes (UTF-8) of `text` whose words differ from the line's counterpart. */
  emphasis: { start: number; end: number }[];
  unterminated: boolean;
  /** The smallest part that can be committed; counted from 0 through the whole file. */
  block: number;
}

export interface Hunk {
  beforeStart: number;
  beforeLines: number;
  afterStart: number;
  afterLines: number;
  heading: string;
  lines: DiffLine[];
}

export interface FileDiff {
  change: Change;
  content:
    | { kind: "text"; hunks: Hunk[] }
    /** Described for people, such as `PNG image, 640 × 480, 12.3 kB`. */
    | { kind: "binary"; before?: string; after?: string };
  linesAdded: number;
  linesRemoved: number;
  /** Lines of hunks that were left out because of `linesMax`. */
  linesCut: number;
}

/** A path selects itself and everything below it; `blocks` (of `DiffLine`) a part of a modified text file. */
export interface Selected {
  path: string;
  blocks?: number[];
}

export interface CommitOptions {
  /** Left out: everything that is not ignored. */
  selection?: (string | Selected)[];
  ignored?: boolean;
  /** Where both sides changed a file, take the one from the session. */
  overwrite?: boolean;
}

export interface Commit {
  number: number;
  undoes?: number;
  paths: string[];
  before: string[];
  after: string[];
}

/**
 * What the agent changed. During a run, `changes`, `diff`, `unified` and `content` answer from what is written so far;
 * what changes something waits for the run's end and then throws `busy` only if another began.
 *
 * All throw `WardianError`: of kind `conflict` with `changes`, of kind `changed-since` with `paths`, of kind `nothing`,
 * `no-change`, `stale`, `read-only`, `io`, `damaged`.
 */
export interface Review {
  changes(options?: { paths?: string[]; ignored?: boolean }): Promise<ChangeList>;
  /** Defaults: 3 lines of context, at most 2,000 lines of hunks. */
  diff(path: string, options?: { context?: number; linesMax?: number }): Promise<FileDiff>;
  /** As a patch for `git apply`. */
  unified(path: string, options?: { context?: number }): Promise<string>;
  /** Both sides of a file in full, for a side-by-side view: at most `bytesMax` (default 1 MiB) of each. */
  content(path: string, options?: { bytesMax?: number }): Promise<{ before?: Uint8Array; after?: Uint8Array }>;
  /** What a commit would do. */
  plan(options?: CommitOptions): Promise<Change[]>;
  /** All or nothing. A crash in the middle is mended when the session is opened again. */
  commit(options?: CommitOptions): Promise<Commit>;
  /** Drops changes; without paths all of them. */
  discard(options?: { paths?: string[]; ignored?: boolean }): Promise<string[]>;
  /** Takes the last commit back out of the project; its changes are the session's again. */
  undo(): Promise<Commit>;
  /** Commits and undos with a number above `after`. */
  history(after?: number): Promise<Commit[]>;
}

export interface FileInfo {
  name: string;
  type: "file" | "directory" | "symlink" | "other";
  size: number;
}

/** Reads the session's workspace. Paths are relative to the project, or absolute below `/workspace` and `/tmp`. */
export interface Files {
  list(path?: string): Promise<FileInfo[]>;
  /** @throws {WardianError} `io` where there is none, or it has more than `bytesMax` (default 16 MiB). */
  read(path: string, options?: { bytesMax?: number }): Promise<Uint8Array>;
}

// Sessions

export interface SessionInfo {
  id: string;
  project: string;
  model: string;
  /** RFC 3339. */
  started: string;
  updated: string;
  events: number;
  /** The first prompt, cut to 200 characters. */
  prompt: string;
  /** How the last run ended; none while one is under way or was cut off. */
  stop?: string;
  /** Some page has it open now. */
  open: boolean;
  /** Its project can be opened again without the user choosing it anew. */
  hasProject: boolean;
}

export interface VerifyReport {
  events: number;
  head: string;
  torn_bytes: number;
}

export interface Sessions {
  /** The newest first. */
  list(): Promise<SessionInfo[]>;
  /** @throws {WardianError} `in-use` where a page has it open. */
  delete(id: string): Promise<void>;
  /** A zip of the session's folder, as the native `wardian` has it below `sessions/`. */
  export(id: string): Promise<Blob>;
  /** Takes what `export`, or a zip of a native session's folder, has. Returns its id. */
  import(zip: Blob): Promise<string>;
  /** A journal's lines, also of a session that is open elsewhere. */
  events(id: string): Promise<JournalEvent[]>;
  /** Checks a journal's every line. */
  verify(id: string): Promise<VerifyReport>;
  /** Runs it again from its journal and compares. None: the same events, byte for byte. */
  replay(id: string): Promise<{ seq: number; recorded: string; replayed: string } | undefined>;
}

// What a browser has

/** What this browser lacks, and what that means. Empty: nothing. */
export interface Lack {
  /** `jspi`, `opfs`, `worker`, `locks`: without it nothing runs. `directory`: no folder can be chosen, only uploads. */
  what: "jspi" | "opfs" | "worker" | "locks" | "directory";
  required: boolean;
  message: string;
}

// Errors

export type ErrorKind =
  /** The browser lacks something. */
  | "unsupported"
  /** An option is wrong; or a rule of the network cannot be enforced in a page, which the message names. */
  | "usage"
  /** Another page has the session. */
  | "in-use"
  /** Something else is under way on this agent. */
  | "busy"
  /** A digest, a journal or an archive is not what it should be. */
  | "integrity"
  /** The journal cannot be written. */
  | "journal"
  /** Of a review. */
  | "nothing"
  | "no-change"
  | "conflict"
  | "changed-since"
  | "stale"
  | "read-only"
  | "io"
  | "damaged"
  /** The agent's code broke or was ended. */
  | "host"
  | "cancelled";

export class WardianError extends Error {
  override readonly name = "WardianError";
  readonly kind: ErrorKind;
  /** Of `conflict`. */
  readonly changes?: Change[];
  /** Of `changed-since`. */
  readonly paths?: string[];

  constructor(kind: ErrorKind, message: string, details: { changes?: Change[]; paths?: string[] } = {}) {
    super(message);
    this.kind = kind;
    if (details.changes) this.changes = details.changes;
    if (details.paths) this.paths = details.paths;
  }
}
