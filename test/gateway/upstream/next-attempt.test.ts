import { describe, expect, it } from "vitest";
import type { Failure } from "../../../src/gateway/upstream/failure.ts";
import { nextAttempt, type RetryState } from "../../../src/gateway/upstream/next-attempt.ts";
import type { UpstreamCredential } from "../../../src/gateway/upstream/provider-key.ts";

const credential: UpstreamCredential = { kind: "centralized", hint: null, header: ["authorization", "a"] };
const LIMITED: Failure = { reason: "rate_limited", mayHaveRun: false };
const LOST: Failure = { reason: "connection_lost", mayHaveRun: true };

/** A request with one key and two attempts left, in 5 s, with 10 s for its headers. */
const STATE: RetryState = {
  pool: null,
  rules: { attempts: 3, deadlineMs: 5000, waitMs: 0, retryOn: "not_run" },
  tried: new Set([credential]),
  retries: 0,
  leftMs: 5000,
  headersLeftMs: 10_000,
  mayRunTwice: false,
  isPinned: false,
  random: () => 0,
};

describe("the next attempt of a request with one key", () => {
  it.each<[string, Failure, number | null, Partial<RetryState>, number | null]>([
    ["waits for the provider's time", LIMITED, 4999, {}, 4999],
    ["begins before the deadline", LIMITED, 5000, {}, null],
    ["begins at once where no time is stated", LIMITED, null, {}, 0],
    ["leaves a second for the headers", LIMITED, 1000, { headersLeftMs: 2000 }, 1000],
    [
      "is none with less than a second for the headers after the wait",
      LIMITED,
      1001,
      { headersLeftMs: 2000 },
      null,
    ],
    ["is none with less than a second for the headers", LIMITED, 0, { headersLeftMs: 999 }, null],
    ["is none after the last retry", LIMITED, 0, { retries: 2 }, null],
    ["is none after one that may have run", LOST, 0, {}, null],
    ["follows one that may have run where it may run twice", LOST, 0, { mayRunTwice: true }, 0],
    ["is none for a rejected key", { reason: "key_rejected", mayHaveRun: false }, 0, {}, null],
  ])("%s", (_, failure, retryAfterMs, state, waitMs) => {
    const failed = { ...failure, credential, retryAfterMs, forbidsRetry: false };
    const next = nextAttempt(failed, { ...STATE, ...state });
    expect(next).toEqual(waitMs === null ? null : { credential, waitMs, isRetry: true });
  });

  it("is none where the provider forbids it", () => {
    const failed = { ...LIMITED, credential, retryAfterMs: 0, forbidsRetry: true };
    expect(nextAttempt(failed, STATE)).toBeNull();
  });
});
