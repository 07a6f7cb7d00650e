import { describe, expect, it } from "vitest";
import type { InterceptorEvent, RefusalCount, RefusalEvent } from "../../../src/events/event.ts";
import { GROUP_MS, MAX_PAIRS, refusalCountsSink } from "../../../src/gateway/sinks/refusal-counts.ts";
import { limitDetails, MAX_DETAILS } from "../../../src/gateway/sinks/refusal-details.ts";
import { trackUnconfirmedKeys } from "../../../src/gateway/sinks/unconfirmed-keys.ts";
import { uuidV7 } from "../../../src/shared/uuid.ts";
import { END, REFUSED, START } from "../../support/in-workerd/events.ts";
import { manualClock } from "../../support/in-workerd/manual-clock.ts";
import { within } from "../../support/in-workerd/waiting.ts";

const T0 = Date.UTC(2026, 10, 23, 12);
const MINUTE = 60_000;

/** A sink with timers that the test fires; `lost`: the platform ended every request, and their timers with them. */
function setUp({ lost = false, failing = false } = {}) {
  const clock = manualClock(T0);
  const groups: RefusalCount[][] = [];
  let ids = 0;
  const sink = refusalCountsSink(
    (events) => {
      groups.push(events as RefusalCount[]);
      return failing ? Promise.reject(new Error("down")) : Promise.resolve();
    },
    {
      now: clock.now,
      keys: trackUnconfirmedKeys(clock.now),
      newId: () => uuidV7(clock.now(), `00000000-0000-4000-8000-${(ids++).toString(16).padStart(12, "0")}`),
      after: lost ? () => () => undefined : clock.after,
    },
  );
  const refused = (over: Partial<RefusalEvent> = {}): RefusalEvent => ({
    ...REFUSED,
    created_at: new Date(clock.now()).toISOString(),
    ...over,
  });
  return { sink, clock, groups, refused };
}

const VERIFIED = { actor_id: "ci-bot", actor_kind: "service", actor_verified: true } as const;
const BYOK = { actor_id: "byok:0123", actor_kind: "unknown", identity_source: "byok" } as const;

const figures = (groups: readonly (readonly RefusalCount[])[]): (readonly (readonly unknown[])[])[] =>
  groups.map((group) =>
    group.map(({ minute, reason, provider, refusals }) => [minute.slice(11, 16), reason, provider, refusals]),
  );

describe("counting refusals", () => {
  it("writes one event per minute, reason and provider, each with an id of its own", async () => {
    const { sink, clock, groups, refused } = setUp();
    clock.advance(MINUTE - 2000);
    const written = sink.write([refused()]);
    for (const provider of ["openai-prod", null, "openai-prod"]) void sink.write([refused({ provider })]);
    clock.advance(3000);
    void sink.write([refused(), refused({ reason: "not_found", provider: null })]);
    clock.advance(GROUP_MS);
    await within(written, "the group");
    expect(figures(groups)).toEqual([
      [
        ["12:00", "invalid_credential", "openai-prod", 3],
        ["12:00", "invalid_credential", null, 1],
        ["12:01", "invalid_credential", "openai-prod", 1],
        ["12:01", "not_found", null, 1],
      ],
    ]);
    expect(new Set(groups.flat().map(({ interception_id }) => interception_id)).size).toBe(4);
    expect(clock.timers()).toBe(0);
  });

  it("counts the fingerprint of a provider key, and no verified actor", async () => {
    const { sink, clock, groups, refused } = setUp();
    void sink.write([START, END, refused(BYOK)]);
    void sink.write([refused(VERIFIED)]);
    clock.advance(GROUP_MS);
    expect(figures(groups)).toEqual([[["12:00", "invalid_credential", "openai-prod", 1]]]);
  });

  it("sets no timer without a refusal", async () => {
    const { sink, clock, groups, refused } = setUp();
    await sink.write([START, END]);
    await sink.write([refused(VERIFIED)]);
    expect([clock.timers(), groups]).toEqual([0, []]);
  });

  // The attack: an unknown caller ends each request early, so that no timer fires.
  it.each<[string, readonly InterceptorEvent[]]>([
    ["any request", [START, END]],
    ["a refusal", [REFUSED]],
  ])("writes an overdue group with %s", async (_, next) => {
    const { sink, clock, groups, refused } = setUp({ lost: true });
    void sink.write([refused()]);
    void sink.write([refused()]);
    clock.advance(GROUP_MS);
    void sink.write(next);
    expect(groups).toEqual([]);
    clock.advance(GROUP_MS);
    void sink.write(next);
    const counted = next.includes(REFUSED) ? 3 : 2;
    expect(figures(groups)).toEqual([[["12:00", "invalid_credential", "openai-prod", counted]]]);
  });

  it("does not write a group again where its timer fires late", async () => {
    const clock = manualClock(T0);
    const groups: unknown[] = [];
    const late: (() => void)[] = [];
    const sink = refusalCountsSink(async (events) => void groups.push(events), {
      now: clock.now,
      keys: trackUnconfirmedKeys(clock.now),
      newId: () => REFUSED.interception_id,
      after: (_, call) => {
        late.push(call);
        return () => undefined;
      },
    });
    void sink.write([REFUSED]);
    clock.advance(2 * GROUP_MS);
    void sink.write([REFUSED]);
    expect(groups).toHaveLength(1);
    late[0]?.();
    expect(groups).toHaveLength(1);
    late[1]?.();
    expect(groups).toHaveLength(2);
  });

  it("holds a bounded number of sums, whose total is complete", () => {
    const { sink, clock, groups, refused } = setUp();
    for (let n = 0; n < 500; n += 1) void sink.write([refused({ provider: `p${n}` })]);
    clock.advance(GROUP_MS);
    const [group = []] = groups;
    expect(group.length).toBe(MAX_PAIRS + 1);
    expect(group.reduce((sum, { refusals }) => sum + refusals, 0)).toBe(500);
    expect(group.find(({ provider }) => provider === null)?.refusals).toBe(500 - MAX_PAIRS);
  });

  it("rejects where the counts cannot be written, so that the failure is logged", async () => {
    const { sink, clock, refused } = setUp({ failing: true });
    const written = sink.write([refused()]);
    clock.advance(GROUP_MS);
    await expect(written).rejects.toThrow("down");
  });
});

const at = (time: string, over: Partial<RefusalEvent> = {}): RefusalEvent => ({
  ...REFUSED,
  created_at: `2026-11-23T${time}.000Z`,
  ...over,
});
const passed = (events: readonly InterceptorEvent[]): number => events.filter(limitDetails()).length;
const times = <T>(count: number, event: T): T[] => Array.from({ length: count }, () => event);

describe("the details of refusals", () => {
  it("pass a bounded number per minute and reason", () => {
    const flood = times(1000, at("12:00:00"));
    const other = times(1000, at("12:00:01", { reason: "not_found" }));
    const later = times(1000, at("12:01:00"));
    expect(passed(flood)).toBe(MAX_DETAILS);
    expect(passed([...flood, ...other, ...later])).toBe(3 * MAX_DETAILS);
  });

  it("have one bound for all providers, routes and keys", () => {
    const random = Array.from({ length: 1000 }, (_, n) =>
      at("12:00:00", { ...BYOK, actor_id: `byok:${n}`, provider: `p${n}`, route: `/r${n}` }),
    );
    expect(passed(random)).toBe(MAX_DETAILS);
  });

  it("pass with a verified actor, and all other events, regardless of their number", () => {
    expect(passed([...times(1000, at("12:00:00", VERIFIED)), ...times(1000, START)])).toBe(2000);
  });

  it("do not begin again where an event of the minute before comes late", () => {
    const alternating = Array.from({ length: 1000 }, (_, n) => at(n % 2 ? "12:00:59" : "12:01:00"));
    expect(passed(alternating)).toBe(MAX_DETAILS);
  });
});
