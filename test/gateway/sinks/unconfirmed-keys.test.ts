import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { AwaitedSink } from "../../../src/gateway/sinks/recorder.ts";
import { MAX_DETAILS } from "../../../src/gateway/sinks/refusal-details.ts";
import { limitUnconfirmed, trackUnconfirmedKeys } from "../../../src/gateway/sinks/unconfirmed-keys.ts";
import { END, OVERRIDE, PASSED, PASSTHROUGH_START, START } from "../../support/in-workerd/events.ts";

const HOUR = 3_600_000;
const BYOK = { identity_source: "byok", actor_id: "byok:0123456789abcdef" } as const;

type Call = readonly InterceptorEvent[];

/** A whole model call with the client's own key. */
const call = (end: Partial<typeof END>, by: object = BYOK): Call => [
  { ...START, ...by },
  { ...END, status: 200, outcome: "completed", own_key_rejected: false, ...by, ...end },
];
const passthrough = (end: Partial<typeof PASSED>): Call => [
  { ...PASSTHROUGH_START, ...BYOK },
  { ...PASSED, status: 200, outcome: "completed", own_key_rejected: false, ...BYOK, ...end },
];
const REJECTED = { status: 401, outcome: "upstream_error", own_key_rejected: true } as const;
const CANCELLED = { status: null, outcome: "cancelled" } as const;

function setUp(now: () => number = () => 0) {
  const taken: Call[] = [];
  const sink: AwaitedSink = {
    kind: "awaited",
    name: "ledger",
    required: false,
    write: async (events) => void taken.push(events),
  };
  return { taken, limited: limitUnconfirmed(sink, trackUnconfirmedKeys(now)) };
}

/** How many of 15 calls are stored in detail. */
async function storedOf(each: Call, before: readonly Call[] = []): Promise<number> {
  const { taken, limited } = setUp();
  for (const one of before) await limited.write(one);
  for (let at = 0; at < 15; at += 1) await limited.write(each);
  return taken.length - before.length;
}

describe("calls with a key that no provider has confirmed", () => {
  it.each<[string, Call, number]>([
    ["the provider rejects the key", call(REJECTED), MAX_DETAILS],
    [
      "the provider rejects it within a response that has begun to succeed",
      call({ own_key_rejected: true, outcome: "upstream_error" }),
      MAX_DETAILS,
    ],
    ["the client disconnects before the headers", call(CANCELLED), MAX_DETAILS],
    ["the provider is not reached", call({ status: 502, outcome: "upstream_error" }), MAX_DETAILS],
    ["the gateway refuses the call", call({ status: 403, outcome: "refused" }), MAX_DETAILS],
    ["the provider finds another error", call({ status: 404, outcome: "upstream_error" }), MAX_DETAILS],
    ["a passthrough is rejected", passthrough(REJECTED), MAX_DETAILS],
    [
      "the client disconnects before a passthrough's headers",
      passthrough({ status: 499, outcome: "cancelled" }),
      MAX_DETAILS,
    ],
    ["the call succeeds", call({}), 15],
    ["the client disconnects within the response", call({ outcome: "cancelled" }), 15],
    ["a passthrough succeeds", passthrough({}), 15],
    ["a source verified the actor", call(REJECTED, { identity_source: "keys", actor_id: "ci-bot" }), 15],
    ["the start was stored before", call(REJECTED).slice(1), 15],
    ["there is no call", [{ ...OVERRIDE, ...BYOK }], 15],
  ])("are stored a few per minute where %s", async (_, each, stored) => {
    expect(await storedOf(each)).toBe(stored);
  });

  it("are stored a few more in each minute", async () => {
    const { taken, limited } = setUp();
    for (const minute of ["10:00", "10:01", "10:00"])
      for (let at = 0; at < 15; at += 1)
        await limited.write(call({ ...REJECTED, ended_at: `2026-11-23T${minute}:07.000Z` }));
    // A late end of the minute before does not start its count again.
    expect(taken).toHaveLength(2 * MAX_DETAILS);
  });

  it("are stored in full once a model call of the key has succeeded, at that provider, for an hour", async () => {
    expect(await storedOf(call(REJECTED), [call({})])).toBe(15);
    expect(await storedOf(call(REJECTED), [call({ outcome: "cancelled" })])).toBe(15);
    // Any key lists the models of some providers.
    expect(await storedOf(call(REJECTED), [passthrough({})])).toBe(MAX_DETAILS);
    expect(await storedOf(call(REJECTED), [call({ provider: "another" })])).toBe(MAX_DETAILS);
    expect(await storedOf(call(REJECTED), [call({}, { ...BYOK, actor_id: "byok:f" })])).toBe(MAX_DETAILS);
    let at = 0;
    const { taken, limited } = setUp(() => at);
    await limited.write(call({}));
    at = HOUR;
    for (let n = 0; n < 15; n += 1) await limited.write(call(REJECTED));
    expect(taken).toHaveLength(1 + MAX_DETAILS);
  });

  it("delay their start, and no other start", () => {
    const keys = trackUnconfirmedKeys(() => 0);
    const [start] = call({}) as [InterceptorEvent];
    expect([keys.starts([start]), keys.starts(passthrough({}).slice(0, 1))]).toEqual([true, true]);
    expect([keys.starts([START]), keys.starts([OVERRIDE])]).toEqual([false, false]);
    expect(keys.settle(call({}))).toBeNull();
    expect(keys.starts([start])).toBe(false);
  });
});
