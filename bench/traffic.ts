/** The requests of the bench. Every variant receives the same bytes. */
import { createHash } from "node:crypto";
import { requestBytes } from "../test/support/raw-request.ts";
import type { HeaderPair } from "../test/support/wire.ts";

/**
 * - `json`: a chat of 2 KB with a small JSON response.
 * - `tools`: a chat of 40 KB with tools, with a JSON response that calls two of them.
 * - `burst`: 2,000 events without delay; the client requests usage.
 * - `burst-no-usage`: the same events, but only the gateway requests usage, and it removes the usage event.
 * - `steady`: 100 events at 50 per second.
 * - `paced`: as `steady`, each event with its time of writing. `slow`: 30 such events at 5 per second.
 */
export type Traffic = "json" | "tools" | "burst" | "burst-no-usage" | "steady" | "paced" | "slow";

export const STREAMS: readonly Traffic[] = ["burst", "burst-no-usage", "steady"];

/** The address of a variant, and the credentials for it. */
export type Target = {
  readonly port: number;
  /** The path of its chat completions. */
  readonly path: string;
  readonly headers: readonly HeaderPair[];
};

export const CLIENT_KEY = "bench-client-key-0123456789abcdef";
export const KEY_HEADERS: readonly HeaderPair[] = [["Authorization", `Bearer ${CLIENT_KEY}`]];

export const CLIENT_KEYS = JSON.stringify([
  {
    sha256: createHash("sha256").update(CLIENT_KEY).digest("hex"),
    actor: "bench-service",
    kind: "service",
    assert: true,
  },
]);

/** Selects the fake provider's response. The gateway forwards `x-stainless-*` headers. */
export const TRAFFIC_HEADER = "x-stainless-bench-traffic";

/** One complete request with an owner assertion. */
export function requestFor(traffic: Traffic, { port, path, headers: credentials }: Target): Uint8Array {
  const headers: HeaderPair[] = [
    ...credentials,
    ["Content-Type", "application/json"],
    ["User-Agent", "coder-agents/v2.30.0 (linux/amd64)"],
    ["X-Coder-Owner-Id", "4f0c5f6e-8a1b-4c3d-9e2f-5a6b7c8d9e0f"],
    ["X-Coder-Chat-Id", "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0"],
    [TRAFFIC_HEADER, traffic],
  ];
  const body = JSON.stringify(traffic === "tools" ? longChat() : chat(traffic));
  return requestBytes(port, { method: "POST", target: path, headers, body });
}

const SYSTEM = { role: "system", content: "You handle questions about a code base. ".repeat(12) };
const QUESTION = 'Where is the retry delay computed, and "why" is it capped?\n';

function chat(traffic: Traffic): object {
  const streaming = { stream: true, stream_options: { include_usage: true } };
  return {
    model: "gpt-5-mini",
    messages: [SYSTEM, { role: "user", content: QUESTION.repeat(22) }],
    temperature: 0.2,
    ...(traffic === "json" ? {} : traffic === "burst-no-usage" ? { stream: true } : streaming),
  };
}

/** A coding agent's request: twenty tools, and the results of the last twelve calls. */
function longChat(): object {
  const tools = Array.from({ length: 20 }, (_, n) => ({
    type: "function",
    function: {
      name: `workspace_tool_${n}`,
      description: "Reads a file of the workspace and gives back the lines that were requested. ".repeat(4),
      parameters: {
        type: "object",
        properties: Object.fromEntries(
          ["path", "first_line", "last_line", "encoding"].map((name) => [
            name,
            {
              type: name === "path" ? "string" : "integer",
              description: "What to read, and how much of it.",
            },
          ]),
        ),
        required: ["path"],
      },
    },
  }));
  const turns = Array.from({ length: 12 }, (_, n) => [
    {
      role: "assistant",
      content: null,
      tool_calls: [
        {
          id: `call_${n}`,
          type: "function",
          function: { name: "workspace_tool_3", arguments: '{"path":"a.go"}' },
        },
      ],
    },
    {
      role: "tool",
      tool_call_id: `call_${n}`,
      content: "\tif err != nil {\n\t\treturn err\n\t}\n".repeat(45),
    },
  ]);
  const messages = [SYSTEM, { role: "user", content: QUESTION.repeat(4) }, ...turns.flat()];
  return { model: "gpt-5-mini", messages, tools, parallel_tool_calls: true };
}
