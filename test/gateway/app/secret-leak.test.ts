/**
 * The attack (H3): a provider, or a server between, puts a secret of the gateway into a response that succeeds. The harness
 * checks in addition that no event and no line of the operator's log contains the key.
 */
import { describe, expect, it } from "vitest";
import {
  CANARIES,
  CONTENT,
  openGateway,
  PROVIDERS,
  type Gateway,
  type Sent,
} from "../../support/in-workerd/gateway-harness.ts";
import {
  BODY,
  CENTRAL_CHAT,
  CLIENT_KEY,
  json,
  only,
  post,
  sse,
  STREAM_BODY,
} from "../../support/in-workerd/calls.ts";
import { upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { between, seededRandom } from "../../support/rechunk.ts";
import { utf8 } from "../../support/in-workerd/values.ts";

const KEY = CANARIES.centralKey;
const OTHER_KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const SIGNING = "signing-secret-of-the-gateway-91f3";
const VARS = {
  PROVIDERS: { ...PROVIDERS, azure: { ...PROVIDERS.central, keys: ["AZURE_KEY"] } },
  AZURE_KEY: OTHER_KEY,
  OWNER_ASSERTION: { signature: "accept", signing_keys: ["SIGNING_KEY"] },
  SIGNING_KEY: SIGNING,
  RECORDING: { prompts: true, tool_inputs: true, thoughts: true, error_messages: true },
};
const FILES = "/central/v1/files/file-1";

const escaped = (text: string): string =>
  [...text].map((one) => `\\u00${one.charCodeAt(0).toString(16)}`).join("");
const utf16 = (text: string): Uint8Array =>
  new Uint8Array([...text].flatMap((one) => [one.charCodeAt(0), 0]));
const errorOf = (text: string): string =>
  `{"error":{"message":"Incorrect API key provided: ${text}","type":"invalid_request_error"}}`;

const openLeaking = (provider: (sent: Sent) => Response): Promise<Gateway> =>
  openGateway({ vars: VARS, provider, allowedContent: [CONTENT.prompt] });

/** The client got nothing of the secret, and the operator knows which one to replace. */
function checkWithheld(gateway: Gateway, got: { text: string; response: Response }, secret = "CENTRAL_KEY") {
  const all = got.text + JSON.stringify([...got.response.headers]) + got.response.statusText;
  expect(all.replaceAll("\0", "")).not.toMatch(/CANARY|0f1e2d3c|signing-secret|\\u00/);
  expect(gateway.operatorErrors).toMatchObject([{ event: "secret_leaked", secret }]);
}

const CHUNKED = { headers: { "content-type": "application/json" } };

describe("Finding H3: a secret in a response that succeeds", () => {
  it.each([
    ["the key", KEY, "CENTRAL_KEY"],
    ["its first 16 characters", KEY.slice(0, 16), "CENTRAL_KEY"],
    ["the key in escapes", escaped(KEY), "CENTRAL_KEY"],
    ["a key of another provider", OTHER_KEY, "AZURE_KEY"],
    ["a signing secret", SIGNING, "SIGNING_KEY"],
  ])("is withheld in a JSON body of known length: %s", async (_, text, secret) => {
    const gateway = await openLeaking(() => json(errorOf(text)));
    const got = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    expect(got.response.status).toBe(502);
    expect(got.response.headers.get("x-interceptor-error")).toBe("upstream_key_leaked");
    checkWithheld(gateway, got, secret);
    expect(only(got.events, "interception_end")).toMatchObject({
      outcome: "upstream_error",
      error: "upstream_key_leaked",
    });
    expect(JSON.stringify(got.events)).not.toMatch(/0f1e2d3c|signing-secret/);
  });

  it("is withheld in content too, not only in errors", async () => {
    const gateway = await openLeaking(() => json(`{"choices":[{"message":{"content":"it is ${KEY}"}}]}`));
    const got = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    checkWithheld(gateway, got);
    expect(got.response.status).toBe(502);
  });

  it("is withheld in UTF-16", async () => {
    const type = { "content-type": "application/json; charset=utf-16le" };
    const gateway = await openLeaking(() => json(utf16(errorOf(KEY)), { headers: type }));
    const got = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    checkWithheld(gateway, got);
    expect(got.response.status).toBe(502);
  });

  it.each(["utf-7", "cp037", "iso-2022-jp"])("is withheld where the charset %s hides it", async (charset) => {
    const type = { "content-type": `application/json; charset=${charset}` };
    const gateway = await openLeaking(() => json("{}", { headers: type }));
    const { response, text } = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    expect([response.status, text.includes("withheld")]).toEqual([502, true]);
  });

  it.each(["zstd", "deflate", "gzip, br"])(
    "is withheld where the coding %s hides it from the search, of a central key alone",
    async (coding) => {
      const gateway = await openLeaking(() => json("{}", { headers: { "content-encoding": coding } }));
      const central = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
      expect([central.response.status, central.text.includes("withheld")]).toEqual([502, true]);
      // Such a provider has no key of the gateway.
      const own = post(BODY, { authorization: "Bearer sk-own-key-of-the-caller-42" });
      expect((await gateway.exchange("/openai/v1/chat/completions", own)).response.status).toBe(200);
    },
  );

  it("is withheld from the caller of another provider, with a key of its own", async () => {
    const gateway = await openLeaking(() => json(errorOf(KEY)));
    const own = post(BODY, { authorization: "Bearer sk-own-key-of-the-caller-42" });
    const got = await gateway.exchange("/openai/v1/chat/completions", own);
    checkWithheld(gateway, got);
    expect(got.response.status).toBe(502);
  });

  it.each([200, 201, 400, 429])("is removed from the headers of a %i", async (status) => {
    const headers = { "x-echo-authorization": `Bearer ${KEY}`, "retry-after": "1" };
    const gateway = await openLeaking(() => json("{}", { status, headers }));
    const got = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    checkWithheld(gateway, got);
    expect(got.response.headers.has("x-echo-authorization")).toBe(false);
  });

  it("is removed from the reason phrase, and the response stays", async () => {
    const gateway = await openLeaking(() => json("{}", { statusText: `OK ${KEY}` }));
    const got = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    checkWithheld(gateway, got);
    expect([got.response.status, got.text]).toEqual([200, "{}"]);
  });

  it("is not recorded where the provider puts it into names and ids", async () => {
    const body = {
      id: OTHER_KEY,
      model: OTHER_KEY,
      choices: [{ finish_reason: OTHER_KEY }],
      error: { type: OTHER_KEY },
    };
    const gateway = await openLeaking(() =>
      json(JSON.stringify(body), { headers: { "x-request-id": OTHER_KEY } }),
    );
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    expect(JSON.stringify(events)).not.toContain(OTHER_KEY.slice(0, 16));
  });
});

const inPieces = (pieces: readonly (string | Uint8Array)[]): ReadableStream<Uint8Array> =>
  wholeBody(...pieces);

const event = (data: string): string => `event: error\ndata: ${data}\n\n`;

describe("the start of a stream with a secret", () => {
  const WAYS = [
    ["teed", BODY],
    ["coalesced", STREAM_BODY],
  ] as const;
  const half = 20;
  const STARTS: readonly (readonly [string, readonly (string | Uint8Array)[]])[] = [
    ["in one chunk", [event(errorOf(KEY))]],
    ["in escapes", [event(errorOf(escaped(KEY)))]],
    ["in two chunks", [`data: {"error":"${KEY.slice(0, half)}`, `${KEY.slice(half)}"}\n\n`]],
    ["in one chunk per character", [...event(errorOf(KEY))]],
    [
      "in two data lines",
      [`data: {"error":"${KEY.slice(0, 12)}\ndata: ${KEY.slice(12, 24)}\ndata: ${KEY.slice(24)}"}\n\n`],
    ],
    ["in two data lines with CRLF", [`data: "${KEY.slice(0, 12)}\r\ndata: ${KEY.slice(12, 24)}"\r\n\r\n`]],
    ["after comments", [": wait\n\n", ": wait\n\n", event(errorOf(KEY))]],
    ["in a comment", [`: ${KEY}\n\n`, event("{}")]],
    ["in the second event of a chunk", [`data: {}\n\n${event(errorOf(KEY))}`]],
    ["in UTF-16", [utf16(event(errorOf(KEY)))]],
    ["in JSON instead of events", [errorOf(KEY)]],
    ["in JSON in pieces", [...errorOf(KEY)]],
    ["in a line of JSON", [`${errorOf(KEY)}\n`]],
  ];

  describe.each(WAYS)("%s", (_, body) => {
    it.each(STARTS)("reaches no client: %s", async (_name, pieces) => {
      const gateway = await openLeaking(() => sse(inPieces(pieces)));
      const got = await gateway.exchange(CENTRAL_CHAT, post(body, CLIENT_KEY));
      expect(got.broken).toBe(true);
      checkWithheld(gateway, got);
      expect(only(got.events, "interception_end")).toMatchObject({
        outcome: "upstream_error",
        error: "upstream_key_leaked",
      });
    });
  });

  it("reaches no client as JSON of unknown length, however it is cut", async () => {
    const text = `  ${errorOf(KEY)}`;
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const random = seededRandom(seed);
      const pieces: string[] = [];
      for (let at = 0; at < text.length; at += pieces.at(-1)?.length ?? 1)
        pieces.push(text.slice(at, at + between(random, 1, 30)));
      const gateway = await openLeaking(() => new Response(inPieces(pieces), CHUNKED));
      const got = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
      expect([seed, got.broken]).toEqual([seed, true]);
      checkWithheld(gateway, got);
    }
  });
});

describe("a secret later in a stream", () => {
  const first = 'data: {"choices":[{"delta":{"content":"hello"}}]}\n\n';

  it("cuts the stream and marks the key", async () => {
    const body = upstreamBody();
    const gateway = await openLeaking(({ signal }) => sse(body.failOnAbort(signal).stream));
    const { response, settled } = await gateway.call(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    body.send(first);
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(first);
    body.send(`data: ${errorOf(KEY)}\n\n`);
    // The provider keeps the connection open: only the cut ends it.
    await expect(
      (async () => {
        for (;;) if ((await reader.read()).done) return;
      })(),
    ).rejects.toThrow(/./);
    await settled();
    expect(gateway.operatorErrors).toMatchObject([
      { event: "secret_leaked", provider: "central", secret: "CENTRAL_KEY", where: "stream" },
    ]);
    expect(only(gateway.events, "interception_end")).toMatchObject({ error: "upstream_key_leaked" });
    expect(JSON.stringify(gateway.events)).not.toContain(KEY.slice(0, 16));
  });

  it("reaches no client where each chunk is filtered", async () => {
    const gateway = await openLeaking(() => sse(inPieces([first, `data: ${errorOf(KEY)}\n\n`])));
    const got = await gateway.exchange(CENTRAL_CHAT, post(STREAM_BODY, CLIENT_KEY));
    expect(got.broken).toBe(true);
    checkWithheld(gateway, got);
  });
});

describe("a stream without a secret", () => {
  it("is unchanged, however it is cut", async () => {
    const events = ': hi é\n\nevent: a\ndata: {"a":"é"}\n\ndata: {"error":null}\n\ndata: [DONE]\n\n';
    const texts = [
      events,
      events.replaceAll("\n", "\r\n"),
      '{"id":"x",\n "a": "é"}',
      "[{},\n{}]",
      "\n\n {}",
      "plain é",
    ];
    const failed: string[] = [];
    await Promise.all(
      texts.map(async (text, at) => {
        const bytes = utf8(text);
        const random = seededRandom(at + 1);
        const pieces: Uint8Array[] = [];
        for (let from = 0; from < bytes.length; from += pieces.at(-1)?.length ?? 1)
          pieces.push(bytes.slice(from, from + between(random, 1, 6)));
        const gateway = await openLeaking(() => sse(inPieces(pieces)));
        const got = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
        if (got.text !== text || got.broken) failed.push(text);
      }),
    );
    expect(failed).toEqual([]);
  });

  it("passes a keep-alive before its first event", async () => {
    const body = upstreamBody();
    const gateway = await openLeaking(() => sse(body.stream));
    const { response, settled } = await gateway.call(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    body.send(": OPENROUTER PROCESSING\n\n");
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(": OPENROUTER PROCESSING\n\n");
    body.send("data: [DONE]\n\n");
    body.end();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("data: [DONE]\n\n");
    await reader.read();
    await settled();
  });
});

const result = (text: string): string =>
  `{"custom_id":"a","response":{"body":{"id":"${text}","usage":{"prompt_tokens":1,"completion_tokens":2}}}}\n`;

describe("a passthrough with a secret", () => {
  const get = { headers: CLIENT_KEY };

  it("is withheld if it is short", async () => {
    const gateway = await openLeaking(() => json(`{"file":"${KEY}"}`));
    const got = await gateway.exchange(FILES, get);
    expect(got.response.status).toBe(502);
    checkWithheld(gateway, got);
    expect(only(got.events, "passthrough")).toMatchObject({ error: "upstream_key_leaked", status: 502 });
  });

  it.each([
    ["a file", { "content-type": "text/plain" }, [`the key ${KEY}`, "and more"]],
    ["JSON in pieces", { "content-type": "application/json" }, [...errorOf(KEY)]],
  ])("is withheld if it is in the start of a longer one: %s", async (_, headers, pieces) => {
    const gateway = await openLeaking(() => new Response(inPieces(pieces), { headers }));
    const got = await gateway.exchange(FILES, get);
    expect(got.response.status).toBe(502);
    checkWithheld(gateway, got);
  });

  it("is unchanged without one", async () => {
    for (const length of [0, 1, 1000, 300_000]) {
      const bytes = utf8("x".repeat(length));
      const gateway = await openLeaking(
        () =>
          new Response(inPieces(length === 0 ? [] : [bytes]), {
            headers: { "content-length": String(length) },
          }),
      );
      const got = await gateway.exchange(FILES, get);
      expect([got.text.slice(0, 200).replaceAll("x", ""), got.bytes.length, got.broken]).toEqual([
        "",
        length,
        false,
      ]);
    }
  });

  it("is withheld in a retrieved response", async () => {
    const gateway = await openLeaking(() => json(`{"id":"resp_1","status":"completed","x":"${KEY}"}`));
    const got = await gateway.exchange("/central/v1/responses/resp_1", get);
    expect(got.response.status).toBe(502);
    checkWithheld(gateway, got);
    expect(only(got.events, "passthrough")).toMatchObject({ error: "upstream_key_leaked", status: 502 });
    expect(gateway.operatorErrors).toMatchObject([{ where: "body" }]);
  });

  // The attack: the results of a batch are cut where a later one has the key. The record must not say that all is well.
  it("cuts the results of a batch, and the record says so", async () => {
    const body = upstreamBody();
    const gateway = await openLeaking(({ signal }) => new Response(body.failOnAbort(signal).stream));
    const { response, settled } = await gateway.call("/central/v1/files/file-1/content", get);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    body.send(result("r"));
    expect(new TextDecoder().decode((await reader.read()).value)).toBe(result("r"));
    body.send(result(KEY));
    await expect(
      (async () => {
        for (;;) if ((await reader.read()).done) return;
      })(),
    ).rejects.toThrow(/./);
    await settled();
    expect(gateway.operatorErrors).toMatchObject([{ secret: "CENTRAL_KEY", where: "stream" }]);
    expect(only(gateway.events, "passthrough")).toMatchObject({
      outcome: "upstream_error",
      error: "upstream_key_leaked",
      status: 200,
    });
  });
});

describe("what a caller writes", () => {
  it("is recorded without the configured secrets", async () => {
    const gateway = await openLeaking(() => json('{"choices":[]}'));
    const prompt = `use ${OTHER_KEY} and ${escaped(SIGNING)}`;
    const { events } = await gateway.exchange(
      CENTRAL_CHAT,
      post(JSON.stringify({ model: OTHER_KEY, messages: [{ role: "user", content: prompt }] }), {
        ...CLIENT_KEY,
        "user-agent": `x/${OTHER_KEY}`,
      }),
    );
    expect(only(events, "prompt_usage").prompt).toBe("use [redacted:configured] and [redacted:configured]");
    expect(JSON.stringify(events)).not.toMatch(/0f1e2d3c|signing-secret/);
  });
});
