/** The network of one session: its rules and its secrets. */

import { WardianError, type Model, type Net, type NetLimits, type NetRule } from "../../api.js";
import type { Components, Manifest } from "../../components.js";
import type { Activities } from "../activities.js";
import type { GuestRequest, GuestResponse, Send } from "../http.js";
import { HttpIoError } from "../http.js";
import { Signal } from "../poll.js";
import { closed, type Reader, type StreamError } from "../streams.js";
import { HttpFailure, Sending, type Credential, type Download, type ErrorCode } from "./send.js";

/** For tools: what a page or a package takes, and no more than a call may last. */
export const NET_LIMITS: NetLimits = {
  requests_max: 200,
  concurrent_max: 8,
  redirects_max: 10,
  url_bytes_max: 8 << 10,
  header_bytes_max: 64 << 10,
  request_bytes_max: 64 << 20,
  response_bytes_max: 256 << 20,
  connect_ms_max: 10_000,
  first_byte_ms_max: 60_000,
  between_bytes_ms_max: 30_000,
  total_ms_max: 120_000,
};

/** A model that thinks says nothing for long. */
const SILENCE_MS = 600_000;
const U32_MAX = 2 ** 32 - 1;

/** For a model's provider: what the agent's budget bounds is not bounded here once more. */
const PROVIDER_LIMITS: NetLimits = {
  ...NET_LIMITS,
  requests_max: U32_MAX,
  concurrent_max: 4,
  redirects_max: 0,
  request_bytes_max: 256 << 20,
  response_bytes_max: 1 << 30,
  first_byte_ms_max: SILENCE_MS,
  between_bytes_ms_max: SILENCE_MS,
  total_ms_max: U32_MAX,
};

type Service = Extract<Model, { kind: "service" }>;

/** The URL that a service is at, as its provider takes it. */
export function baseUrl(service: Service): URL {
  let url: URL;
  try {
    url = new URL(service.baseUrl, globalThis.location.href);
  } catch {
    throw new WardianError("usage", `the base URL cannot be read: ${service.baseUrl}`);
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new WardianError("usage", `the base URL's scheme is ${url.protocol}, not http: or https:`);
  }
  if (url.username || url.password) throw new WardianError("usage", "the base URL must have no user name and no password");
  return url;
}

const isLoopback = (url: URL): boolean =>
  url.hostname === "localhost" || url.hostname.startsWith("127.") || url.hostname === "[::1]";

/** What the session's network is made of. */
export class SessionNet {
  readonly #components: Components;
  readonly #manifest: Manifest;
  readonly #rules: NetRule[];
  readonly #limits: NetLimits;

  constructor(components: Components, manifest: Manifest, net: Net | undefined) {
    this.#components = components;
    this.#manifest = manifest;
    this.#rules = net?.rules ?? [];
    if (net?.redirects !== undefined && (net.redirects as string) !== "refuse") {
      throw new WardianError("usage", "a page cannot follow redirects by rules: it lacks the ability `redirects`");
    }
    this.#limits = { ...NET_LIMITS };
    for (const [name, value] of Object.entries(net?.limits ?? {})) {
      if (!(name in NET_LIMITS)) throw new WardianError("usage", `there is no limit ${name}`);
      if (value !== undefined) this.#limits[name as keyof NetLimits] = value;
    }
  }

  /** A mistake in a rule, or one that cannot be enforced, is said at once. */
  async check(activities: Activities): Promise<void> {
    if (this.#rules.length > 0) await this.call([], activities).ready();
  }

  /** Whether any request could be sent at all. */
  get allowsAnything(): boolean {
    return this.#rules.some((rule) => rule.verdict !== "deny");
  }

  /** For code that needs the hosts `within` at most. What no rule names is denied: asking needs to see addresses. */
  call(within: string[], activities: Activities): Sending {
    const options = { rules: this.#rules, within, unlisted: "deny" as const, limits: this.#limits };
    return new Sending(this.#components, this.#manifest, options, [], activities);
  }

  /** For a model's provider: to one origin, with one key, and nowhere else. */
  provider(service: Service, activities: Activities): Sending {
    const url = baseUrl(service);
    const header: [string, string] | undefined =
      service.key === undefined
        ? undefined
        : service.protocol === "anthropic"
          ? ["x-api-key", service.key]
          : ["authorization", `Bearer ${service.key}`];
    if (header && url.protocol === "http:" && !isLoopback(url)) {
      throw new WardianError("usage", "a key is not sent over http: to another machine: anybody on the way could read it");
    }
    const headers = [...(header ? [header] : []), ...Object.entries(service.headers ?? {})];
    const credential: Credential = { origin: url.origin, headers };
    const scheme = url.protocol === "https:" ? "https" : "http";
    const rule: NetRule = {
      name: `models.${service.protocol}`,
      verdict: "allow",
      schemes: [scheme],
      host: url.hostname,
      port: url.port === "" ? (scheme === "https" ? 443 : 80) : Number(url.port),
      methods: ["POST"],
      networks: "*",
    };
    const options = { rules: [rule], within: ["*"], unlisted: "deny" as const, limits: PROVIDER_LIMITS };
    return new Sending(this.#components, this.#manifest, options, [credential], activities);
  }
}

const code = (error: unknown): ErrorCode =>
  error instanceof HttpFailure ? error.code : { tag: "internal-error", val: String(error) };

/** A body, for code in this worker: one piece ahead of its reader. */
class BodyReader implements Reader {
  readonly #signal = new Signal();
  #bytes: Uint8Array | undefined;
  #failure: StreamError | undefined;
  #isReading = false;

  constructor(readonly download: Download) {}

  #begin(): void {
    if (this.#isReading || this.ready()) return;
    this.#isReading = true;
    this.download
      .next()
      .then(
        (bytes) => (bytes ? void (this.#bytes = bytes) : void (this.#failure = closed())),
        (error: unknown) => void (this.#failure = { tag: "last-operation-failed", val: new HttpIoError(code(error)) }),
      )
      .then(() => {
        this.#isReading = false;
        this.#signal.fire();
      });
  }

  ready(): boolean {
    return (this.#bytes?.length ?? 0) > 0 || this.#failure !== undefined;
  }

  watch(wake: () => void): () => void {
    const undo = this.#signal.watch(wake);
    this.#begin();
    return undo;
  }

  read(size: number): Uint8Array {
    if (size === 0) return new Uint8Array();
    const bytes = this.#bytes;
    if (bytes && bytes.length > 0) {
      this.#bytes = bytes.length > size ? bytes.subarray(size) : undefined;
      return bytes.subarray(0, size);
    }
    if (this.#failure) throw this.#failure;
    this.#begin();
    return new Uint8Array();
  }

  close(): void {
    this.download.cancel();
  }
}

/** Nothing is sent without a network. */
export const sendNothing: Send = () => ({
  response: Promise.reject({ tag: "HTTP-request-denied" } satisfies ErrorCode),
  cancel() {},
});

/** Sending from code in this worker. */
export const sendHere =
  (sending: Sending): Send =>
  (request: GuestRequest) => {
    let download: Download | undefined;
    let isCancelled = false;
    const response = sending.send(request).then(
      ({ status, headers, body }): GuestResponse => {
        download = body;
        if (isCancelled) body.cancel();
        return { status, headers, body: new BodyReader(body) };
      },
      (error: unknown) => {
        throw code(error);
      },
    );
    const cancel = () => {
      isCancelled = true;
      download?.cancel();
    };
    return { response, cancel };
  };
