/** The worker that has the session: the agent runs here, and everything that it starts is started from here. */

import { WardianError, type Answer, type CommitOptions, type Project, type Question } from "./api.js";
import { hear } from "./capability/ahead.js";
import { Case } from "./case.js";
import { Components } from "./components.js";
import { Home } from "./home.js";
import * as review from "./review.js";
import { failure, type FromEngine, type ToEngine } from "./rpc.js";
import * as sessions from "./sessions.js";
import type { Settings } from "./settings.js";

const scope = globalThis as unknown as {
  postMessage(message: FromEngine): void;
  onmessage: ((event: MessageEvent<ToEngine>) => void) | null;
};

const say = (message: FromEngine): void => scope.postMessage(message);

const home = new Home();
let session: Case | undefined;

const asked = new Map<number, (answer: Answer | undefined) => void>();
let asks = 0;

function ask(question: Question, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    asks += 1;
    const ask = asks;
    const withdraw = () => {
      asked.delete(ask);
      say({ kind: "withdrawn", ask });
    };
    asked.set(ask, (answer) => {
      signal.removeEventListener("abort", withdraw);
      asked.delete(ask);
      if (answer) resolve(answer);
      else reject(new Error("nobody answered"));
    });
    signal.addEventListener("abort", withdraw, { once: true });
    say({ kind: "ask", ask, question });
  });
}

function opened(): Case {
  if (!session) throw new WardianError("usage", "no session is open");
  return session;
}

const show = (event: import("./api.js").AgentEvent): void => say({ kind: "event", event });

const execs = new Map<number, AbortController>();

type Method = (...parameters: never[]) => Promise<unknown>;

const methods: Record<string, Method> = {
  async open(project: Project, settings: Settings, assets: string) {
    const guest = new URL("./guest.js", import.meta.url);
    const asking = settings.asks ? ask : undefined;
    session = await Case.open(home, new Components(assets), project, settings, asking, guest);
    return { session: session.id, project: await session.project(), components: session.components };
  },
  run: (text: string) => opened().run(text, show),
  cancel: async () => {
    const running = opened();
    running.cancel();
    return running.isStuck();
  },
  async exec(exec: number, argv: string[], options) {
    const abort = new AbortController();
    execs.set(exec, abort);
    const output = (stream: "stdout" | "stderr", bytes: Uint8Array) => say({ kind: "output", exec, stream, bytes });
    try {
      return await opened().exec(argv, options, output, abort.signal);
    } finally {
      execs.delete(exec);
    }
  },
  endExec: async (exec: number) => execs.get(exec)?.abort(),
  close: async () => {
    await session?.close();
    session = undefined;
  },
  project: () => opened().project(),
  events: () => opened().events(),
  changes: (options) => opened().read((agent) => review.changes(agent, options)),
  diff: (path: string, options) => opened().read((agent) => review.diff(agent, path, options)),
  unified: (path: string, options) => opened().read((agent) => review.unified(agent, path, options)),
  plan: (options: CommitOptions) => opened().read((agent) => review.plan(agent, options)),
  history: (after: number) => opened().read((agent) => review.history(agent, after)),
  content: (path: string, options) => opened().content(path, options),
  listFiles: (path: string) => opened().look((look) => look.list(path)),
  readFile: (path: string, options) => opened().look((look) => look.read(path, options)),
  exportProject: () => opened().exportProject(),
  commit: (options: CommitOptions) => opened().change((agent) => review.apply(agent, options)),
  discard: (options) => opened().change((agent) => review.discard(agent, options)),
  undo: () => opened().change((agent) => review.undo(agent)),
  listSessions: (assets: string) => sessions.list(home, new Components(assets)),
  deleteSession: (id: string) => sessions.remove(home, id),
  exportSession: (id: string) => sessions.exportSession(home, id),
  importSession: (zip: Blob) => sessions.importSession(home, zip),
  sessionEvents: (id: string) => sessions.events(home, id),
  verifySession: (id: string, assets: string) => sessions.verify(home, new Components(assets), id),
  replaySession: (id: string, assets: string) => sessions.replay(home, new Components(assets), id),
};

async function answer(id: number, method: string, parameters: unknown[]): Promise<void> {
  try {
    const work = methods[method];
    if (!work) throw new WardianError("usage", `there is no ${method}`);
    const value = await work(...(parameters as never[]));
    say({ kind: "result", id, value });
  } catch (error) {
    say({ kind: "failed", id, error: failure(error) });
  }
}

scope.onmessage = ({ data: message }) => {
  hear();
  if (message.kind === "call") void answer(message.id, message.method, message.parameters);
  else asked.get(message.ask)?.(message.answer);
};
