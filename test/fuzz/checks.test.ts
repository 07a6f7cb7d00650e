/** The checks over raw requests see what they are there to see: each with something planted. */
import { describe, expect, it } from "vitest";
import type { Connection } from "../../fuzz/requests/case.ts";
import { CANARY, CENTRAL_OPENAI, GOOD_KEYS, SMUGGLED } from "../../fuzz/requests/cast.ts";
import { wrongWith, type Seen } from "../../fuzz/requests/checks.ts";
import type { UpstreamRequest } from "../support/fake-upstream.ts";
import { headerValues, type HeaderPair } from "../support/wire.ts";

const KEY: HeaderPair = ["Authorization", `Bearer ${CENTRAL_OPENAI}`];

function call(target: string, headers: readonly HeaderPair[] = [KEY]): UpstreamRequest {
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
  leaves: "end",
});
const event = (more: object): Seen["events"][number] => more as never;
const passthrough = event({ record_type: "passthrough", interception_id: "b", actor_id: "holder-0" });
const line = (message: string, level = "log"): Seen["lines"][number] => ({ level, message });

/** Nothing wrong: one who is known asked for the models. */
const SOUND: Seen = {
  sent: [sent("known", `GET / HTTP/1.1\r\nAuthorization: Bearer ${GOOD_KEYS[0]}\r\n\r\n`)],
  received: ["HTTP/1.1 200 OK\r\n\r\n", ""],
  upstream: [call(MODELS)],
  lines: [line('{"message":"interception log","record_type":"passthrough"}')],
  events: [passthrough, passthrough],
  points: [],
};

describe("the checks over raw requests", () => {
  it("have nothing against what is sound", () => {
    expect(wrongWith(SOUND)).toBeNull();
  });

  it.each<[string, Partial<Seen>]>([
    ["without an identity", { sent: [sent("stranger"), sent("misplaced")] }],
    ["smuggled", { upstream: [call(`${MODELS}/${SMUGGLED}`)] }],
    ["there is no such place", { upstream: [call("/admin")] }],
    ["there is no such place", { upstream: [call("/central-openai/v1/models/../../admin?")] }],
    ["there is no such place", { upstream: [call("/central-openai/v1/models/%2e%2e/admin")] }],
    ["there is no such place", { upstream: [call("/central-openai/v1/models//evil")] }],
    ["with X-Coder_Owner-Id", { upstream: [call(MODELS, [KEY, ["X-Coder_Owner-Id", "x"]])] }],
    ["with 0 credentials", { upstream: [call(MODELS, [])] }],
    ["with 2 credentials", { upstream: [call(MODELS, [KEY, ["X-Api-Key", "x"]])] }],
    ["another's credential", { upstream: [call(MODELS, [["Authorization", `Bearer ${GOOD_KEYS[0]}`]])] }],
    ["nobody's", { upstream: [call("/own-openai/v1/models", [["Authorization", "Bearer abc"]])] }],
    ["with a client key", { upstream: [call(MODELS, [KEY, ["X-A", GOOD_KEYS[0] ?? ""]])] }],
    ["1 are recorded", { events: [passthrough] }],
    ["of nobody's", { events: [passthrough, event({ ...passthrough, actor_id: "" })] }],
    [
      "1 starts and 0 ends",
      { events: [...SOUND.events, event({ record_type: "interception_start", interception_id: "a" })] },
    ],
    ["printed as error", { lines: [line("interceptor failed: TypeError", "error")] }],
    ["printed as log", { lines: [line('{"message":"interception log","a":"\u2028"}')] }],
    ["printed as log", { lines: [line('{"message":"interception log","a":')] }],
    ["a canary is printed", { lines: [line(`{"message":"interception log","a":"${CANARY}"}`)] }],
    ["a canary is in a point", { points: [{ dataset: "OVERRIDES", point: { blobs: [CANARY] } }] as never }],
    ["a canary is in an answer", { received: [`HTTP/1.1 400 Bad\r\n\r\n${CANARY}`] }],
    ["no answer in HTTP", { received: ["oops"] }],
    ["the interceptor failed", { received: ["HTTP/1.1 500 X\r\nx-interceptor-error: internal\r\n\r\n"] }],
  ])("see what is %s", (what, planted) => {
    expect(wrongWith({ ...SOUND, ...planted })).toContain(what);
  });
});
