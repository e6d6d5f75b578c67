/**
 * Wardian in a page: the agent, its session and its tools are the components that the native host runs, byte for byte.
 *
 * ```ts
 * const agent = await createAgent({ project: { kind: "empty" } });
 * for await (const event of agent.run("Explore this project.")) console.log(event);
 * ```
 */

import type { Agent, AgentOptions, Lack, Sessions } from "./api.js";

export * from "./api.js";

/**
 * Opens a session, new or old, and starts its agent.
 *
 * @throws {WardianError} `unsupported`, `usage`, `in-use`, `integrity` or `io`; its message says why.
 */
export declare function createAgent(options: AgentOptions): Promise<Agent>;

/** The sessions that this browser keeps. `assets` as in `AgentOptions`. */
export declare function sessions(options?: { assets?: string | URL }): Sessions;

/** What this browser lacks. */
export declare function lacks(): Lack[];
