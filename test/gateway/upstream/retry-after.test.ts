import { describe, expect, it } from "vitest";
import {
  coolingMs,
  DEFAULT_COOLING_MS,
  MAX_COOLING_MS,
  readReset,
  readRetryAfter,
} from "../../../src/gateway/upstream/retry-after.ts";

const NOW = Date.UTC(2026, 10, 23, 12);

describe("readRetryAfter", () => {
  it.each<[Record<string, string>, number | null]>([
    [{}, null],
    [{ "retry-after": "7" }, 7000],
    [{ "retry-after": "0" }, 0],
    [{ "retry-after": "1.5" }, 1500],
    [{ "retry-after-ms": "250", "retry-after": "7" }, 250],
    [{ "retry-after": "Mon, 23 Nov 2026 12:00:09 GMT" }, 9000],
    [{ "retry-after": "Mon, 23 Nov 2026 11:00:00 GMT" }, 0],
    [{ "retry-after": "soon" }, null],
    [{ "retry-after": "-3" }, null],
    [{ "retry-after": "9".repeat(100) }, null],
    [{ "retry-after": "" }, null],
    [{ "retry-after": "soon", "x-ratelimit-reset": "11" }, null],
  ])("reads %j as %s ms", (headers, ms) => {
    expect(readRetryAfter(new Headers(headers), NOW)).toBe(ms);
  });
});

describe("readReset", () => {
  it.each<[Record<string, string>, number | null]>([
    [{}, null],
    [{ "retry-after": "7" }, null],
    // OpenAI
    [{ "x-ratelimit-reset-requests": "20ms" }, 20],
    [{ "x-ratelimit-reset-tokens": "6m0s" }, 360_000],
    [{ "x-ratelimit-reset-tokens": "1h0m1.5s" }, 3_601_500],
    [
      {
        "x-ratelimit-remaining-requests": "12",
        "x-ratelimit-reset-requests": "8m",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "2s",
      },
      2000,
    ],
    [{ "x-ratelimit-reset-requests": "9s", "x-ratelimit-reset-tokens": "3s" }, 3000],
    // Others: seconds, or a time in seconds or milliseconds since 1970.
    [{ "x-ratelimit-reset": "11" }, 11_000],
    [{ "x-ratelimit-reset": String(NOW / 1000 + 5) }, 5000],
    [{ "x-ratelimit-reset": String(NOW + 5) }, 5],
    // Anthropic
    [{ "anthropic-ratelimit-requests-reset": "2026-11-23T12:00:30Z" }, 30_000],
    [
      {
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-23T12:00:40Z",
        "anthropic-ratelimit-output-tokens-remaining": "0",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-23T12:00:50Z",
        "anthropic-ratelimit-requests-reset": "2026-11-23T12:00:01Z",
      },
      50_000,
    ],
  ])("reads %j as %s ms", (headers, ms) => {
    expect(readReset(new Headers(headers), NOW)).toBe(ms);
  });
});

describe("coolingMs", () => {
  it("has a default and a bound", () => {
    expect([null, 0, 1000, 86_400_000].map(coolingMs)).toEqual([DEFAULT_COOLING_MS, 0, 1000, MAX_COOLING_MS]);
  });
});
