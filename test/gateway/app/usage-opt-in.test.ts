/** A provider that rejects the usage opt-in gets the client's own request, and the client no error about the option. */
import { describe, expect, it } from "vitest";
import {
  BODY,
  CENTRAL_CHAT,
  CHAT,
  CLIENT_KEY,
  json,
  only,
  post,
  sse,
  STREAM_BODY,
} from "../../support/in-workerd/calls.ts";
import { fixture } from "../../support/in-workerd/fixtures.ts";
import { openGateway, PROVIDERS, type Setup } from "../../support/in-workerd/gateway-harness.ts";
import { wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { text, utf8 } from "../../support/in-workerd/values.ts";

const STREAM = fixture("chat/plain");
const INJECTED = STREAM_BODY.replace("{", '{"stream_options":{"include_usage":true},');
const stream = (): Response => sse(wholeBody(STREAM.bytes));

/** A provider that rejects the option with this response, and streams without it. */
const rejecting =
  (reject: () => Response): NonNullable<Setup["provider"]> =>
  ({ body }) =>
    text(body).includes("stream_options") ? reject() : stream();

const error = (message: string, status = 400): Response =>
  json(JSON.stringify({ error: { message } }), { status });

const REJECTIONS: readonly (readonly [status: number, body: string])[] = [
  [400, '{"error":{"message":"Unrecognized request argument supplied: stream_options"}}'],
  [
    422,
    '{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}',
  ],
  [422, '{"detail":"Extra inputs are not permitted"}'],
  [400, '{"message":"unknown field `include_usage`"}'],
  [400, "json: unknown field"],
  [400, '{"error":"Additional properties are not allowed"}'],
  [400, '{"error":{"message":"Unsupported parameter","code":"unsupported_parameter"}}'],
  [400, '{"error":"property \'stream-options\' should not exist"}'],
];

describe("a rejected usage opt-in", () => {
  it.each(REJECTIONS)("is sent once more without the option: %i %s", async (status, body) => {
    for (const [path, init] of [
      [CHAT, post(STREAM_BODY)],
      [CENTRAL_CHAT, post(STREAM_BODY, CLIENT_KEY)],
    ] as const) {
      const gateway = await openGateway({ provider: rejecting(() => json(body, { status })) });
      const { response, text: clientText, events } = await gateway.exchange(path, init);
      expect(gateway.sent.map((sent) => text(sent.body))).toEqual([INJECTED, STREAM_BODY]);
      expect([response.status, clientText]).toEqual([200, STREAM.text]);
      expect(only(events, "interception_end")).toMatchObject({
        usage_opt_in: "rejected",
        outcome: "completed",
      });
    }
  });

  it("is remembered for provider and model, and later requests skip the option", async () => {
    const gateway = await openGateway({ provider: rejecting(() => error("stream_options is not allowed")) });
    await gateway.exchange(CHAT, post(STREAM_BODY));
    const { events } = await gateway.exchange(CHAT, post(STREAM_BODY));
    expect(only(events, "interception_end").usage_opt_in).toBe("skipped");
    await gateway.exchange(CHAT, post(STREAM_BODY.replace(/"model":"[^"]*"/, '"model":"another"')));
    expect(gateway.sent.map(({ body }) => text(body).includes("stream_options"))).toEqual([
      true,
      false,
      false,
      true,
      false,
    ]);
  });

  // The attack: an image at an address of the caller's, which names a field. The provider cannot load it at first, and quotes
  // the address; at the second attempt it can. The usage of the caller's streams would then not be requested.
  it.each([
    ["", "unknown-field"],
    [", with escapes", String.raw`unknown\u002dfield`],
  ])("is not assumed where an error quotes the client's own words%s", async (_, written) => {
    let loads = 0;
    const gateway = await openGateway({
      provider: () =>
        loads++ === 0 ? error("Error while downloading https://evil.example/unknown-field.png") : stream(),
    });
    const image = STREAM_BODY.replace(
      '"messages":[',
      `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://evil.example/${written}.png"}}]},`,
    );
    expect(image).toContain("evil.example");
    const exchanges = [];
    for (let at = 0; at < 2; at++) exchanges.push(await gateway.exchange(CHAT, post(image)));
    expect(exchanges.map(({ response }) => response.status)).toEqual([400, 200]);
    expect(exchanges.map(({ events }) => only(events, "interception_end").usage_opt_in)).toEqual([
      "added",
      "added",
    ]);
  });

  // The attack: a caller whose account at the provider does not permit the option turns it off for everyone.
  it("is remembered for the caller alone, who may have brought it about", async () => {
    const gateway = await openGateway({
      provider: ({ headers, body }) =>
        headers.get("authorization")?.includes("another") || !text(body).includes("include_usage")
          ? stream()
          : error("Unknown parameter: 'stream_options'."),
    });
    const states = [];
    const anothersKey = { authorization: "Bearer sk-CANARY-another-key-0123456789abcdef" };
    for (const init of [post(STREAM_BODY), post(STREAM_BODY), post(STREAM_BODY, anothersKey)])
      states.push(only((await gateway.exchange(CHAT, init)).events, "interception_end").usage_opt_in);
    expect(states).toEqual(["rejected", "skipped", "added"]);
  });

  it("is not remembered where the request fails without it too: the error was the client's own", async () => {
    const gateway = await openGateway({ provider: () => error("unknown field `foo`") });
    for (let at = 0; at < 2; at++) {
      const { response, text: body } = await gateway.exchange(CHAT, post(STREAM_BODY));
      expect([response.status, body]).toEqual([400, '{"error":{"message":"unknown field `foo`"}}']);
    }
    expect(gateway.sent.map(({ body }) => text(body))).toEqual([
      INJECTED,
      STREAM_BODY,
      INJECTED,
      STREAM_BODY,
    ]);
  });
});

function breaksOff(): Response {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(utf8('{"error":"stream_opt'));
      controller.error(new Error("reset"));
    },
  });
  return new Response(body, { status: 400 });
}

describe("a request with the usage opt-in is not sent twice", () => {
  const long = `{"error":{"message":"${"x".repeat(100_000)} stream_options"}}`;
  it.each<[string, () => Response]>([
    ["an error about something else", () => error("The model `x` does not exist")],
    ["a context that is too long", () => error("This model's maximum context length is 8192 tokens")],
    ["another status", () => error("stream_options", 500)],
    ["a missing permission", () => error("stream_options", 403)],
    ["an error in a body that is too long to examine", () => json(long, { status: 400 })],
    ["no body", () => new Response(null, { status: 400 })],
  ])("after %s", async (_, provider) => {
    const expected = await provider().text();
    const gateway = await openGateway({ provider });
    const { text: body, events } = await gateway.exchange(CHAT, post(STREAM_BODY));
    expect(gateway.sent).toHaveLength(1);
    expect(body).toBe(expected);
    expect(only(events, "interception_end").usage_opt_in).toBe("added");
  });

  it("after an error whose body breaks off", async () => {
    const gateway = await openGateway({ provider: breaksOff });
    await gateway.exchange(CHAT, post(STREAM_BODY)).catch(() => undefined);
    expect(gateway.sent).toHaveLength(1);
  });
});

describe("the recorded usage opt-in", () => {
  const off = { vars: { PROVIDERS: { ...PROVIDERS, openai: { ...PROVIDERS.openai, inject_usage: false } } } };
  it.each<[string | null, string, string, Setup]>([
    ["added", CHAT, STREAM_BODY, {}],
    ["client", CHAT, INJECTED, {}],
    ["client", CHAT, INJECTED, off],
    ["skipped", CHAT, STREAM_BODY, off],
    [null, CHAT, BODY, {}],
    [null, "/openai/v1/responses", STREAM_BODY, {}],
  ])("is %j", async (expected, path, body, setup) => {
    const gateway = await openGateway({ ...setup, provider: stream });
    const { events } = await gateway.exchange(path, post(body));
    expect(only(events, "interception_end").usage_opt_in).toBe(expected);
  });

  it("is null where nothing was sent to the provider", async () => {
    const vars = { PROVIDERS: { ...PROVIDERS, openai: { ...PROVIDERS.openai, models: [] } } };
    const gateway = await openGateway({ vars, provider: stream });
    const { events } = await gateway.exchange(CHAT, post(STREAM_BODY));
    expect(only(events, "interception_end").usage_opt_in).toBeNull();
  });
});
