/** Calls from the page to its worker, and what the worker tells meanwhile. */

import { WardianError, type AgentEvent, type Answer, type Change, type ErrorKind, type Question } from "./api.js";

export type ToEngine =
  | { kind: "call"; id: number; method: string; parameters: unknown[] }
  | { kind: "answer"; ask: number; answer: Answer | undefined };

export type FromEngine =
  | { kind: "result"; id: number; value: unknown }
  | { kind: "failed"; id: number; error: Failure }
  | { kind: "event"; event: AgentEvent }
  | { kind: "output"; exec: number; stream: "stdout" | "stderr"; bytes: Uint8Array }
  | { kind: "ask"; ask: number; question: Question }
  | { kind: "withdrawn"; ask: number };

export interface Failure {
  kind: ErrorKind;
  message: string;
  changes?: Change[];
  paths?: string[];
}

export function failure(error: unknown): Failure {
  if (error instanceof WardianError) {
    const { kind, message, changes, paths } = error;
    return { kind, message, ...(changes ? { changes } : {}), ...(paths ? { paths } : {}) };
  }
  return { kind: "host", message: error instanceof Error ? `${error.name}: ${error.message}` : JSON.stringify(error) };
}

/** The page's end. */
export class Caller {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #id = 0;
  #gone: WardianError | undefined;
  listener: (message: FromEngine) => void = () => {};

  constructor(url: URL, name: string) {
    this.#worker = new Worker(url, { type: "module", name });
    this.#worker.onmessage = ({ data }: MessageEvent<FromEngine>) => this.#hear(data);
    this.#worker.onerror = (event) =>
      this.end(new WardianError("host", event.message || `cannot start ${url.href}: are the package's files there?`));
  }

  #hear(message: FromEngine): void {
    if (message.kind !== "result" && message.kind !== "failed") return this.listener(message);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.kind === "result") waiting?.resolve(message.value as never);
    else waiting?.reject(new WardianError(message.error.kind, message.error.message, message.error));
  }

  say(message: ToEngine): void {
    this.#worker.postMessage(message);
  }

  call<T>(method: string, ...parameters: unknown[]): Promise<T> {
    if (this.#gone) return Promise.reject(this.#gone);
    this.#id += 1;
    const id = this.#id;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.say({ kind: "call", id, method, parameters });
    });
  }

  /** Ends the worker, and with it all that it has started. */
  end(why: WardianError): void {
    if (this.#gone) return;
    this.#gone = why;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(why);
    this.#waiting.clear();
  }
}
