/**
 * From a request and the provider's bytes to the rows in D1, through the complete app and ledger. All rows of every table
 * are compared with expected rows that are written by hand.
 */
import { describe, expect, it } from "vitest";
import type { Rows } from "../../support/in-workerd/ledger-database.ts";
import { rechunk } from "../../support/rechunk.ts";
import { checkPairs, T0 } from "../../support/in-workerd/gateway-harness.ts";
import { AGENTS, CENTRAL_CHAT, post, sse } from "../../support/in-workerd/calls.ts";
import { fixtures, type Fixture } from "../../support/in-workerd/fixtures.ts";
import { jsonPost, CHAT, CHAT_REQUEST } from "../../support/in-workerd/row-responses.ts";
import { apiOf, RESULT_CALL_ID, PROMPT } from "../../support/in-workerd/row-apis.ts";
import { RECORDED, jsonResponse } from "../../support/in-workerd/row-case.ts";
import {
  RECORD_ALL,
  openGatewayWithLedger,
  type GatewayWithLedger,
} from "../../support/in-workerd/ledger-gateway.ts";
import { DISCONNECTS, CANCELLED } from "../../support/in-workerd/row-disconnects.ts";
import { LOOPS, type CallId } from "../../support/in-workerd/row-loops.ts";
import { expectedRows, type RecordedExchange } from "../../support/in-workerd/row-report.ts";
import { REQUEST_CASES } from "../../support/in-workerd/row-requests.ts";
import { TOOL_CASES } from "../../support/in-workerd/row-tools.ts";
import {
  ID,
  interceptionRow,
  promptRow,
  refusalRow,
  SECOND_ID,
  tables,
  THIRD_ID,
} from "../../support/in-workerd/row-values.ts";
import { upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { OWNER } from "../../support/in-workerd/values.ts";
import { turns, until } from "../../support/in-workerd/waiting.ts";

/** The status of responses that are an error; all others have 200. */
const STATUS: Readonly<Record<string, number>> = {
  "chat/json-error": 429,
  "chat/json-error-text": 404,
  "chat/json-ai-gateway-error": 401,
  "chat/json-azure-no-deployment": 404,
  "chat/json-ollama-error": 404,
  "chat/json-openrouter-error": 429,
  "chat/json-vllm-error": 404,
  "chat/json-xai-error": 400,
  "messages/json-error": 429,
  "messages/json-foundry-rate-limit": 429,
  "responses/json-azure-filtered-prompt": 400,
  "responses/json-error": 400,
};

type Variant = {
  readonly name: string;
  readonly recording: object;
  readonly content: boolean;
  /** Whether the request carries a tool's result instead of a prompt. */
  readonly hasToolResult: boolean;
  /** Whether the response arrives in many pieces without a content length, or in one piece. */
  readonly inPieces: boolean;
  readonly body: (body: object, fixture: Fixture) => object;
};

const unchanged = (body: object): object => body;
/** The client requests the usage event itself, so the gateway removes nothing from the stream. */
const withUsageRequested = (body: object, { name, kind }: Fixture): object =>
  name.startsWith("chat/") && kind === "events" ? { ...body, stream_options: { include_usage: true } } : body;

const clientOptIn = ({ name, kind }: Fixture): object =>
  name.startsWith("chat/") && kind === "events" ? { usage_opt_in: "client" } : {};

const VARIANTS: readonly Variant[] = [
  {
    name: "everything recorded",
    recording: RECORD_ALL,
    content: true,
    hasToolResult: false,
    inPieces: false,
    body: unchanged,
  },
  {
    name: "no content recorded",
    recording: {},
    content: false,
    hasToolResult: false,
    inPieces: false,
    body: unchanged,
  },
  {
    name: "in pieces, with a tool result",
    recording: RECORD_ALL,
    content: true,
    hasToolResult: true,
    inPieces: true,
    body: withUsageRequested,
  },
];

/** The rows of exchanges whose expectation does not repeat the provider's usage object. */
const withoutRawUsage = (rows: Rows): Rows => ({
  ...rows,
  interceptions: (rows["interceptions"] ?? []).map((row) => ({ ...row, raw_usage: null })),
});

function responseTo({ kind, bytes, name }: Fixture, inPieces: boolean): Response {
  const pieces = inPieces ? rechunk(bytes, bytes.length, 200) : [bytes];
  const status = STATUS[name] ?? 200;
  if (kind === "events") return sse(wholeBody(...pieces), { status });
  const length = inPieces ? {} : { "content-length": String(bytes.length) };
  return new Response(wholeBody(...pieces), {
    status,
    headers: { "content-type": "application/json", ...length },
  });
}

describe.each(VARIANTS)(
  "the rows of every recorded exchange: $name",
  ({ recording, content, hasToolResult, inPieces, body: bodyOf }) => {
    it.each(fixtures.map((one) => [one.name, one] as const))("%s", async (name, fixture) => {
      const api = apiOf(name);
      const gateway: GatewayWithLedger = await openGatewayWithLedger({
        vars: { RECORDING: recording },
        provider: () => {
          gateway.clock.at += 40;
          return responseTo(fixture, inPieces);
        },
      });
      const streaming = fixture.kind === "events";
      const body = bodyOf((hasToolResult ? api.result : api.prompt)(streaming), fixture);
      await gateway.exchange(api.path, post(JSON.stringify(body), api.headers));
      const exchange: RecordedExchange = {
        report: fixture.report,
        status: STATUS[name] ?? 200,
        bytes: fixture.bytes.length,
        requestColumns: { ...api.columns, ...(bodyOf === withUsageRequested && clientOptIn(fixture)) },
        streaming,
        prompt: hasToolResult && !api.promptWithResult ? null : PROMPT,
        resultOf: hasToolResult ? RESULT_CALL_ID : null,
      };
      expect(await gateway.rows()).toEqual(expectedRows(exchange, content));
    });
  },
);

describe("the ledger, for exchanges written by hand,", () => {
  const cases = [...TOOL_CASES, ...REQUEST_CASES];
  it.each(cases.map((one) => [one.name, one] as const))("%s", async (_, { vars, exchanges, rows }) => {
    let nextResponse: (() => Response) | null = null;
    const gateway: GatewayWithLedger = await openGatewayWithLedger({
      vars,
      provider: () => {
        if (!nextResponse) throw new Error("the gateway called the provider");
        gateway.clock.at += 40;
        return nextResponse();
      },
    });
    for (const { at = 0, path, init, response } of exchanges) {
      gateway.clock.at = T0 + at;
      nextResponse = response;
      await gateway.exchange(path, init);
    }
    expect(gateway.sent).toHaveLength(exchanges.filter(({ response }) => response).length);
    expect(withoutRawUsage(await gateway.rows())).toEqual(rows);
  });
});

describe("an agent's loop of three requests", () => {
  it.each(LOOPS.map((one) => [one.api, one] as const))(
    "is one thread and one session in %s, each request the child of the one before",
    async (_, { path, request, response: loopResponse }) => {
      const callIds: CallId[] = ["call_1", "call_2", "call_3"];
      const gateway: GatewayWithLedger = await openGatewayWithLedger({
        vars: RECORDED,
        provider: () =>
          jsonResponse(JSON.stringify(loopResponse(callIds[gateway.sent.length - 1] ?? "call_1")))(),
      });
      for (const resultOf of [null, "call_1", "call_2"] as const) {
        await gateway.exchange(path, jsonPost(request(resultOf)));
        gateway.clock.at += 1000;
      }
      const { interceptions = [], tool_usages = [], user_prompts = [] } = await gateway.rows();
      expect(
        interceptions.map((row) => [
          row["id"],
          row["correlating_tool_call_id"],
          row["thread_parent_id"],
          row["thread_root_id"],
          row["session_id"],
        ]),
      ).toEqual([
        [ID, null, null, null, ID],
        [SECOND_ID, "call_1", ID, ID, ID],
        [THIRD_ID, "call_2", SECOND_ID, ID, ID],
      ]);
      expect(tool_usages.map((row) => [row["interception_id"], row["provider_tool_call_id"]])).toEqual([
        [ID, "call_1"],
        [SECOND_ID, "call_2"],
        [THIRD_ID, "call_3"],
      ]);
      expect(user_prompts).toEqual([promptRow()]);
    },
  );
});

describe("the rows of a client that disconnects", () => {
  const noResponse = { usage: "unknown", provider_response_id: null, response_model: null } as const;
  const prompts = { user_prompts: [promptRow()] };

  it.each([
    ["of known length", { "content-length": "1000" }],
    ["of unknown length", {}],
  ])("F10 during an upload %s: only the refusal, because no call had started", async (_, length) => {
    const gateway = await openGatewayWithLedger({ vars: RECORDED });
    const upload = upstreamBody();
    upload.send('{"model":"gpt-4o","messages":[{"role":"user","content":"Whe');
    const headers = { ...AGENTS, ...length, "x-coder-owner-id": OWNER };
    const pending = gateway.exchange(CENTRAL_CHAT, post(upload.stream, headers));
    await until(upload.isConsumed, "the gateway to read the bytes");
    upload.fail();
    expect((await pending).response.status).toBe(400);
    expect(gateway.sent).toEqual([]);
    const refused = refusalRow({
      reason: "body_incomplete",
      status: 400,
      provider: "central",
      client: "Coder Agents",
      actor_id: "ci-bot",
      actor_kind: "service",
      initiator_id: OWNER,
      initiator_source: "coder",
      api_key_id: "2f9492882e36c476",
      identity_source: "keys",
      actor_verified: 1,
    });
    expect(await gateway.rows()).toEqual(tables({ refusals: [refused] }));
  });

  it("G22 before the request to the provider: cancelled, without a fetch", async () => {
    const gateway = await openGatewayWithLedger({ vars: RECORDED });
    await gateway.exchange(CHAT, { ...jsonPost(CHAT_REQUEST), signal: AbortSignal.abort() });
    expect(gateway.sent).toEqual([]);
    const end = { ended_at: "2026-11-23T12:00:00.000Z", duration_ms: 0 };
    const cancelled = {
      ...CANCELLED,
      ...noResponse,
      ...end,
      status: null,
      response_bytes: 0,
      first_byte_ms: null,
      cost_micros: 0,
      cost_source: "computed",
    };
    expect(await gateway.rows()).toEqual(tables({ interceptions: [interceptionRow(cancelled)], ...prompts }));
  });

  it("G22 before the response headers: cancelled, without status and usage", async () => {
    const client = new AbortController();
    const gateway: GatewayWithLedger = await openGatewayWithLedger({
      vars: RECORDED,
      provider: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
          gateway.clock.at += 700;
          client.abort();
        }),
    });
    await gateway.exchange(CHAT, { ...jsonPost(CHAT_REQUEST), signal: client.signal });
    expect(gateway.sent).toHaveLength(1);
    const cancelled = { ...CANCELLED, ...noResponse, status: null, response_bytes: 0, first_byte_ms: null };
    expect(await gateway.rows()).toEqual(tables({ interceptions: [interceptionRow(cancelled)], ...prompts }));
  });

  it.each(DISCONNECTS.map((one) => [one.name, one] as const))(
    "G23 in mid-stream, %s",
    async (_, { path, body, received, rows }) => {
      const client = new AbortController();
      const upstream = upstreamBody();
      const gateway: GatewayWithLedger = await openGatewayWithLedger({
        vars: RECORDED,
        provider: ({ signal }) => {
          gateway.clock.at += 40;
          upstream.send(received);
          return sse(upstream.failOnAbort(signal).stream);
        },
      });
      const { response, settled } = await gateway.call(path, { ...jsonPost(body), signal: client.signal });
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      // The observer has these bytes a few turns after the client.
      await turns();
      gateway.clock.at += 660;
      client.abort();
      expect(gateway.sent[0]?.signal.aborted).toBe(true);
      await settled();
      checkPairs(gateway.events);
      expect(withoutRawUsage(await gateway.rows())).toEqual(rows);
    },
  );

  it.each([
    ["of known length, buffered", 1000, {}],
    // Its start is held until it is searched for secrets, so nothing of it was passed on.
    ["of known length, streamed", 300_000, { response_bytes: 0, first_byte_ms: null }],
    ["of unknown length", null, { response_bytes: 0, first_byte_ms: null }],
  ])("G23 during a JSON response %s: cancelled, with unknown usage", async (_, length, passed) => {
    const client = new AbortController();
    const upstream = upstreamBody();
    const received = '{"id":"x","model":"m","usage":{"prompt_tokens":7},"choi';
    const gateway: GatewayWithLedger = await openGatewayWithLedger({
      vars: RECORDED,
      provider: ({ signal }) => {
        gateway.clock.at += 40;
        upstream.send(received);
        const headers = length === null ? {} : { "content-length": String(length) };
        return new Response(upstream.failOnAbort(signal).stream, {
          headers: { "content-type": "application/json", ...headers },
        });
      },
    });
    const pending = gateway.exchange(CHAT, {
      ...jsonPost({ ...CHAT_REQUEST, stream: false }),
      signal: client.signal,
    });
    await until(() => gateway.sent.length > 0 && upstream.isConsumed(), "the gateway to read the bytes");
    gateway.clock.at += 660;
    client.abort();
    expect((await pending).broken).toBe(true);
    const bytes = { response_bytes: received.length, ...passed };
    const cancelled = { ...CANCELLED, ...noResponse, streaming: 0, ...bytes };
    expect(await gateway.rows()).toEqual(tables({ interceptions: [interceptionRow(cancelled)], ...prompts }));
  });
});
