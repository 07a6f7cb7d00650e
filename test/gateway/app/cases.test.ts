/**
 * The cases of docs/test-catalogue.md about real providers: what they send, and what is recorded of it. The provider's
 * responses are those of the emulator's quirks. The requests are in request-cases.test.ts.
 */
import { describe, expect, it } from "vitest";
import { QUIRKS } from "../../../tools/emulator/quirks.ts";
import { only, post } from "../../support/in-workerd/calls.ts";
import { openGateway, type Exchange, type Sent } from "../../support/in-workerd/gateway-harness.ts";
import { wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { text, utf8 } from "../../support/in-workerd/values.ts";
import { QUIRK_CASES } from "../../support/quirk-cases.ts";

type QuirkName = keyof typeof QUIRKS;
type Replay = Exchange & { readonly sent: readonly Sent[]; readonly provided: string; readonly body: string };

/** A streaming request to the quirk's endpoint, as a client without the usage opt-in sends it. */
async function replay(name: QuirkName): Promise<Replay> {
  const { path, respond } = QUIRKS[name];
  let provided = "";
  const gateway = await openGateway({
    provider: ({ body }) => {
      const hasUsageOption = text(body).includes("stream_options");
      const { status, contentType, body: bytes } = respond({ stream: true, hasUsageOption });
      provided = String(bytes);
      const headers = new Headers(contentType === null ? {} : { "content-type": contentType });
      const response = new Response(wholeBody(bytes), { status, headers });
      if (contentType === null) response.headers.delete("content-type");
      return response;
    },
  });
  const conversation =
    path === "/v1/responses" ? { input: "Hi" } : { messages: [{ role: "user", content: "Hi" }] };
  const body = JSON.stringify({ model: name, max_tokens: 9, stream: true, ...conversation });
  const mount = path === "/v1/messages" ? "/anthropic" : "/openai";
  return { ...(await gateway.exchange(mount + path, post(body))), sent: gateway.sent, provided, body };
}

const OF_USAGE_EVENT = new Set(["id", "object", "created", "model", "choices", "usage"]);

/** Whether the event is only the usage that the gateway requested. */
function isRequestedUsage(event: string): boolean {
  if (!event.startsWith("data: {")) return false;
  const value = JSON.parse(event.slice("data: ".length)) as Readonly<Record<string, unknown>>;
  const isEmpty = Array.isArray(value["choices"]) && value["choices"].length === 0;
  return isEmpty && "usage" in value && Object.keys(value).every((key) => OF_USAGE_EVENT.has(key));
}

/** The client gets the provider's bytes without the usage that it did not request. */
const forClient = (provided: string): string =>
  provided
    .split(/(?<=\n\n)/)
    .filter((event) => !isRequestedUsage(event.trimEnd()))
    .join("");

/** The bytes that the client and the provider got. */
const facts = ({ response, text: received, sent }: Replay): object => ({
  status: response.status,
  received,
  first: JSON.parse(text(sent[0]?.body ?? new Uint8Array())) as unknown,
});

function expectedFacts(name: QuirkName, replayed: Replay | undefined): object {
  if (!replayed) throw new Error(`${name} was not replayed`);
  const { provided, sent, body } = replayed;
  const optIn = QUIRKS[name].path === "/v1/chat/completions" && { stream_options: { include_usage: true } };
  return {
    status: QUIRKS[name].respond({ stream: true, hasUsageOption: false }).status,
    // A usage event that the gateway did not request is the client's.
    received: sent.length === 1 ? forClient(provided) : provided,
    first: { ...(JSON.parse(body) as object), ...optIn },
  };
}

const ROWS: readonly (readonly [title: string, names: readonly QuirkName[]])[] = [
  ["Case A1 a stream of Codex's backend without Content-Type", ["quirk-no-content-type"]],
  [
    "Case A2 a stream labelled as text or bytes",
    ["quirk-text-plain", "quirk-chat-octet-stream", "quirk-messages-text-plain"],
  ],
  ["Case A3 a stream labelled as JSON", ["quirk-labelled-json"]],
  ["Case B1 cache writes of the Chat Completions API", ["quirk-cache-write", "quirk-cache-creation"]],
  ["Case B2 DeepSeek's cache hits and misses", ["quirk-cache-hit-miss"]],
  ["Case B3 more cached tokens than the prompt has", ["quirk-cached-over-prompt"]],
  ["Case B4 xAI's reasoning beside the completion", ["quirk-reasoning-beside"]],
  ["Case B5 Gemini's thoughts only in the total", ["quirk-thoughts-in-total"]],
  ["Case B6 Moonshot's usage in a choice", ["quirk-usage-in-choice", "quirk-usage-in-x-groq"]],
  ["Case B7 a compaction by Anthropic's server", ["quirk-compaction"]],
  ["Case B8 a fallback model of Anthropic's server", ["quirk-fallback-model"]],
  ["Case F3 a provider that rejects stream_options", ["quirk-rejects-usage-option"]],
  ["Case F4 the last chunk of llama.cpp, with timings", ["quirk-timings"]],
  ["Case H1 an error object of vLLM", ["quirk-error-object"]],
  ["Case H2 a finish reason or a choice that is an error", ["quirk-finish-error", "quirk-choice-error"]],
  ["Case H3 an error without a type in a Messages stream", ["quirk-untyped-error"]],
  [
    "Case H4 an error in a shape of other providers",
    [
      "quirk-error-list",
      "quirk-error-numeric",
      "quirk-error-none",
      "quirk-error-top-level",
      "quirk-error-detail",
    ],
  ],
  ["Case H5 a stream without [DONE]", ["quirk-no-done"]],
  ["Case H6 [DONE] with a blank", ["quirk-done-blank"]],
];

describe("the record of a provider's response", () => {
  it.each(ROWS)("%s", async (_, names) => {
    const replays = await Promise.all(names.map(replay));
    expect(replays.map(facts)).toEqual(names.map((name, at) => expectedFacts(name, replays[at])));
    expect(replays.map(({ events }) => only(events, "interception_end"))).toMatchObject(
      names.map((name) => QUIRK_CASES[name]),
    );
  });

  it("Case B3 has the mark of a contradiction in its named extras", async () => {
    const { events } = await replay("quirk-cached-over-prompt");
    expect(only(events, "token_usage").metadata).toMatchObject({ cached_exceeds_prompt: 1 });
  });

  it("Case B5 keeps the total that the provider states", async () => {
    const { events } = await replay("quirk-thoughts-in-total");
    expect(only(events, "token_usage")).toMatchObject({ usage: "partial", metadata: { total_tokens: 623 } });
  });

  it("Case B7 keeps the figures of each run", async () => {
    const usage = only((await replay("quirk-compaction")).events, "token_usage");
    expect(usage.metadata).toMatchObject({ iterations_input: 180_000, iterations_output: 3500 });
    expect(JSON.parse(usage.raw_usage ?? "")).toHaveProperty("iterations", [
      { type: "compaction", input_tokens: 180_000, output_tokens: 3500 },
      { type: "message", input_tokens: 23_000, output_tokens: 1000 },
    ]);
  });

  it("Case F3 is requested twice, the second time as the client sent it", async () => {
    const { sent, body, events } = await replay("quirk-rejects-usage-option");
    expect(sent.map((one) => text(one.body)).at(1)).toBe(body);
    expect([sent.length, only(events, "interception_end").usage_opt_in]).toEqual([2, "rejected"]);
  });

  it("Case F4 keeps the chunk that has more than the requested usage", async () => {
    expect((await replay("quirk-timings")).text).toContain('"timings"');
  });
});

type Compress = (bytes: Uint8Array) => Uint8Array<ArrayBuffer>;
const zlib = (await import("node:zlib")) as unknown as Record<"zstdCompressSync" | "gzipSync", Compress>;

describe("a compressed request", () => {
  it.each([
    ["zstd", "zstdCompressSync"],
    ["gzip", "gzipSync"],
  ] as const)("Case F1 is checked and forwarded decoded: %s", async (encoding, compress) => {
    const input = JSON.stringify({ model: "m", input: "Hi", stream: false });
    const gateway = await openGateway({
      provider: () =>
        new Response(wholeBody('{"id":"r","status":"completed"}'), {
          headers: { "content-type": "application/json" },
        }),
    });
    const { events, response } = await gateway.exchange(
      "/openai/v1/responses",
      post(zlib[compress](utf8(input)), { authorization: "Bearer sk-own", "content-encoding": encoding }),
    );
    expect(response.status).toBe(200);
    expect(only(events, "interception_start").model).toBe("m");
    expect(gateway.sent.map(({ body, headers }) => [text(body), headers.get("content-encoding")])).toEqual([
      [input, null],
    ]);
  });
});
