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

/** The fields added since, by record type. */
const CALL_FIELDS = ["worker_version"];
const CALLER_FIELDS = ["claimed_ids"];
const PROVIDER_FIELDS = ["provider_request_id", "provider_ray", "response_encoding"];
const NETWORK_FIELDS = ["client_country", "client_ray", "client_ip"];
const AGENT_FIELDS = ["agent_id", "parent_agent_id", "client_prompt_id", "request_class", "request_encoding"];
const RETRIEVED_FIELDS = [
  "usage_of",
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_write_input_tokens",
];
/** Null in these requests. */
const ADDED_NULL: Readonly<Record<string, readonly string[]>> = {
  initiator_override: CALLER_FIELDS,
  initiator_override_rejected: CALLER_FIELDS,
  interception_start: [...CALLER_FIELDS, ...CALL_FIELDS, ...AGENT_FIELDS, ...NETWORK_FIELDS],
  interception_end: [
    ...CALLER_FIELDS,
    ...CALL_FIELDS,
    ...PROVIDER_FIELDS,
    "upload_sha256",
    "response_sha256",
  ],
  passthrough: [...CALLER_FIELDS, ...CALL_FIELDS, ...PROVIDER_FIELDS, ...RETRIEVED_FIELDS, "error"],
  refusal: [...CALL_FIELDS, ...NETWORK_FIELDS],
};
/** With a value, in some of these requests. */
const ADDED: Readonly<Record<string, readonly string[]>> = {
  interception_start: [
    "initiator_source",
    "earlier_prompt_count",
    "client_kind",
    "end_user",
    "prompt_hashes",
    "earlier_prompt_hashes",
    "delegation_chain",
    "request_sha256",
    "config_version",
  ],
  initiator_override: ["initiator_source", "delegation_chain", "api_key_id"],
  initiator_override_rejected: ["initiator_source", "delegation_chain", "api_key_id"],
  interception_end: [
    "initiator_source",
    "api_key_id",
    "service_tier",
    "speed",
    "inference_geo",
    "reported_cost",
    "cost_micros",
    "cost_source",
    "price_version",
    "usage_opt_in",
    "own_key_rejected",
  ],
  token_usage: ["raw_usage"],
  refusal: [
    "actor_kind",
    "identity_source",
    "actor_verified",
    "api_key_id",
    "initiator_source",
    "object_ids",
  ],
  passthrough: [
    "initiator_source",
    "api_key_id",
    "result_count",
    "outcome",
    "started_at",
    "own_key_rejected",
    "object_ids",
    "request_sha256",
  ],
};
/** The record types added since. */
const ADDED_TYPES: ReadonlySet<string> = new Set(["passthrough_start"]);

type Change = readonly [before: string, after: string];

/** Tokens beyond the prompt are cached, so the prompt does not include them. */
const cachedBeside = (input: number, metadata: readonly Change[]): readonly Change[] => [
  ['"input_tokens":0', `"input_tokens":${input}`],
  ...metadata,
];

/** An accepted owner without a chat is flagged now. */
const WITHOUT_CHAT: Change = ['"flags":[]', '"flags":["owner_without_chat"]'];

/** Differences of today's records, by the request's name. */
const CHANGED: Readonly<Record<string, readonly Change[]>> = {
  "chat/json-cached-over-prompt": cachedBeside(10, [
    ['"usage":"partial","metadata":{}', '"usage":"partial","metadata":{"cached_exceeds_prompt":1}'],
  ]),
  "responses/cached-over-input": cachedBeside(1000, [
    ['"total_tokens":2144}', '"total_tokens":2144,"cached_exceeds_prompt":1}'],
  ]),
  // A text of digits is a figure now, so the fixtures have one with a fraction.
  "chat/hostile-figures": [['"response_bytes":870', '"response_bytes":872']],
  "messages/hostile-figures": [['"response_bytes":1576', '"response_bytes":1578'], WITHOUT_CHAT],
  "chat/json-error-text": [WITHOUT_CHAT],
  "chat/usage-beside-content": [WITHOUT_CHAT],
  "messages/thinking-cut": [WITHOUT_CHAT],
  "responses/thoughts-and-commentary": [WITHOUT_CHAT],
  // A connection that closes in order after the stop reason.
  "messages/cut-after-delta": [['"outcome":"truncated"', '"outcome":"completed"']],
  // The response has an error status and no error.
  "own key in X-Api-Key": [['"error":null,', '"error":"overloaded_error",']],
  // It was `completed` before it had an outcome of its own.
  "responses/json-background": [['"outcome":"completed"', '"outcome":"queued"']],
};

/** The event as it was before the word of an unverified caller, or of one that may not name owners, was only claimed. */
function asBefore(sent: InterceptorEvent): InterceptorEvent {
  const isClaimed = "attribution" in sent && sent.attribution === "claimed";
  const event: InterceptorEvent = isClaimed ? { ...sent, attribution: "asserted" } : sent;
  if (!("claimed_ids" in event) || event.claimed_ids === null) return event;
  const session = event.client === "Coder Agents" ? event.claimed_ids.chat_id : event.client_session_id;
  return { ...event, ...event.claimed_ids, client_session_id: session ?? null, claimed_ids: null };
}

/** Only a start had the id of the credential, behind its type. */
function inOrder(event: InterceptorEvent): [name: string, value: unknown][] {
  if (event.record_type !== "interception_start") return Object.entries(event);
  const { api_key_id: key, ...others } = event;
  return Object.entries(others).flatMap(([name, value]): [string, unknown][] =>
    name === "record_type"
      ? [
          [name, value],
          ["api_key_id", key],
        ]
      : [[name, value]],
  );
}

/** The event without those fields, its other fields in their order. */
function withoutAdded(sent: InterceptorEvent): object {
  const event = asBefore(sent);
  const isNull = ADDED_NULL[event.record_type] ?? [];
  expect(event).toMatchObject(Object.fromEntries(isNull.map((name) => [name, null])));
  const added = new Set([...isNull, ...(ADDED[event.record_type] ?? [])]);
  const known = inOrder(event).filter(([name]) => !added.has(name));
  // Of a thought, its source was added.
  const metadata = event.record_type === "model_thought" ? { metadata: {} } : {};
  return { ...Object.fromEntries(known), ...metadata };
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
/** It was a passthrough when it was recorded; test/gateway/app/model-runs.test.ts has its events. */
const INTERCEPTED_SINCE = "embeddings";

function providerResponse({ response: { status, type, body } }: RecordedRequest): Response {
  const length = type === "application/json" ? { "content-length": String(utf8(body).length) } : {};
  return new Response(wholeBody(body), { status, headers: { "content-type": type, ...length } });
}

describe("the events of the recorded requests", () => {
  it("are those of these 100 requests, in this order", () => {
    expect(REQUESTS.map(({ name }) => name)).toEqual([...RECORDED.keys()]);
    expect(REQUESTS).toHaveLength(100);
  });

  const compared = REQUESTS.filter(({ name }) => name !== INTERCEPTED_SINCE);
  it.each(compared.map((request) => [request.name, request] as const))(
    "are unchanged but for the public renames and the added fields: %s",
    async (name, request) => {
      const gateway = await openGateway({
        vars: { RECORDING: RECORD_ALL },
        provider: () => providerResponse(request),
      });
      const { events } = await gateway.exchange(request.path, request.init);
      const changes = CHANGED[name] ?? [];
      const expected = changes.reduce(
        (text, [before, after]) => text.replaceAll(before, after),
        // The record shows less of a caller's own key since.
        rename(RECORDED.get(name) ?? "").replaceAll("sk-C...cdef", "sk...ef"),
      );
      const known = events.filter(({ record_type }) => !ADDED_TYPES.has(record_type));
      expect(JSON.stringify(known.map(withoutAdded))).toBe(expected);
    },
  );
});
