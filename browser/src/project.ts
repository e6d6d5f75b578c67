/** `wardian.toml` of a project: it came with the project, perhaps from a stranger, so it narrows and never widens. */

import { parse, TomlError } from "smol-toml";
import { WardianError, type Approve, type NetRule, type Rule, type Verdict } from "./api.js";
import { NET_LIMITS } from "./capability/http/net.js";
import { DEFAULT_LIMITS } from "./limits.js";
import { DEFAULTS, STEPS_MAX, type Settings } from "./settings.js";

const FILE = "wardian.toml";
const FILE_BYTES_MAX = 1 << 20;
const INSTRUCTIONS_BYTES_MAX = 256 << 10;

/** From the strictest to the most lenient. */
const MODES: readonly Approve[] = ["none", "ask", "reads", "files", "all"];

const BUDGET = ["steps_max", "seconds_max", "tokens_max", "result_bytes_max"] as const;
const LIMITS = [
  ...(["wall_ms_max", "cpu_ms_max", "memory_bytes_max", "table_elements_max", "output_bytes_max"] as const),
  "hostcalls_max" as const,
];
const SESSION = ["context_bytes_max", "parallel_calls_max", "retries_max", "response_bytes_max"] as const;
const NET = [
  ...(["requests_max", "concurrent_max", "redirects_max", "url_bytes_max", "header_bytes_max"] as const),
  ...(["request_bytes_max", "response_bytes_max", "connect_ms_max", "first_byte_ms_max"] as const),
  ...(["between_bytes_ms_max", "total_ms_max"] as const),
];

/** What would widen what the agent may do. */
const WIDENING = ["components", "models", "prices", "search"];

type Table = Record<string, unknown>;

const wrong = (message: string): WardianError => new WardianError("usage", `${FILE}: ${message}`);

function table(value: unknown, name: string, keys: readonly string[]): Table {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(`${name} must be a table`);
  const unknown = Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw wrong(`unknown field \`${unknown}\`${name === "" ? "" : ` in ${name}`}`);
  return value as Table;
}

function list(value: unknown, name: string): unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw wrong(`${name} must be a list`);
  return value;
}

function text(value: unknown, name: string): string {
  if (typeof value !== "string") throw wrong(`${name} must be text`);
  return value;
}

type Bounds<K extends string> = Partial<Record<K, number>>;

/** The lower of the project's bounds and the page's, or the defaults where it set none. */
function lower<K extends string>(own: Bounds<K>, defaults: Bounds<K>, given: Table, name: string, keys: readonly K[]) {
  const bounds: Bounds<K> = {};
  for (const key of keys) {
    const set = own[key] ?? defaults[key];
    if (set !== undefined) bounds[key] = set;
    const value = given[key];
    if (value === undefined) continue;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw wrong(`${name}${key} must be a whole number`);
    bounds[key] = Math.min(bounds[key] ?? Infinity, value);
  }
  return bounds;
}

function verdict(value: unknown): Exclude<Verdict, "allow"> {
  if (value === "allow") throw wrong("an allow rule would widen what the agent may do: give it to `createAgent`");
  if (value !== "ask" && value !== "deny") throw wrong("`verdict` must be ask or deny");
  return value;
}

function rule(value: unknown): Rule {
  const given = table(value, "a rule", ["verdict", "tool", "subject"]);
  const subject = given["subject"] === undefined ? {} : { subject: text(given["subject"], "`subject`") };
  return { verdict: verdict(given["verdict"]), tool: text(given["tool"], "`tool`"), ...subject };
}

function netRule(value: unknown, index: number): NetRule {
  const keys = ["verdict", "host", "port", "schemes", "methods", "content_types", "networks"];
  const given = table(value, "a rule of the network", keys);
  if (given["networks"] !== undefined) throw wrong("`networks` would widen what the agent may do");
  const texts = (key: string) => list(given[key], key).map((each) => text(each, key));
  const host = text(given["host"], "`host`");
  const port = given["port"];
  if (port !== undefined && port !== "*" && typeof port !== "number") throw wrong("`port` must be a port, or \"*\"");
  return {
    name: `${FILE}: net.rule ${index + 1} (${host})`,
    verdict: verdict(given["verdict"]),
    host,
    ...(port === undefined ? {} : { port: port as number | "*" }),
    ...(given["schemes"] === undefined ? {} : { schemes: texts("schemes") as ("http" | "https")[] }),
    ...(given["methods"] === undefined ? {} : { methods: texts("methods") }),
    ...(given["content_types"] === undefined ? {} : { content_types: texts("content_types") }),
    networks: "*",
  };
}

async function read(project: FileSystemDirectoryHandle): Promise<string | undefined> {
  let file: File;
  try {
    file = await (await project.getFileHandle(FILE)).getFile();
  } catch (error) {
    if (error instanceof Error && error.name === "NotFoundError") return undefined;
    throw wrong(`it cannot be read: ${String(error)}`);
  }
  if (file.size > FILE_BYTES_MAX) throw wrong(`it has ${file.size} bytes, more than ${FILE_BYTES_MAX}`);
  return file.text();
}

/** What holds after the project has had its say. The page chooses the model. */
export async function narrowed(project: FileSystemDirectoryHandle, settings: Settings): Promise<Settings> {
  const source = await read(project);
  return source === undefined ? settings : narrow(source, settings);
}

export function narrow(source: string, settings: Settings): Settings {
  let parsed: unknown;
  try {
    parsed = parse(source);
  } catch (error) {
    if (error instanceof TomlError) throw new WardianError("usage", `${FILE}:${error.line}: ${error.message.split("\n")[0]}`);
    throw error;
  }
  const keys = ["model", "approve", "instructions", "budget", "limits", "session", "rule", "net", ...WIDENING];
  const file = table(parsed, "", keys);
  const widening = WIDENING.find((key) => file[key] !== undefined);
  if (widening !== undefined) throw wrong(`\`${widening}\` would widen what the agent may do`);
  const approve = file["approve"] === undefined ? undefined : (text(file["approve"], "`approve`") as Approve);
  if (approve !== undefined && !MODES.includes(approve)) throw wrong(`\`approve\` must be one of ${MODES.join(", ")}`);
  const own = settings.approve ?? "files";
  const net = table(file["net"], "net", ["redirects", "rule", "credential", ...NET]);
  if (net["credential"] !== undefined) throw wrong("a credential would widen what the agent may do");
  const given = file["instructions"] === undefined ? undefined : text(file["instructions"], "`instructions`");
  const instructions = [settings.instructions, given].filter((each) => each !== undefined && each !== "").join("\n\n");
  if (new TextEncoder().encode(instructions).length > INSTRUCTIONS_BYTES_MAX) {
    throw wrong(`the instructions are longer than ${INSTRUCTIONS_BYTES_MAX} bytes`);
  }
  const rules = list(net["rule"], "net.rule").map(netRule);
  const bounds = lower(settings.net?.limits ?? {}, NET_LIMITS, net, "net.", NET);
  return {
    ...settings,
    approve: approve !== undefined && MODES.indexOf(approve) < MODES.indexOf(own) ? approve : own,
    instructions,
    rules: [...list(file["rule"], "rule").map(rule), ...(settings.rules ?? [])],
    budget: lower(settings.budget ?? {}, { steps_max: STEPS_MAX }, table(file["budget"], "budget", BUDGET), "budget.", BUDGET),
    limits: lower(settings.limits ?? {}, DEFAULT_LIMITS, table(file["limits"], "limits", LIMITS), "limits.", LIMITS),
    ...lower(settings, DEFAULTS, table(file["session"], "session", SESSION), "session.", SESSION),
    net: { ...settings.net, rules: [...rules, ...(settings.net?.rules ?? [])], limits: bounds },
  };
}
