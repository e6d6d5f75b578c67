/** One session that is open in this tab: its agent, what is shown of it, what is asked of its user. */

import { batch, computed, signal } from "@preact/signals";
import {
  createAgent,
  sessions,
  WardianError,
  type Agent,
  type AgentOptions,
  type Answer,
  type Approve,
  type Change,
  type ChangeList,
  type JournalEvent,
  type Project,
  type Question,
} from "wardian";
import { model, type Choice } from "./models.ts";
import { Transcript } from "./transcript.ts";

export interface Ask {
  question: Question;
  answer: (answer: Answer) => void;
}

/** How a session stands: `closed` shows its journal, `open` can go on. */
export type Phase = "opening" | "open" | "closed";

export interface Trouble {
  kind: string;
  message: string;
}

export function trouble(error: unknown): Trouble {
  if (error instanceof WardianError) return { kind: error.kind, message: error.message };
  return { kind: "other", message: error instanceof Error ? error.message : String(error) };
}

export interface Settings {
  approve: Approve;
  choice: Choice;
}

/** Looking what changed costs something: while the agent writes, not more often than this. */
const REFRESH_MS = 700;

export class Session {
  readonly id = signal("");
  readonly name = signal("");
  readonly phase = signal<Phase>("closed");
  readonly trouble = signal<Trouble | null>(null);
  readonly running = signal(false);
  readonly stopping = signal(false);
  readonly asks = signal<Ask[]>([]);
  readonly changes = signal<ChangeList | null>(null);
  readonly changesTrouble = signal<Trouble | null>(null);
  /** Counts each time that the files may have changed. */
  readonly revision = signal(0);
  readonly canUndo = signal(false);
  readonly agent = signal<Agent | null>(null);
  readonly settings = signal<Settings | null>(null);
  /** A folder that was chosen in an earlier life of the page: the browser may want to ask again. */
  readonly needsLeave = signal(false);
  readonly transcript = new Transcript();
  readonly isEmpty = computed(() => this.transcript.entries.value.length === 0);
  /** The last run did not come to its end, here or in a tab that is gone. */
  readonly isCutOff = computed(
    () =>
      !this.running.value &&
      !this.isEmpty.value &&
      (this.transcript.stop.value === undefined || this.transcript.wasInterrupted.value),
  );

  #abort: AbortController | null = null;
  #refreshing: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** Shows a journal, and nothing more. */
  static async show(id: string): Promise<Session> {
    const session = new Session();
    session.id.value = id;
    session.transcript.applyAll(await sessions().events(id));
    return session;
  }

  /** Starts its agent: of a new session, or of the one that is shown. */
  async open(project: Project, settings: Settings): Promise<void> {
    this.phase.value = "opening";
    this.trouble.value = null;
    try {
      const known = this.id.value;
      const options: AgentOptions = {
        project,
        model: model(settings.choice),
        approve: settings.approve,
        onAsk: (question, withdrawn) => this.#ask(question, withdrawn),
        ...(known ? { session: known } : {}),
      };
      const agent = await createAgent(options);
      if (this.#isClosed) {
        await agent.close();
        return;
      }
      // What the session wrote when it was opened: that it was, and how a run ended that nobody ended.
      const events = await agent.events();
      batch(() => {
        this.id.value = agent.session;
        this.name.value = agent.project.name;
        this.agent.value = agent;
        this.settings.value = settings;
        this.needsLeave.value = project.kind === "recorded" && agent.project.kind === "directory" && agent.project.write === "prompt";
        this.transcript.applyAll(this.#unseen(events));
        this.phase.value = "open";
      });
      void this.refresh();
    } catch (error) {
      batch(() => {
        this.trouble.value = trouble(error);
        this.phase.value = "closed";
      });
    }
  }

  #unseen(events: JournalEvent[]): JournalEvent[] {
    const seen = this.transcript.lines.value;
    return events.filter((event) => event.seq >= seen);
  }

  /** With other settings from now on: the session goes on where it is. */
  async reopen(settings: Settings): Promise<void> {
    const agent = this.agent.value;
    if (!agent || this.running.value) return;
    this.agent.value = null;
    this.phase.value = "opening";
    await agent.close();
    await this.open({ kind: "recorded" }, settings);
  }

  async run(text: string): Promise<void> {
    const agent = this.agent.value;
    if (!agent || this.running.value) return;
    const abort = new AbortController();
    this.#abort = abort;
    batch(() => {
      this.running.value = true;
      this.trouble.value = null;
    });
    try {
      for await (const event of agent.run(text, { signal: abort.signal })) {
        this.transcript.apply(event);
        if (event.type === "workspace.change") this.#refreshSoon();
      }
    } catch (error) {
      this.trouble.value = trouble(error);
    } finally {
      batch(() => {
        this.#abort = null;
        this.running.value = this.stopping.value = false;
        this.asks.value = [];
        this.transcript.activity.value = "";
      });
      void this.refresh();
    }
  }

  stop(): void {
    if (!this.#abort) return;
    this.stopping.value = true;
    this.#abort.abort();
  }

  #ask(question: Question, withdrawn: AbortSignal): Promise<Answer> {
    return new Promise((resolve) => {
      const ask: Ask = {
        question,
        answer: (answer) => {
          this.asks.value = this.asks.value.filter((other) => other !== ask);
          resolve(answer);
        },
      };
      withdrawn.addEventListener("abort", () => ask.answer("deny"), { once: true });
      if (withdrawn.aborted) return resolve("deny");
      this.asks.value = [...this.asks.value, ask];
    });
  }

  #refreshSoon(): void {
    this.#refreshing ??= setTimeout(() => void this.refresh(), REFRESH_MS);
  }

  async refresh(): Promise<void> {
    clearTimeout(this.#refreshing);
    this.#refreshing = undefined;
    const agent = this.agent.value;
    if (!agent) return;
    try {
      const [changes, history] = await Promise.all([agent.review.changes(), agent.review.history()]);
      if (this.agent.value !== agent) return;
      const undone = new Set(history.map((commit) => commit.undoes));
      batch(() => {
        this.changes.value = changes;
        this.changesTrouble.value = null;
        this.canUndo.value = history.some((commit) => commit.undoes === undefined && !undone.has(commit.number));
        this.revision.value++;
      });
    } catch (error) {
      if (this.agent.value === agent) this.changesTrouble.value = trouble(error);
    }
  }

  /** Lines that were written between runs: commits and their like. */
  async catchUp(): Promise<void> {
    const agent = this.agent.value;
    if (!agent) return;
    this.transcript.applyAll(this.#unseen(await agent.events()));
    await this.refresh();
  }

  /** From a click: at another time the browser does not ask. */
  async askForLeave(): Promise<void> {
    const agent = this.agent.value;
    if (!agent || !(await agent.requestWrite())) return;
    this.needsLeave.value = false;
    await this.refresh();
  }

  change(path: string): Change | undefined {
    return this.changes.value?.changes.find((change) => change.path === path);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#refreshing);
    this.#abort?.abort();
    for (const ask of this.asks.value) ask.answer("deny");
    const agent = this.agent.value;
    batch(() => {
      this.agent.value = null;
      this.phase.value = "closed";
    });
    await agent?.close();
  }
}
