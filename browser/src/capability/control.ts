/** `wardian:host/control`: the user's hand on the run. */

import { Pollable, Signal, Timer, type Source } from "./poll.js";

/** When a run has to end. */
export class Control {
  readonly #signal = new Signal();
  #cancelled = false;
  #deadline: Timer | undefined;

  cancel(): void {
    this.#cancelled = true;
    this.#signal.fire();
  }

  /** Forgets a cancellation, before the next run. */
  reset(): void {
    this.#cancelled = false;
  }

  get isCancelled(): boolean {
    return this.#cancelled;
  }

  imports() {
    return {
      // A cancellation that came before the run began was meant for it: the one who cancels resets it.
      begin: (deadlineMs: bigint | undefined): void => {
        this.#deadline = deadlineMs === undefined ? undefined : new Timer(performance.now() + Number(deadlineMs));
      },
      interrupted: (): Pollable => {
        const deadline = this.#deadline;
        const source: Source = {
          ready: () => this.#cancelled || !!deadline?.ready(),
          watch: (wake) => {
            const undo = [this.#signal.watch(wake), deadline?.watch(wake)];
            return () => undo.forEach((each) => each?.());
          },
        };
        return new Pollable(source);
      },
      reason: (): "cancelled" | "deadline" | undefined =>
        this.#cancelled ? "cancelled" : this.#deadline?.ready() ? "deadline" : undefined,
    };
  }
}
