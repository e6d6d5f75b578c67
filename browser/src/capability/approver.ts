/** `wardian:host/approver`: asks the user. */

import type { Answer, Question } from "../api.js";
import { Pollable, Signal, type Source } from "./poll.js";
import { dispose } from "./streams.js";
import type { Powers } from "../protocol.js";

interface Asked {
  id: string;
  tool: string;
  powers: Powers;
  summary: string;
  input: string;
}

/** As the journal has them. */
export function named(powers: Powers): string[] {
  return [
    ...(powers.files === "none" ? [] : [`files:${powers.files}`]),
    ...powers.net.map((host) => `net:${host}`),
    ...powers.process.map((name) => `process:${name}`),
    ...powers.env.map((name) => `env:${name}`),
  ];
}

/** How the page asks. None: there is nobody to ask. */
export type Asking = ((question: Question, signal: AbortSignal) => Promise<Answer>) | undefined;

/** A question that the user sees. Dropping it withdraws the question. */
export class Pending {
  readonly #signal = new Signal();
  readonly #withdrawn = new AbortController();
  #answer: Answer | "unavailable" | undefined;

  constructor(asking: Asking, question: Question) {
    if (!asking) {
      this.#answer = "unavailable";
      return;
    }
    // A question whose user interface failed was not answered with yes.
    asking(question, this.#withdrawn.signal).then(
      (answer) => this.#set(answer),
      () => this.#set("unavailable"),
    );
  }

  #set(answer: Answer | "unavailable"): void {
    this.#answer = answer;
    this.#signal.fire();
  }

  get source(): Source {
    return { ready: () => this.#answer !== undefined, watch: (wake) => this.#signal.watch(wake) };
  }

  subscribe(): Pollable {
    return new Pollable(this.source);
  }

  answer(): Answer | "unavailable" | undefined {
    return this.#answer;
  }

  [dispose](): void {
    this.#withdrawn.abort();
  }
}

export const approver = (asking: Asking) => ({
  Pending,
  ask: (asked: Asked): Pending =>
    new Pending(asking, {
      id: asked.id,
      tool: asked.tool,
      powers: named(asked.powers),
      summary: asked.summary,
      input: asked.input,
    }),
});
