/** Plants one failure per check of target `requests` and expects the check to find it. */
import { describe, expect, it } from "vitest";
import type { Connection } from "../../fuzz/requests/case.ts";
import { CANARY, CENTRAL_OPENAI, VALID_KEYS, SMUGGLED } from "../../fuzz/requests/canaries.ts";
import { findFailure, type Observed } from "../../fuzz/requests/checks.ts";
import type { UpstreamRequest } from "../support/fake-upstream.ts";
import { headerValues, type HeaderPair } from "../support/wire.ts";

const KEY: HeaderPair = ["Authorization", `Bearer ${CENTRAL_OPENAI}`];

function call(
  target: string,
  sentHeaders: readonly HeaderPair[] = [KEY],
  realIp: readonly HeaderPair[] = [["X-Real-IP", "192.0.2.1"]],
): UpstreamRequest {
  const headers = [...sentHeaders, ...realIp];
  const values = (name: string): string[] => headerValues(headers, name);
  return {
    method: "GET",
    target,
    headers,
    values,
    body: () => new Uint8Array(),
    text: () => "",
    bodyComplete: true,
    responseSent: true,
    closedAt: null,
  };
}

const MODELS = "/central-openai/v1/models";
const sent = (family: Connection["family"], bytes = ""): Connection => ({
  family,
  bytes,
  cut: 0,
  closes: "end",
});
const event = (fields: object): Observed["events"][number] => fields as never;
const actor = { actor_id: "holder-0" };
const start = (id: string) => event({ record_type: "passthrough_start", interception_id: id, ...actor });
const end = (id: string) => event({ record_type: "passthrough", interception_id: id, ...actor });
const line = (message: string, level = "log"): Observed["lines"][number] => ({ level, message });

/** One client with a valid key lists the models. */
const PASSING: Observed = {
  sent: [sent("authenticated", `GET / HTTP/1.1\r\nAuthorization: Bearer ${VALID_KEYS[0]}\r\n\r\n`)],
  received: ["HTTP/1.1 200 OK\r\n\r\n", ""],
  upstream: [call(MODELS)],
  lines: [line('{"message":"interception log","record_type":"passthrough"}')],
  events: [start("b"), end("b"), start("c"), end("c")],
  points: [],
};

describe("checks of raw requests", () => {
  it("accept a forwarded request with its records", () => {
    expect(findFailure(PASSING)).toBeNull();
  });

  it.each<[string, Partial<Observed>]>([
    ["without an identity", { sent: [sent("unauthenticated"), sent("misplaced")] }],
    ["smuggled", { upstream: [call(`${MODELS}/${SMUGGLED}`)] }],
    ["the target is not allowed", { upstream: [call("/admin")] }],
    ["the target is not allowed", { upstream: [call("/central-openai/v1/models/../../admin?")] }],
    ["the target is not allowed", { upstream: [call("/central-openai/v1/models/%2e%2e/admin")] }],
    ["the target is not allowed", { upstream: [call("/central-openai/v1/models//evil")] }],
    ["with X-Coder_Owner-Id", { upstream: [call(MODELS, [KEY, ["X-Coder_Owner-Id", "x"]])] }],
    [
      "with Cloudflare-Workers-Version-Key",
      { upstream: [call(MODELS, [KEY, ["Cloudflare-Workers-Version-Key", "x"]])] },
    ],
    ["with the x-real-ip []", { upstream: [call(MODELS, [KEY], [])] }],
    ["with the x-real-ip", { upstream: [call(MODELS, [KEY], [["X-Real-IP", "203.0.113.7"]])] }],
    ["with the x-real-ip", { upstream: [call(MODELS, [KEY], [["X_Real_IP", "192.0.2.1"]])] }],
    ["with the x-real-ip", { upstream: [call(MODELS, [KEY, ["X_Real_IP", "203.0.113.7"]])] }],
    ["with 0 credentials", { upstream: [call(MODELS, [])] }],
    ["with 2 credentials", { upstream: [call(MODELS, [KEY, ["X-Api-Key", "x"]])] }],
    [
      "another provider's credential",
      { upstream: [call(MODELS, [["Authorization", `Bearer ${VALID_KEYS[0]}`]])] },
    ],
    [
      "a credential that no client sent",
      { upstream: [call("/own-openai/v1/models", [["Authorization", "Bearer abc"]])] },
    ],
    ["with a client key", { upstream: [call(MODELS, [KEY, ["X-A", VALID_KEYS[0] ?? ""]])] }],
    ["1 are recorded", { events: [start("b"), end("b")] }],
    [
      "1 are recorded",
      { events: [...PASSING.events.slice(0, 3), event({ ...end("c"), outcome: "refused" })] },
    ],
    ["a call without an actor", { events: [end("b"), event({ ...end("c"), actor_id: "" })] }],
    ["2 starts and 1 ends", { events: PASSING.events.slice(0, 3), upstream: [] }],
    ["2 starts and 3 ends", { events: [...PASSING.events, end("c")] }],
    [
      "1 starts and 0 ends",
      { events: [...PASSING.events, event({ record_type: "interception_start", interception_id: "a" })] },
    ],
    ["printed as error", { lines: [line('{"event":"request_failed","error":"TypeError"}', "error")] }],
    ["printed as log", { lines: [line('{"message":"interception log","a":"\u2028"}')] }],
    ["printed as log", { lines: [line('{"message":"interception log","a":')] }],
    ["a canary is printed", { lines: [line(`{"message":"interception log","a":"${CANARY}"}`)] }],
    ["a canary is in a point", { points: [{ dataset: "OVERRIDES", point: { blobs: [CANARY] } }] as never }],
    ["a canary is in a response", { received: [`HTTP/1.1 400 Bad\r\n\r\n${CANARY}`] }],
    ["the response is not HTTP", { received: ["oops"] }],
    ["the gateway failed", { received: ["HTTP/1.1 500 X\r\nx-interceptor-error: internal\r\n\r\n"] }],
  ])("report: %s", (message, planted) => {
    expect(findFailure({ ...PASSING, ...planted })).toContain(message);
  });
});
