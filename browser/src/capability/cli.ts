/** `wasi:cli`: arguments, environment, standard streams, exit. There is no terminal. */

import { EMPTY, InputStream, OutputStream, type Reader, type Writer } from "./streams.js";

export interface Cli {
  args: string[];
  env: [string, string][];
  cwd?: string;
  stdin: () => Reader;
  stdout: () => Writer;
  stderr: () => Writer;
}

/** A program ended by itself, in the middle of a call. */
export class Exit extends Error {
  constructor(readonly status: number) {
    super(`exit ${status}`);
  }
}

/** Nobody makes one, and no component asks what it is. */
export class TerminalInput {}
export class TerminalOutput {}

export const cli = (of: Cli) => ({
  "wasi:cli/environment": {
    getEnvironment: () => of.env,
    getArguments: () => of.args,
    initialCwd: () => of.cwd,
  },
  "wasi:cli/exit": {
    exit(result: { tag: "ok" | "err" }): never {
      throw new Exit(result.tag === "ok" ? 0 : 1);
    },
    exitWithCode(status: number): never {
      throw new Exit(status);
    },
  },
  "wasi:cli/stdin": { getStdin: () => new InputStream(of.stdin()) },
  "wasi:cli/stdout": { getStdout: () => new OutputStream(of.stdout()) },
  "wasi:cli/stderr": { getStderr: () => new OutputStream(of.stderr()) },
  "wasi:cli/terminal-input": { TerminalInput },
  "wasi:cli/terminal-output": { TerminalOutput },
  "wasi:cli/terminal-stdin": { getTerminalStdin: () => undefined },
  "wasi:cli/terminal-stdout": { getTerminalStdout: () => undefined },
  "wasi:cli/terminal-stderr": { getTerminalStderr: () => undefined },
});

export const NO_INPUT = (): Reader => EMPTY;
