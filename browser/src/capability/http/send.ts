/** A request on its way: the policy before it and after it, a clock at every wait. */

import type { NetLimits } from "../../api.js";
import type { Components, Manifest } from "../../components.js";
import { netError, netLimit, type Activities, type NetError, type Record } from "../activities.js";
import { Policy, type Checked, type Decision, type Denial, type Header, type PolicyOptions } from "./policy.js";

/** Tells the code which URL answered. */
const FINAL_URL = "wardian-url";

/** `wasi:http/types#error-code`, as far as a page knows. */
export type ErrorCode =
  | { tag: "HTTP-request-denied" | "HTTP-response-timeout" | "connection-refused" | "connection-limit-reached" }
  | { tag: "connection-timeout" | "connection-read-timeout" | "HTTP-response-incomplete" | "HTTP-request-URI-invalid" }
  | { tag: "HTTP-request-body-size" | "HTTP-response-body-size"; val: bigint | undefined }
  | { tag: "HTTP-response-header-section-size"; val: number | undefined }
  | { tag: "internal-error"; val: string | undefined };

export const denied: ErrorCode = { tag: "HTTP-request-denied" };

/** Headers that are added to requests to one origin, and to no other. No component sees them. */
export interface Credential {
  origin: string;
  headers: [string, string][];
}

export interface Outgoing {
  method: string;
  url: string;
  headers: Header[];
  body: Uint8Array | undefined;
  /** What the code wants to wait at most; it may be stricter than the policy. */
  firstByteMs: number | undefined;
  betweenBytesMs: number | undefined;
}

/** A response whose body comes in pieces. */
export interface Incoming {
  status: number;
  headers: [string, Uint8Array][];
  body: Download;
}

/** How a request ended that has no response, or no whole one. Thrown. */
export class HttpFailure extends Error {
  constructor(readonly code: ErrorCode) {
    super(code.tag);
  }
}

/** What one call, with all that it starts, sends with: one policy, one count. */
export class Sending {
  readonly #policy: Promise<Policy>;
  readonly #limits: NetLimits;
  readonly #credentials: Credential[];
  readonly activities: Activities;
  #underWay = 0;
  #isOver = false;

  constructor(
    components: Components,
    manifest: Manifest,
    options: PolicyOptions,
    credentials: Credential[],
    activities: Activities,
  ) {
    this.#policy = Policy.make(components, manifest, options);
    // It is asked for where it is needed, which says what is wrong.
    this.#policy.catch(() => {});
    this.#limits = options.limits;
    this.#credentials = credentials;
    this.activities = activities;
  }

  /** Rejects where there is no policy: a rule is wrong, or cannot be enforced. */
  async ready(): Promise<void> {
    await this.#policy;
  }

  async send(request: Outgoing): Promise<Incoming> {
    await this.activities.room();
    const { method } = request;
    if (this.#underWay >= this.#limits.concurrent_max) {
      const max = this.#limits.concurrent_max;
      this.activities.refused(method, "", "concurrent-max", netLimit("concurrent-max", max));
      throw new HttpFailure({ tag: "connection-limit-reached" });
    }
    this.#underWay += 1;
    let isHandedOn = false;
    const leave = () => (this.#underWay -= 1);
    try {
      const policy = await this.#made(method);
      const hasBody = request.body !== undefined;
      const checked = await this.#leave(policy, await policy.decide(method, request.url, request.headers, hasBody), method);
      const record = this.activities.begin(checked.method, checked.shown, checked.rule);
      const incoming = await this.#exchange(policy, checked, request, record, leave);
      isHandedOn = true;
      return incoming;
    } finally {
      if (!isHandedOn) leave();
    }
  }

  async #made(method: string): Promise<Policy> {
    try {
      return await this.#policy;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.activities.refused(method, "", "netfetch", netError("denied", reason));
      throw new HttpFailure(denied);
    }
  }

  /** Leave to send, or the error of having none. */
  async #leave(policy: Policy, decision: Decision, method: string): Promise<Checked> {
    if (decision.tag === "allow") return decision.val;
    if (decision.tag === "deny") {
      const { rule, reason, shown } = decision.val;
      // Code that goes on after that is told so each time, the journal once.
      const isRepeated = rule === "requests-max" && this.#isOver;
      this.#isOver ||= rule === "requests-max";
      if (!isRepeated) this.activities.refused(method, shown, rule, netError("denied", reason));
      // No rule would help.
      throw new HttpFailure(rule === "requests-max" ? { tag: "connection-limit-reached" } : denied);
    }
    const { host, request } = decision.val;
    if (await this.activities.ask(request.method, host, request.shown)) {
      await policy.allowHost(host);
      return request;
    }
    const error = netError("denied", `${host} was not permitted`);
    this.activities.refused(request.method, request.shown, request.rule, error);
    throw new HttpFailure(denied);
  }

  async #exchange(
    policy: Policy,
    checked: Checked,
    request: Outgoing,
    record: Record,
    leave: () => void,
  ): Promise<Incoming> {
    const limits = this.#limits;
    const fail = (told: NetError, code: ErrorCode): never => {
      record.end(true, told);
      throw new HttpFailure(code);
    };
    const deny = async (denial: Denial): Promise<never> => {
      await policy.forget(checked.decision);
      record.rule = denial.rule;
      record.end(false, netError("denied", denial.reason));
      throw new HttpFailure(denied);
    };
    const { body } = request;
    if (body && body.length > limits.request_bytes_max) {
      const max = limits.request_bytes_max;
      fail(netLimit("request-bytes-max", max), { tag: "HTTP-request-body-size", val: BigInt(max) });
    }
    const abort = new AbortController();
    const end = performance.now() + limits.total_ms_max;
    // A page does not see when it is connected: what waits for that and what waits for an answer is one wait.
    const first = Math.min(limits.first_byte_ms_max, request.firstByteMs ?? Infinity) + limits.connect_ms_max;
    const waited = first < limits.total_ms_max ? "first-byte-ms-max" : "total-ms-max";
    const timer = setTimeout(() => abort.abort(waited), Math.min(first, limits.total_ms_max, 2 ** 31 - 1));
    let response: Response;
    try {
      response = await fetch(checked.url, {
        method: checked.method,
        headers: this.#headers(checked),
        ...(body ? { body: body as Uint8Array<ArrayBuffer> } : {}),
        signal: abort.signal,
        redirect: "manual",
        credentials: "omit",
        referrerPolicy: "no-referrer",
        cache: "no-store",
      });
    } catch (error) {
      await policy.forget(checked.decision);
      if (abort.signal.aborted) {
        const at = waited === "total-ms-max" ? limits.total_ms_max : limits.first_byte_ms_max;
        return fail(netLimit(waited, at), { tag: "connection-read-timeout" });
      }
      const reason = "it was not sent, or its answer may not be read here: the host is down, or does not allow pages (CORS)";
      return fail(netError("connect", `${reason}; ${String(error)}`), { tag: "connection-refused" });
    } finally {
      clearTimeout(timer);
    }
    record.bytesOut = body?.length ?? 0;
    if (response.type === "opaqueredirect") {
      abort.abort();
      return deny(await policy.redirect(checked.decision));
    }
    record.status = response.status;
    const denial = await policy.response(checked.decision, response.status, response.headers.get("content-type"));
    if (denial) {
      abort.abort();
      return deny(denial);
    }
    await policy.forget(checked.decision);
    const headers = this.#received(response, checked.url);
    const size = headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    if (size > limits.header_bytes_max) {
      abort.abort();
      const max = limits.header_bytes_max;
      fail(netLimit("header-bytes-max", max), { tag: "HTTP-response-header-section-size", val: max });
    }
    const between = Math.min(limits.between_bytes_ms_max, request.betweenBytesMs ?? Infinity);
    return { status: response.status, headers, body: new Download(response, record, abort, limits, between, end, leave) };
  }

  /** Here, and nowhere else, credentials are added. */
  #headers(checked: Checked): Headers {
    const headers = new Headers();
    for (const { name, value } of checked.headers) {
      try {
        headers.append(name, new TextDecoder("latin1").decode(value));
      } catch {
        throw new HttpFailure({ tag: "internal-error", val: `the header ${name} cannot be sent` });
      }
    }
    const { scheme, host, port } = checked.origin;
    const origin = new URL(`${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`).origin;
    for (const credential of this.#credentials.filter((credential) => credential.origin === origin)) {
      for (const [name, value] of credential.headers) headers.set(name, value);
    }
    return headers;
  }

  #received(response: Response, url: string): [string, Uint8Array][] {
    const encoder = new TextEncoder();
    const headers: [string, Uint8Array][] = [];
    for (const [name, value] of response.headers) {
      // Of the body as it was sent: a browser unpacks it.
      if (name !== "content-encoding" && name !== "content-length") headers.push([name, encoder.encode(value)]);
    }
    headers.push([FINAL_URL, encoder.encode(url)]);
    return headers;
  }
}

/** A response's body: counted, timed, never held whole. */
export class Download {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #isOver = false;

  constructor(
    response: Response,
    readonly record: Record,
    readonly abort: AbortController,
    readonly limits: NetLimits,
    readonly between: number,
    readonly end: number,
    readonly leave: () => void,
  ) {
    this.#reader = response.body?.getReader();
  }

  #over(error?: NetError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.record.end(true, error);
    this.leave();
  }

  #fail(told: NetError, code: ErrorCode): never {
    this.#over(told);
    this.abort.abort();
    throw new HttpFailure(code);
  }

  /** The next piece; none: it is whole. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#isOver || !this.#reader) {
      this.#over();
      return undefined;
    }
    const left = this.end - performance.now();
    const isTotal = left < this.between;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), Math.max(Math.min(left, this.between, 2 ** 31 - 1), 0));
    });
    try {
      const read = await Promise.race([this.#reader.read(), late]);
      if (read === "late") {
        if (isTotal) this.#fail(netLimit("total-ms-max", this.limits.total_ms_max), { tag: "HTTP-response-timeout" });
        this.#fail(netLimit("between-bytes-ms-max", this.limits.between_bytes_ms_max), { tag: "connection-read-timeout" });
      }
      if (read.done) {
        this.#over();
        return undefined;
      }
      this.record.bytesIn += read.value.length;
      if (this.record.bytesIn > this.limits.response_bytes_max) {
        const max = this.limits.response_bytes_max;
        this.#fail(netLimit("response-bytes-max", max), { tag: "HTTP-response-body-size", val: BigInt(max) });
      }
      return read.value;
    } catch (error) {
      if (error instanceof HttpFailure) throw error;
      return this.#fail(netError("incomplete", String(error)), { tag: "HTTP-response-incomplete" });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Nobody wants the rest. */
  cancel(): void {
    if (this.#isOver) return;
    this.#over(netError("cut-off", "the code ended, or lost interest, before the request was over"));
    this.abort.abort();
  }
}

