/** The accounts of calls whose usage is known later, where their object does not respond. */
import { describe, expect, it } from "vitest";
import type { ObjectDeps } from "../../../src/gateway/policy/budgets/call.ts";
import { findLater, keepLater, keepsLater } from "../../../src/gateway/policy/budgets/later.ts";

const CALL = { at: 1000, accounts: [] };
const NAME = { provider: "openai", id: "batch_1" };

/** An object that fails so many times. Timers end at once. */
function harness(failures: number) {
  const waits: number[] = [];
  let left = failures;
  const respond = async <T>(value: T): Promise<T | null> => ((left -= 1) >= 0 ? null : value);
  const deps = {
    nameObject: (subject: string) => subject,
    objects: { keepLater: () => respond(CALL), findLater: () => respond({ later: null }) },
  } as unknown as ObjectDeps;
  const context = {
    after: (ms: number, run: () => void) => {
      waits.push(ms);
      run();
      return () => undefined;
    },
  };
  return { deps, context, waits };
}

describe("the accounts of a later charge", () => {
  it.each([
    [0, []],
    [3, [1000, 2000, 4000]],
  ])("are stored and found after %i failures of their object", async (failures, waits) => {
    const kept = harness(failures);
    expect(await keepLater(kept.deps, NAME, CALL, kept.context)).toEqual(CALL);
    expect(kept.waits).toEqual(waits);
    const found = harness(failures);
    expect(await findLater(found.deps, NAME, found.context)).toBeNull();
  });

  // The reader of a batch would be charged in place of its creator.
  it("are not taken for accounts that were never stored where their object is down", async () => {
    const { deps, context } = harness(8);
    expect(await findLater(deps, NAME, context)).toBe("unavailable");
    expect(await keepLater(deps, NAME, CALL, context)).toBe("unavailable");
  });
});

describe("keepsLater", () => {
  const objects = {};
  it.each([
    ["a budget", objects, ["rate_limit", "budget"], true],
    ["rate limits only", objects, ["rate_limit"], false],
    ["no rule", objects, [], false],
    ["no objects", null, ["budget"], false],
  ])("with %s", (_, bound, kinds, isKept) => {
    const deps = { objects: bound, rules: kinds.map((kind) => ({ kind })) } as unknown as ObjectDeps;
    expect(keepsLater(deps)).toBe(isKept);
  });
});
