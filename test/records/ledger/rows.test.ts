/**
 * From a request and the provider's bytes to the rows in the database, through all of the app and the ledger: every table
 * compared whole, with rows that are written down by hand.
 */
import { describe, expect, it } from "vitest";
import { rechunk } from "../../support/rechunk.ts";
import { checkPairs, T0 } from "../../support/in-workerd/gateway-harness.ts";
import { AGENTS, CENTRAL_CHAT, post, sse } from "../../support/in-workerd/calls.ts";
import { fixtures, type Fixture } from "../../support/in-workerd/fixtures.ts";
import { ask, CHAT, CHAT_ASK } from "../../support/in-workerd/row-answers.ts";
import { apiOf, BROUGHT, PROMPT } from "../../support/in-workerd/row-apis.ts";
import { RECORDED, whole } from "../../support/in-workerd/row-case.ts";
import {
  EVERYTHING,
  openGatewayWithLedger,
  type GatewayWithLedger,
} from "../../support/in-workerd/ledgered-app.ts";
import { LEAVINGS, LEFT } from "../../support/in-workerd/row-leaving.ts";
import { LOOPS, type CallId } from "../../support/in-workerd/row-loops.ts";
import { rowsOf, type Story } from "../../support/in-workerd/row-report.ts";
import { REQUEST_CASES } from "../../support/in-workerd/row-requests.ts";
import { TOOL_CASES } from "../../support/in-workerd/row-tools.ts";
import {
  ID,
  interceptionRow,
  overrideRow,
  promptRow,
  SECOND_ID,
  tables,
  THIRD_ID,
} from "../../support/in-workerd/row-values.ts";
import { upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { OWNER } from "../../support/in-workerd/values.ts";
import { until } from "../../support/in-workerd/waiting.ts";

/** Errors that a provider sends as its whole answer have a status that says so. */
const STATUS: Readonly<Record<string, number>> = {
  "chat/json-error": 429,
  "chat/json-error-text": 404,
  "messages/json-error": 429,
  "responses/json-error": 400,
};

type Way = {
  readonly name: string;
  readonly recording: object;
  readonly content: boolean;
  /** The request brings a tool's result, else what the user says. */
  readonly brings: boolean;
  /** The answer comes in many pieces and without a length, else at once. */
  readonly inPieces: boolean;
  readonly body: (body: object, fixture: Fixture) => object;
};

const asIs = (body: object): object => body;
/** Its usage event is then the client's own, and nothing is taken out of the stream. */
const askingForUsage = (body: object, { name, kind }: Fixture): object =>
  name.startsWith("chat/") && kind === "events" ? { ...body, stream_options: { include_usage: true } } : body;

const WAYS: readonly Way[] = [
  {
    name: "everything recorded",
    recording: EVERYTHING,
    content: true,
    brings: false,
    inPieces: false,
    body: asIs,
  },
  {
    name: "nothing of what was said",
    recording: {},
    content: false,
    brings: false,
    inPieces: false,
    body: asIs,
  },
  {
    name: "in pieces, after a tool's result",
    recording: EVERYTHING,
    content: true,
    brings: true,
    inPieces: true,
    body: askingForUsage,
  },
];

function answer({ kind, bytes, name }: Fixture, inPieces: boolean): Response {
  const pieces = inPieces ? rechunk(bytes, bytes.length, 200) : [bytes];
  const status = STATUS[name] ?? 200;
  if (kind === "events") return sse(wholeBody(...pieces), { status });
  const length = inPieces ? {} : { "content-length": String(bytes.length) };
  return new Response(wholeBody(...pieces), {
    status,
    headers: { "content-type": "application/json", ...length },
  });
}

describe.each(WAYS)("the rows of every recorded exchange: $name", (way) => {
  it.each(fixtures.map((one) => [one.name, one] as const))("%s", async (name, fixture) => {
    const { brings, content } = way;
    const api = apiOf(name);
    const house: GatewayWithLedger = await openGatewayWithLedger({
      vars: { RECORDING: way.recording },
      provider: () => {
        house.clock.at += 40;
        return answer(fixture, way.inPieces);
      },
    });
    const streaming = fixture.kind === "events";
    const body = way.body((brings ? api.result : api.prompt)(streaming), fixture);
    await house.exchange(api.path, post(JSON.stringify(body), api.headers));
    const story: Story = {
      report: fixture.report,
      status: STATUS[name] ?? 200,
      bytes: fixture.bytes.length,
      asked: api.asked,
      streaming,
      prompt: brings && !api.saysBesideResult ? null : PROMPT,
      brings: brings ? BROUGHT : null,
    };
    expect(await house.rows()).toEqual(rowsOf(story, content));
  });
});

describe("the rows of exchanges written out by hand", () => {
  const cases = [...TOOL_CASES, ...REQUEST_CASES];
  it.each(cases.map((one) => [one.name, one] as const))("%s", async (_, { vars, exchanges, rows }) => {
    let answering: (() => Response) | null = null;
    const house: GatewayWithLedger = await openGatewayWithLedger({
      vars,
      provider: () => {
        if (!answering) throw new Error("the provider was asked");
        house.clock.at += 40;
        return answering();
      },
    });
    for (const { at = 0, path, init, answer: one } of exchanges) {
      house.clock.at = T0 + at;
      answering = one;
      await house.exchange(path, init);
    }
    expect(house.sent).toHaveLength(exchanges.filter((one) => one.answer).length);
    expect(await house.rows()).toEqual(rows);
  });
});

describe("an agent that goes on for three requests", () => {
  it.each(LOOPS.map((one) => [one.api, one] as const))(
    "in %s is one thread and one session, each request below the one before",
    async (_, { path, request, answer: answerOf }) => {
      const asked: CallId[] = ["call_1", "call_2", "call_3"];
      const house: GatewayWithLedger = await openGatewayWithLedger({
        vars: RECORDED,
        provider: () => whole(JSON.stringify(answerOf(asked[house.sent.length - 1] ?? "call_1")))(),
      });
      for (const brings of [null, "call_1", "call_2"] as const) {
        await house.exchange(path, ask(request(brings)));
        house.clock.at += 1000;
      }
      const { interceptions = [], tool_usages = [], user_prompts = [] } = await house.rows();
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

describe("the rows of a client that leaves", () => {
  const unheard = { usage: "unknown", provider_response_id: null, response_model: null } as const;
  const prompts = { user_prompts: [promptRow()] };

  it.each([
    ["of known length", { "content-length": "1000" }],
    ["of unknown length", {}],
  ])(
    "F10 before its upload, %s, has ended: none but its owner's, as nothing was asked of anybody",
    async (_, length) => {
      const house = await openGatewayWithLedger({ vars: RECORDED });
      const upload = upstreamBody();
      upload.send('{"model":"gpt-4o","messages":[{"role":"user","content":"Whe');
      const headers = { ...AGENTS, ...length, "x-coder-owner-id": OWNER };
      const visiting = house.exchange(CENTRAL_CHAT, post(upload.stream, headers));
      await until(upload.isTaken, "the bytes being taken");
      upload.fail();
      expect((await visiting).response.status).toBe(400);
      expect(house.sent).toEqual([]);
      const owner = { initiator_id: OWNER, attribution: "asserted", owner_id: OWNER };
      expect(await house.rows()).toEqual(tables({ initiator_overrides: [overrideRow(owner)] }));
    },
  );

  it("G22 before the provider is asked: cancelled, and nothing is fetched", async () => {
    const house = await openGatewayWithLedger({ vars: RECORDED });
    await house.exchange(CHAT, { ...ask(CHAT_ASK), signal: AbortSignal.abort() });
    expect(house.sent).toEqual([]);
    const at = { ended_at: "2026-11-23T12:00:00.000Z", duration_ms: 0 };
    const gone = { ...LEFT, ...unheard, ...at, status: null, response_bytes: 0, first_byte_ms: null };
    expect(await house.rows()).toEqual(tables({ interceptions: [interceptionRow(gone)], ...prompts }));
  });

  it("G22 before the headers: cancelled, without a status or a figure", async () => {
    const client = new AbortController();
    const house: GatewayWithLedger = await openGatewayWithLedger({
      vars: RECORDED,
      provider: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
          house.clock.at += 700;
          client.abort();
        }),
    });
    await house.exchange(CHAT, { ...ask(CHAT_ASK), signal: client.signal });
    expect(house.sent).toHaveLength(1);
    const gone = { ...LEFT, ...unheard, status: null, response_bytes: 0, first_byte_ms: null };
    expect(await house.rows()).toEqual(tables({ interceptions: [interceptionRow(gone)], ...prompts }));
  });

  it.each(LEAVINGS.map((one) => [one.name, one] as const))(
    "G23 in mid-stream, %s",
    async (_, { path, body, came, rows }) => {
      const client = new AbortController();
      const upstream = upstreamBody();
      const house: GatewayWithLedger = await openGatewayWithLedger({
        vars: RECORDED,
        provider: ({ signal }) => {
          house.clock.at += 40;
          upstream.send(came);
          return sse(upstream.failWith(signal).stream);
        },
      });
      const { response, settled } = await house.call(path, { ...ask(body), signal: client.signal });
      const got = (response.body as ReadableStream<Uint8Array>).getReader();
      await got.read();
      house.clock.at += 660;
      client.abort();
      expect(house.sent[0]?.signal.aborted).toBe(true);
      await settled();
      checkPairs(house.events);
      expect(await house.rows()).toEqual(rows);
    },
  );

  it.each([
    ["of known length, read before it is handed on", 1000],
    ["of known length, handed on as it comes", 300_000],
    ["of unknown length", null],
  ])("G23 in a JSON answer %s: cancelled, and no figure is made up", async (_, length) => {
    const client = new AbortController();
    const upstream = upstreamBody();
    const came = '{"id":"x","model":"m","usage":{"prompt_tokens":7},"choi';
    const house: GatewayWithLedger = await openGatewayWithLedger({
      vars: RECORDED,
      provider: ({ signal }) => {
        house.clock.at += 40;
        upstream.send(came);
        const headers = length === null ? {} : { "content-length": String(length) };
        return new Response(upstream.failWith(signal).stream, {
          headers: { "content-type": "application/json", ...headers },
        });
      },
    });
    const visiting = house.exchange(CHAT, {
      ...ask({ ...CHAT_ASK, stream: false }),
      signal: client.signal,
    });
    await until(() => house.sent.length > 0 && upstream.isTaken(), "the bytes being taken");
    house.clock.at += 660;
    client.abort();
    expect((await visiting).broken).toBe(true);
    const gone = { ...LEFT, ...unheard, streaming: 0, response_bytes: came.length };
    expect(await house.rows()).toEqual(tables({ interceptions: [interceptionRow(gone)], ...prompts }));
  });
});
