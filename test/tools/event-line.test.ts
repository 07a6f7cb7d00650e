/** The lines that `npm start` prints: events, and wrangler's own output. */
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { eventLine } from "../../tools/local/event-line.ts";
import { readOutput } from "../../tools/local/wrangler-output.ts";

const OWNER = "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5";
const ACTOR = "7f3c2a10-1234-4abc-9def-000000000001";
const CALLER = {
  interception_id: "01a20846-fe00-7abc-8def-0123456789ab",
  actor_id: ACTOR,
  initiator_id: OWNER,
  attribution: "asserted",
  client: "Coder Agents",
  provider: "team-openai",
  created_at: "2026-11-23T12:00:00.000Z",
  started_at: "2026-11-23T12:00:00.000Z",
};
const lineOf = (event: object): string => eventLine({ ...CALLER, ...event } as unknown as InterceptorEvent);

describe("the line of an event", () => {
  it("has the full ids of an override, and the owner's name", () => {
    const override = { record_type: "initiator_override", owner_id: OWNER };
    expect(lineOf({ ...override, owner_username: null })).toContain(
      `${ACTOR} asserts ${OWNER}: the initiator`,
    );
    expect(lineOf({ ...override, owner_username: "ada" })).toContain(`asserts ${OWNER} (ada): the initiator`);
  });

  it("has the full id of the actor whose owner header was rejected", () => {
    expect(lineOf({ record_type: "initiator_override_rejected", reason: "form" })).toContain(ACTOR);
  });

  it("has the path of a model call, a passthrough and a refusal", () => {
    const start = { record_type: "interception_start", model: "gpt-5.1", streaming: true };
    expect(lineOf({ ...start, route: "/chat/completions" })).toContain(
      "Coder Agents calls gpt-5.1, streamed · POST team-openai /chat/completions · for",
    );
    const other = { method: "GET", route: "/models", status: 200, duration_ms: 3 };
    expect(lineOf({ ...other, record_type: "passthrough" })).toContain("GET team-openai /models → 200");
    expect(
      lineOf({ ...other, record_type: "refusal", reason: "invalid_credential", detail: null }),
    ).toContain("GET team-openai /models");
  });
});

function noticesOf(line: string): string[] {
  const notices: string[] = [];
  readOutput(line, { onEvent: () => undefined, onNotice: (notice) => void notices.push(notice) });
  return notices;
}

describe("wrangler's output", () => {
  it("shows the path of a request that leads nowhere", () => {
    expect(noticesOf("[wrangler:info] POST /openai/chat/completions 404 Not Found (3ms)")).toEqual([
      "404 for POST /openai/chat/completions",
    ]);
  });

  it.each(["[wrangler:info] GET /healthz 200 OK (3ms)", "[wrangler:info] Ready on http://127.0.0.1:8787"])(
    "does not show %s",
    (line) => expect(noticesOf(line)).toEqual([]),
  );

  // The attack: the path moves the terminal's cursor or reverses the line.
  it("shows no control character of a path", () => {
    const [notice = ""] = noticesOf("[wrangler:info] GET /a\u202Eb\u0007c 404 Not Found (3ms)");
    expect(notice).toBe("404 for GET /a\ufffdb\ufffdc");
  });
});
