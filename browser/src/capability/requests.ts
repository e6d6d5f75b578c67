/** Requests of a guest's worker: they are sent where all workers are started from. */

import type { FromGuest } from "../protocol.js";
import { HttpIoError, type GuestResponse, type Send } from "./http.js";
import type { ErrorCode } from "./http/send.js";
import type { Ends } from "./pipe.js";

interface Waiting {
  resolve(response: GuestResponse): void;
  reject(code: ErrorCode): void;
}

export class Requests {
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;

  constructor(
    readonly ends: Ends,
    readonly say: (message: FromGuest) => void,
  ) {}

  readonly send: Send = (outgoing) => {
    this.#count += 1;
    const request = this.#count;
    const response = new Promise<GuestResponse>((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject });
      this.say({ kind: "request", request, outgoing });
    });
    return { response, cancel: () => this.say({ kind: "cancel-request", request }) };
  };

  response(request: number, status: number, headers: [string, Uint8Array][], end: number): void {
    const body = this.ends.reader(end);
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    if (waiting) waiting.resolve({ status, headers, body });
    else body.close();
  }

  none(request: number, code: ErrorCode): void {
    this.#waiting.get(request)?.reject(code);
    this.#waiting.delete(request);
  }

  failed(end: number, code: ErrorCode): void {
    this.ends.failed(end, { tag: "last-operation-failed", val: new HttpIoError(code) });
  }
}
