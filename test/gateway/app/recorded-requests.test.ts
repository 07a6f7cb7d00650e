/**
 * 100 requests and their events as the code recorded them before it was split into two Workers
 * (test/fixtures/recorded-requests.ndjson). The events must be the same text today, except for the public renames and the
 * fields that were added since.
 */
import { describe, expect, it } from "vitest";
import recordedText from "../../fixtures/recorded-requests.ndjson?raw";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { RECORD_ALL } from "../../support/in-workerd/ledger-gateway.ts";
import { fixtures } from "../../support/in-workerd/fixtures.ts";
import { openGateway } from "../../support/in-workerd/gateway-harness.ts";
import { wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { utf8 } from "../../support/in-workerd/values.ts";
import { modelCalls, otherRequests, type RecordedRequest } from "./recorded-request-cases.ts";

/** The public renames since, in the events' JSON text. Inside a string value the quotes would be escaped. */
const RENAMES: readonly (readonly [recorded: string, today: string])[] = [
  ['"why_lost":', '"rejection_reason":'],
  ['"usage_flagged":', '"usage_invalid":'],
  ['"observation":"whole"', '"observation":"complete"'],
  ['"observation":"capped"', '"observation":"truncated"'],
  ['"reason":"credential_unknown"', '"reason":"invalid_credential"'],
];

/** The fields added since, by record type. Each is null in these requests. */
const CALL_FIELDS = ["worker_version"];
const PROVIDER_FIELDS = ["provider_request_id", "provider_ray", "response_encoding"];
const ADDED: Readonly<Record<string, readonly string[]>> = {
  interception_start: CALL_FIELDS,
  interception_end: [...CALL_FIELDS, ...PROVIDER_FIELDS],
  passthrough: [...CALL_FIELDS, ...PROVIDER_FIELDS, "error"],
  refusal: CALL_FIELDS,
};

/** The event without those fields, its other fields in their order. */
function withoutAdded(event: InterceptorEvent): object {
  const added = ADDED[event.record_type] ?? [];
  expect(event).toMatchObject(Object.fromEntries(added.map((name) => [name, null])));
  return Object.fromEntries(Object.entries(event).filter(([name]) => !added.includes(name)));
}

/** Name of a request → its events as JSON text. */
const RECORDED: ReadonlyMap<string, string> = new Map(recordedText.trimEnd().split("\n").map(readLine));

/** The name and the text of the events, which is not parsed, so that its bytes can be compared. */
function readLine(line: string): [name: string, events: string] {
  const { name } = JSON.parse(line) as { readonly name: string };
  const start = `{"name":${JSON.stringify(name)},"events":`;
  if (!line.startsWith(start)) throw new Error(`the line of ${name} is not as it was recorded`);
  return [name, line.slice(start.length, -1)];
}

function rename(events: string): string {
  return RENAMES.reduce((text, [recorded, today]) => text.replaceAll(recorded, today), events);
}

// A fixture that was added since has no recorded events. Its place in the order would move the others.
const recordedFixtures = fixtures
  .filter(({ name }) => RECORDED.has(name))
  .toSorted((a, b) => (a.name < b.name ? -1 : 1));
const REQUESTS: readonly RecordedRequest[] = [...modelCalls(recordedFixtures), ...otherRequests];

function providerResponse({ response: { status, type, body } }: RecordedRequest): Response {
  const length = type === "application/json" ? { "content-length": String(utf8(body).length) } : {};
  return new Response(wholeBody(body), { status, headers: { "content-type": type, ...length } });
}

describe("the events of the recorded requests", () => {
  it("are those of these 100 requests, in this order", () => {
    expect(REQUESTS.map(({ name }) => name)).toEqual([...RECORDED.keys()]);
    expect(REQUESTS).toHaveLength(100);
  });

  it.each(REQUESTS.map((request) => [request.name, request] as const))(
    "are unchanged but for the public renames and the added fields: %s",
    async (name, request) => {
      const gateway = await openGateway({
        vars: { RECORDING: RECORD_ALL },
        provider: () => providerResponse(request),
      });
      const { events } = await gateway.exchange(request.path, request.init);
      expect(JSON.stringify(events.map(withoutAdded))).toBe(rename(RECORDED.get(name) ?? ""));
    },
  );
});
