/** What is sent: the same bytes to the bare Worker and to the interceptor. */
import { createHash } from "node:crypto";
import { requestBytes } from "../test/support/raw-request.ts";
import type { HeaderPair } from "../test/support/wire.ts";

/**
 * - `json`: a small answer in one piece.
 * - `burst`: 200 events as fast as they go, usage asked for by the client.
 * - `burst-unasked`: the same without the client's asking, so that the interceptor asks and takes the answer out again.
 * - `paced`: an event every 20 ms for 2 s, each with the time it was sent.
 */
export type Traffic = "json" | "burst" | "burst-unasked" | "paced";

const CLIENT_KEY = "bench-client-key-0123456789abcdef";

export const CLIENT_KEYS = JSON.stringify([
  {
    sha256: createHash("sha256").update(CLIENT_KEY).digest("hex"),
    actor: "bench-service",
    kind: "service",
    assert: true,
  },
]);

/** Tells the fake provider what to answer; unknown `x-` headers are forwarded as they are. */
export const TRAFFIC_HEADER = "x-bench-traffic";

/** One whole request: 2 KB of chat with an owner who is to be preferred to the credential's holder. */
export function requestFor(traffic: Traffic, port: number, path: string): Uint8Array {
  const headers: HeaderPair[] = [
    ["Authorization", `Bearer ${CLIENT_KEY}`],
    ["Content-Type", "application/json"],
    ["User-Agent", "coder-agents/v2.30.0 (linux/amd64)"],
    ["X-Coder-Owner-Id", "4f0c5f6e-8a1b-4c3d-9e2f-5a6b7c8d9e0f"],
    ["X-Coder-Chat-Id", "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0"],
    [TRAFFIC_HEADER, traffic],
  ];
  return requestBytes(port, { method: "POST", target: path, headers, body: JSON.stringify(chat(traffic)) });
}

function chat(traffic: Traffic): object {
  const streaming = { stream: true, stream_options: { include_usage: true } };
  return {
    model: "gpt-5-mini",
    messages: [
      { role: "system", content: "You answer questions about a code base. ".repeat(12) },
      { role: "user", content: 'Where is the retry delay computed, and "why" is it capped?\n'.repeat(22) },
    ],
    temperature: 0.2,
    ...(traffic === "json" ? {} : traffic === "burst-unasked" ? { stream: true } : streaming),
  };
}
