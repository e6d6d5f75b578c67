/** `wasi:http`: requests of a guest. What is sent is decided and done where `send` leads. */

import type { ErrorCode } from "./http/send.js";
import { Pollable, READY, Signal, type Source } from "./poll.js";
import { closed, dispose, InputStream, IoError, OutputStream, type Reader } from "./streams.js";

/** Headers that code may build at once. */
const FIELDS_BYTES_MAX = 256 << 10;

/** What one body may hold before it is sent: a browser sends it as a whole. The policy's bound is lower or the same. */
const BODY_BYTES_MAX = 256 << 20;

export interface GuestRequest {
  method: string;
  url: string;
  headers: { name: string; value: Uint8Array }[];
  body: Uint8Array | undefined;
  firstByteMs: number | undefined;
  betweenBytesMs: number | undefined;
}

export interface GuestResponse {
  status: number;
  headers: [string, Uint8Array][];
  body: Reader;
}

/** Rejects with an `ErrorCode`. */
export type Send = (request: GuestRequest) => { response: Promise<GuestResponse>; cancel(): void };

type Method = { tag: string; val?: string };
type Scheme = { tag: string; val?: string };

/** An error of a body, with what `http-error-code` says of it. */
export class HttpIoError extends IoError {
  constructor(readonly http: ErrorCode) {
    super(http.tag);
  }
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FORBIDDEN = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host", "http2-settings"]);

export class Fields {
  #entries: [string, Uint8Array][] = [];
  #isFrozen = false;

  static fromList(entries: [string, Uint8Array][]): Fields {
    const fields = new Fields();
    for (const [name, value] of entries) fields.append(name, value);
    return fields;
  }

  static frozen(entries: [string, Uint8Array][]): Fields {
    const fields = new Fields();
    fields.#entries = entries;
    fields.#isFrozen = true;
    return fields;
  }

  #change(name: string, value?: Uint8Array): void {
    if (this.#isFrozen) throw { tag: "immutable" };
    if (!TOKEN.test(name) || value?.some((byte) => (byte < 32 && byte !== 9) || byte === 127)) throw { tag: "invalid-syntax" };
    if (FORBIDDEN.has(name.toLowerCase())) throw { tag: "forbidden" };
  }

  get(name: string): Uint8Array[] {
    return this.#entries.filter(([each]) => each.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.#entries.some(([each]) => each.toLowerCase() === name.toLowerCase());
  }

  set(name: string, values: Uint8Array[]): void {
    for (const value of values) this.#change(name, value);
    this.delete(name);
    for (const value of values) this.append(name, value);
  }

  delete(name: string): void {
    this.#change(name);
    this.#entries = this.#entries.filter(([each]) => each.toLowerCase() !== name.toLowerCase());
  }

  append(name: string, value: Uint8Array): void {
    this.#change(name, value);
    this.#entries.push([name, value.slice()]);
    const bytes = this.#entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    if (bytes > FIELDS_BYTES_MAX) throw { tag: "forbidden" };
  }

  entries(): [string, Uint8Array][] {
    return this.#entries;
  }

  clone(): Fields {
    const fields = new Fields();
    fields.#entries = this.#entries.map(([name, value]) => [name, value.slice()]);
    return fields;
  }
}

export class OutgoingBody {
  readonly #signal = new Signal();
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #isTaken = false;
  /** None: it was dropped and never finished. */
  #whole: { bytes: Uint8Array | undefined } | undefined;

  write(): OutputStream {
    if (this.#isTaken) throw undefined;
    this.#isTaken = true;
    return new OutputStream({
      ...READY,
      room: () => {
        if (this.#whole) throw closed();
        return 1 << 20;
      },
      write: (bytes) => {
        this.#bytes += bytes.length;
        if (this.#bytes > BODY_BYTES_MAX) throw closed();
        this.#pieces.push(bytes.slice());
      },
      close() {},
    });
  }

  static finish(body: OutgoingBody): void {
    const bytes = new Uint8Array(body.#bytes);
    let at = 0;
    for (const piece of body.#pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    body.#end(bytes);
  }

  #end(bytes: Uint8Array | undefined): void {
    if (this.#whole) return;
    this.#whole = { bytes };
    this.#pieces = [];
    this.#signal.fire();
  }

  /** Waits for its end. */
  whole(): Promise<Uint8Array | undefined> {
    return new Promise((resolve) => {
      const look = () => {
        if (!this.#whole) return;
        undo();
        resolve(this.#whole.bytes);
      };
      const undo = this.#signal.watch(look);
      look();
    });
  }

  [dispose](): void {
    this.#end(undefined);
  }
}

export class OutgoingRequest {
  #method: Method = { tag: "get" };
  #path: string | undefined;
  #scheme: Scheme | undefined;
  #authority: string | undefined;
  readonly #headers: Fields;
  sent: OutgoingBody | undefined;

  constructor(headers: Fields) {
    this.#headers = headers;
  }

  body(): OutgoingBody {
    if (this.sent) throw undefined;
    this.sent = new OutgoingBody();
    return this.sent;
  }

  method(): Method {
    return this.#method;
  }

  setMethod(method: Method): void {
    if (method.tag === "other" && !TOKEN.test(method.val ?? "")) throw undefined;
    this.#method = method;
  }

  pathWithQuery(): string | undefined {
    return this.#path;
  }

  setPathWithQuery(path: string | undefined): void {
    this.#path = path;
  }

  scheme(): Scheme | undefined {
    return this.#scheme;
  }

  setScheme(scheme: Scheme | undefined): void {
    this.#scheme = scheme;
  }

  authority(): string | undefined {
    return this.#authority;
  }

  setAuthority(authority: string | undefined): void {
    this.#authority = authority;
  }

  headers(): Fields {
    return Fields.frozen(this.#headers.entries());
  }

  told(): Pick<GuestRequest, "method" | "url" | "headers"> {
    const scheme = this.#scheme?.tag === "other" ? (this.#scheme.val ?? "") : (this.#scheme?.tag ?? "https").toLowerCase();
    const method = this.#method.tag === "other" ? (this.#method.val ?? "") : this.#method.tag.toUpperCase();
    const headers = this.#headers.entries().map(([name, value]) => ({ name, value: value.slice() }));
    return { method, url: `${scheme}://${this.#authority ?? ""}${this.#path ?? "/"}`, headers };
  }
}

export class RequestOptions {
  #connect: bigint | undefined;
  #first: bigint | undefined;
  #between: bigint | undefined;

  connectTimeout(): bigint | undefined {
    return this.#connect;
  }

  setConnectTimeout(duration: bigint | undefined): void {
    this.#connect = duration;
  }

  firstByteTimeout(): bigint | undefined {
    return this.#first;
  }

  setFirstByteTimeout(duration: bigint | undefined): void {
    this.#first = duration;
  }

  betweenBytesTimeout(): bigint | undefined {
    return this.#between;
  }

  setBetweenBytesTimeout(duration: bigint | undefined): void {
    this.#between = duration;
  }
}

export class FutureTrailers {
  subscribe(): Pollable {
    return new Pollable(READY);
  }

  /** A browser shows none. */
  get(): unknown {
    return { tag: "ok", val: { tag: "ok", val: undefined } };
  }
}

export class IncomingBody {
  #reader: Reader | undefined;
  readonly #close: () => void;

  constructor(reader: Reader) {
    this.#reader = reader;
    this.#close = () => reader.close();
  }

  stream(): InputStream {
    const reader = this.#reader;
    if (!reader) throw undefined;
    this.#reader = undefined;
    return new InputStream(reader);
  }

  static finish(_body: IncomingBody): FutureTrailers {
    return new FutureTrailers();
  }

  [dispose](): void {
    this.#close();
  }
}

export class IncomingResponse {
  #body: Reader | undefined;

  constructor(readonly response: GuestResponse) {
    this.#body = response.body;
  }

  status(): number {
    return this.response.status;
  }

  headers(): Fields {
    return Fields.frozen(this.response.headers);
  }

  consume(): IncomingBody {
    const body = this.#body;
    if (!body) throw undefined;
    this.#body = undefined;
    return new IncomingBody(body);
  }

  [dispose](): void {
    this.#body?.close();
  }
}

type Answer = { tag: "ok"; val: IncomingResponse } | { tag: "err"; val: ErrorCode };

export class FutureIncomingResponse {
  readonly #signal = new Signal();
  readonly #cancel: () => void;
  #answer: Answer | undefined;
  #isTaken = false;

  constructor(response: Promise<GuestResponse>, cancel: () => void) {
    this.#cancel = cancel;
    response.then(
      (response) => this.#set({ tag: "ok", val: new IncomingResponse(response) }),
      (error: unknown) => {
        const isCode = typeof error === "object" && error !== null && "tag" in error;
        this.#set({ tag: "err", val: isCode ? (error as ErrorCode) : { tag: "internal-error", val: String(error) } });
      },
    );
  }

  #set(answer: Answer): void {
    this.#answer = answer;
    this.#signal.fire();
  }

  subscribe(): Pollable {
    const source: Source = { ready: () => this.#answer !== undefined, watch: (wake) => this.#signal.watch(wake) };
    return new Pollable(source);
  }

  get(): unknown {
    if (!this.#answer) return undefined;
    if (this.#isTaken) return { tag: "err", val: undefined };
    this.#isTaken = true;
    return { tag: "ok", val: this.#answer };
  }

  [dispose](): void {
    if (!this.#isTaken) {
      this.#cancel();
      if (this.#answer?.tag === "ok") this.#answer.val[dispose]();
    }
  }
}

const ms = (duration: bigint | undefined): number | undefined => (duration === undefined ? undefined : Number(duration) / 1e6);

class IncomingRequest {}
class OutgoingResponse {}
class ResponseOutparam {}

export const http = (send: Send) => ({
  "wasi:http/types": {
    ...{ Fields, OutgoingRequest, OutgoingBody, RequestOptions, FutureIncomingResponse, IncomingResponse },
    ...{ IncomingBody, FutureTrailers, IncomingRequest, OutgoingResponse, ResponseOutparam },
    httpErrorCode: (error: IoError): ErrorCode | undefined => (error instanceof HttpIoError ? error.http : undefined),
  },
  "wasi:http/outgoing-handler": {
    handle(request: OutgoingRequest, options: RequestOptions | undefined): FutureIncomingResponse {
      let [cancel, isCancelled] = [() => {}, false];
      const response = (async () => {
        const body = request.sent && (await request.sent.whole());
        // It was dropped half-way: nothing is sent.
        if (request.sent && !body) throw { tag: "HTTP-request-body-size", val: undefined } satisfies ErrorCode;
        if (isCancelled) throw { tag: "internal-error", val: "nobody waits for it" } satisfies ErrorCode;
        const times = { firstByteMs: ms(options?.firstByteTimeout()), betweenBytesMs: ms(options?.betweenBytesTimeout()) };
        const sent = send({ ...request.told(), body, ...times });
        cancel = () => sent.cancel();
        return sent.response;
      })();
      return new FutureIncomingResponse(response, () => {
        isCancelled = true;
        cancel();
      });
    },
  },
});

