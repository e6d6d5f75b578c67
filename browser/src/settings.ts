/** What a page asks for, as the session takes it. */

import { WardianError, type AgentOptions, type Approve, type Limits, type Model } from "./api.js";
import { baseUrl } from "./capability/http/net.js";
import type { Manifest } from "./components.js";
import { DEFAULT_LIMITS } from "./limits.js";

/** What crosses to the worker: everything but functions. */
export type Settings = Omit<AgentOptions, "onAsk" | "assets" | "project"> & { asks: boolean };

/** As docs/settings.md has them. */
export const DEFAULTS = {
  context_bytes_max: 600_000,
  parallel_calls_max: 8,
  retries_max: 5,
  response_bytes_max: 4 << 20,
};
export const STEPS_MAX = 200;
const SCENARIO_BYTES_MAX = 16 << 20;
const APPROVE: readonly Approve[] = ["none", "ask", "reads", "files", "all"];

const usage = (message: string): WardianError => new WardianError("usage", message);

function whole(name: string, value: number, least = 0): number {
  if (!Number.isSafeInteger(value) || value < least) throw usage(`${name} must be a whole number from ${least} on, not ${value}`);
  return value;
}

const optional = (name: string, value: number | undefined): bigint | undefined =>
  value === undefined ? undefined : BigInt(whole(name, value));

export interface ChosenModel {
  /** As the journal names it. */
  name: string;
  provider: string;
  /** What the provider finds in its configuration. */
  config: Record<string, string>;
}

export function chooseModel(model: Model | undefined, manifest: Manifest): ChosenModel {
  switch (model?.kind) {
    case undefined:
    case "demo":
      if (manifest.scenario === undefined) throw usage("there is no demo here: name a model");
      return { name: "demo", provider: "provider-script", config: { scenario: manifest.scenario } };
    case "script":
      if (model.scenario.length > SCENARIO_BYTES_MAX) throw usage(`a scenario has at most ${SCENARIO_BYTES_MAX} bytes`);
      return {
        name: `script:${model.name ?? "scenario.json"}`,
        provider: "provider-script",
        config: { scenario: model.scenario },
      };
    case "service":
      return {
        name: `${model.protocol}/${model.name}`,
        provider: `provider-${model.protocol}`,
        config: { "base-url": baseUrl(model).href, model: model.name, "silence-seconds-max": "600", ...model.config },
      };
    default:
      throw usage(`there is no model of the kind ${String((model as { kind?: unknown }).kind)}`);
  }
}

export function callLimits(given: Partial<Limits> | undefined): Limits {
  const limits = { ...DEFAULT_LIMITS };
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!(name in limits)) throw usage(`there is no limit ${name}`);
    const bound = value === undefined || value === Infinity ? undefined : whole(`limits.${name}`, value, 1);
    if (bound !== undefined) limits[name as keyof Limits] = bound;
  }
  return limits;
}

/** `wardian:session/types#options`. */
export function sessionOptions(
  settings: Settings,
  known: { session: string; project: string; version: string; agent: string; model: string },
): unknown {
  const approve = settings.approve ?? "files";
  if (!APPROVE.includes(approve)) throw usage(`approve must be one of ${APPROVE.join(", ")}, not ${String(approve)}`);
  const limits = callLimits(settings.limits);
  const budget = settings.budget ?? {};
  return {
    session: known.session,
    wardian: known.version,
    project: known.project,
    agent: known.agent,
    model: known.model,
    approve,
    rules: (settings.rules ?? []).map(({ verdict, tool, subject }) => ({ verdict, tool, subject })),
    budget: {
      stepsMax: optional("budget.steps_max", budget.steps_max ?? STEPS_MAX),
      secondsMax: optional("budget.seconds_max", budget.seconds_max),
      tokensMax: optional("budget.tokens_max", budget.tokens_max),
      resultBytesMax: optional("budget.result_bytes_max", budget.result_bytes_max),
    },
    limits: {
      wallMsMax: BigInt(limits.wall_ms_max),
      cpuMsMax: BigInt(limits.cpu_ms_max),
      memoryBytesMax: BigInt(limits.memory_bytes_max),
      tableElementsMax: limits.table_elements_max,
      outputBytesMax: BigInt(limits.output_bytes_max),
      hostcallsMax: BigInt(limits.hostcalls_max),
    },
    instructions: settings.instructions ?? "",
    contextBytesMax: BigInt(whole("context_bytes_max", settings.context_bytes_max ?? DEFAULTS.context_bytes_max, 1)),
    parallelCallsMax: whole("parallel_calls_max", settings.parallel_calls_max ?? DEFAULTS.parallel_calls_max, 1),
    retriesMax: whole("retries_max", settings.retries_max ?? DEFAULTS.retries_max),
    responseBytesMax: BigInt(whole("response_bytes_max", settings.response_bytes_max ?? DEFAULTS.response_bytes_max, 1)),
  };
}
