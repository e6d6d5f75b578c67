/** `wardian:host/observer`: what is shown while it happens. */

import type { StreamEvent } from "../api.js";

interface Usage {
  inputTokens: bigint;
  cachedTokens: bigint;
  outputTokens: bigint;
}

type Event =
  | { tag: "text" | "reasoning"; val: string }
  | { tag: "response-end"; val: Usage }
  | { tag: "tool-started"; val: { id: string; tool: string; summary: string; input: string } }
  | {
      tag: "tool-finished";
      val: {
        id: string;
        tool: string;
        ms: bigint;
        result: { tag: "ok" } | { tag: "err"; val: { kind: string; message: string } };
      };
    }
  | { tag: "retrying"; val: [string, bigint] }
  | { tag: "compacting" };

function shown(event: Event): StreamEvent {
  switch (event.tag) {
    case "text":
      return { type: "text.delta", text: event.val };
    case "reasoning":
      return { type: "reasoning.delta", text: event.val };
    case "response-end":
      return {
        type: "response.end",
        usage: {
          input_tokens: Number(event.val.inputTokens),
          cached_tokens: Number(event.val.cachedTokens),
          output_tokens: Number(event.val.outputTokens),
        },
      };
    case "tool-started":
      return { type: "tool.started", ...event.val };
    case "tool-finished": {
      const { id, tool, ms, result } = event.val;
      const error = result.tag === "err" ? { kind: result.val.kind, message: result.val.message } : null;
      return { type: "tool.finished", id, tool, ms: Number(ms), error };
    }
    case "retrying":
      return { type: "retrying", reason: event.val[0], delay_ms: Number(event.val[1]) };
    case "compacting":
      return { type: "compacting" };
  }
}

export const observer = (show: (event: StreamEvent) => void) => ({ notify: (event: Event) => show(shown(event)) });
