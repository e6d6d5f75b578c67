/** The component `netfetch`, as this host consults it: about each request, before it is sent and when it is answered. */

import { WardianError, type NetLimits, type NetRule, type Verdict } from "../../api.js";
import type { Components, Manifest } from "../../components.js";
import { common, instantiate } from "../../instance.js";
import { cli, NO_INPUT } from "../cli.js";
import { SINK } from "../streams.js";

const BOUNDS = { memory_bytes_max: 64 << 20, table_elements_max: 100_000 };

export interface Header {
  name: string;
  value: Uint8Array;
}

export interface Checked {
  url: string;
  shown: string;
  origin: { scheme: string; host: string; port: number };
  method: string;
  headers: Header[];
  rule: string;
  decision: number;
}

export interface Denial {
  rule: string;
  reason: string;
  shown: string;
}

export type Decision =
  | { tag: "allow"; val: Checked }
  | { tag: "ask"; val: { host: string; request: Checked } }
  | { tag: "deny"; val: Denial };

/** `wardian:netfetch/policy`. */
interface Guest {
  limits(): unknown;
  decide(request: { method: string; url: string; headers: Header[]; hasBody: boolean }): Decision;
  allowHost(host: string): void;
  redirect(decision: number, hop: number, status: number, location: Uint8Array | undefined): Decision | undefined;
  response(decision: number, status: number, contentType: Uint8Array | undefined): void;
  forget(decision: number): void;
}

type Invalid =
  | { tag: "rule"; val: [string, string] }
  | { tag: "setting"; val: [string, string] }
  | { tag: "unenforceable"; val: [string, string] };

export interface PolicyOptions {
  rules: NetRule[];
  /** What the code needs at most. */
  within: string[];
  unlisted: Verdict;
  limits: NetLimits;
}

/** In words, for people. */
function describe(invalid: Invalid): string {
  const [name, reason] = invalid.val;
  switch (invalid.tag) {
    case "rule":
      return `the network rule ${name}: ${reason}`;
    case "setting":
      return `the network setting ${name}: ${reason}`;
    case "unenforceable":
      return `a page cannot enforce the network rule ${name}: it lacks the ability \`${reason}\` (networks: "*" does without)`;
  }
}

function rule({ name, verdict, host, port, schemes, methods, content_types, networks }: NetRule): unknown {
  const wanted = schemes ?? ["http", "https"];
  return {
    name,
    verdict,
    schemes: { http: wanted.includes("http"), https: wanted.includes("https") },
    host,
    port: port === undefined ? undefined : port === "*" ? { tag: "any" } : { tag: "number", val: port },
    methods: methods ?? [],
    contentTypes: content_types ?? [],
    reach: networks === "*" ? { tag: "any" } : { tag: "public" },
  };
}

function options({ rules, within, unlisted, limits }: PolicyOptions): unknown {
  return {
    rules: rules.map(rule),
    within,
    unlisted,
    limits: {
      requestsMax: limits.requests_max,
      concurrentMax: limits.concurrent_max,
      redirectsMax: limits.redirects_max,
      urlBytesMax: limits.url_bytes_max,
      headerBytesMax: limits.header_bytes_max,
      requestBytesMax: BigInt(limits.request_bytes_max),
      responseBytesMax: BigInt(limits.response_bytes_max),
      connectMsMax: limits.connect_ms_max,
      firstByteMsMax: limits.first_byte_ms_max,
      betweenBytesMsMax: limits.between_bytes_ms_max,
      totalMsMax: limits.total_ms_max,
    },
    redirects: "refuse",
  };
}

/** The policy of one call. */
export class Policy {
  readonly #guest: Guest;

  private constructor(guest: Guest) {
    this.#guest = guest;
  }

  /** This host sees neither addresses nor redirects. */
  static async make(components: Components, manifest: Manifest, wanted: PolicyOptions): Promise<Policy> {
    const program = await components.program(manifest.netfetch.program, BOUNDS);
    const exports = await instantiate(program, {
      ...common(),
      // Rust's library imports it; nothing is lent with it.
      ...cli({ args: [], env: [], stdin: NO_INPUT, stdout: () => SINK, stderr: () => SINK }),
    });
    const { Policy: Made } = exports["wardian:netfetch/policy@0.1.0"] as {
      Policy: { make(options: unknown, abilities: { addresses: boolean; redirects: boolean }): Guest };
    };
    try {
      return new Policy(await Made.make(options(wanted), { addresses: false, redirects: false }));
    } catch (error) {
      throw error instanceof Error ? error : new WardianError("usage", describe(error as Invalid));
    }
  }

  async decide(method: string, url: string, headers: Header[], hasBody: boolean): Promise<Decision> {
    return this.#consult(() => this.#guest.decide({ method, url, headers, hasBody }));
  }

  async allowHost(host: string): Promise<void> {
    await this.#guest.allowHost(host);
  }

  /** What a redirect leads to that cannot be seen: to a denial, whose words are the policy's. */
  async redirect(decision: number): Promise<Denial> {
    const next = await this.#consult(() => this.#guest.redirect(decision, 1, 302, undefined));
    if (next?.tag === "deny") return next.val;
    return { rule: "redirect", reason: "the response redirects, and a page cannot see where to", shown: "" };
  }

  /** Why a response may not be handed on. */
  async response(decision: number, status: number, contentType: string | null): Promise<Denial | undefined> {
    const type = contentType === null ? undefined : new TextEncoder().encode(contentType);
    try {
      await this.#guest.response(decision, status, type);
      return undefined;
    } catch (error) {
      return error instanceof Error ? broke(error) : (error as Denial);
    }
  }

  async forget(decision: number): Promise<void> {
    try {
      await this.#guest.forget(decision);
    } catch {
      // There is nothing to be done about a policy that broke; the next decision says so.
    }
  }

  /** A policy that broke denies. */
  async #consult<T>(ask: () => T): Promise<T | { tag: "deny"; val: Denial }> {
    try {
      return await ask();
    } catch (error) {
      return { tag: "deny", val: broke(error) };
    }
  }
}

const broke = (error: unknown): Denial => ({
  rule: "netfetch",
  reason: `the network policy broke: ${String(error)}`,
  shown: "",
});
