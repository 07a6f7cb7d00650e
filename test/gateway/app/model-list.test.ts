/** Lists of models: with an allow-list, the caller sees only the models that it may use. */
import { describe, expect, it } from "vitest";
import { ROUTE_PREFIXES } from "../../../src/shared/http/target.ts";
import { json, only, OWN_KEY, typesOf } from "../../support/in-workerd/calls.ts";
import {
  openGateway,
  PROVIDERS,
  type Gateway,
  type Provider,
} from "../../support/in-workerd/gateway-harness.ts";

const REFUSED_TYPES = ["passthrough_start", "passthrough", "refusal"];

const MODELS = ["gpt-4o", "claude-opus-4-6", "ft:gpt-4o:org::id"];

const openWith = (provider: Provider, options: object = {}): Promise<Gateway> =>
  openGateway({
    vars: {
      PROVIDERS: {
        openai: { ...PROVIDERS.openai, models: MODELS, ...options },
        anthropic: { ...PROVIDERS.anthropic, models: MODELS, ...options },
      },
    },
    provider,
  });

const get = (method = "GET"): RequestInit => ({ method, headers: OWN_KEY });

const OPENAI_LIST = `{
  "object": "list", "9": 1,
  "data": [
    {"id": "gpt-4o", "object": "model", "created": 12345678901234567890, "x": {"id": "secret-model"}},
    {"id": "secret-model", "object": "model"},
    {"object": "model", "id": "ft:gpt-4o:org::id", "note": "\\u00e9 ]},{ \\" \\\\"},
    {"no": "id"}, 7, null, ["gpt-4o"], {"id": 5}
  ],
  "1": "kept", "total": 1e400
}`;
const OPENAI_KEPT = `{
  "object": "list", "9": 1,
  "data": [{"id": "gpt-4o", "object": "model", "created": 12345678901234567890, "x": {"id": "secret-model"}},{"object": "model", "id": "ft:gpt-4o:org::id", "note": "\\u00e9 ]},{ \\" \\\\"}],
  "1": "kept", "total": 1e400
}`;
const anthropicList = (ids: readonly string[], first: string | null, last: string | null): string =>
  JSON.stringify({
    data: ids.map((id) => ({ type: "model", id, display_name: id })),
    has_more: true,
    first_id: first,
    last_id: last,
  });

describe("a list of models", () => {
  it.each<[string, string, string]>([
    ["OpenAI's", OPENAI_LIST, OPENAI_KEPT],
    ["a list of nothing", `{"data":[]}`, `{"data":[]}`],
    [
      "Anthropic's",
      anthropicList(["secret-1", "claude-opus-4-6", "gpt-4o", "secret-2"], "secret-1", "secret-2"),
      anthropicList(["claude-opus-4-6", "gpt-4o"], "claude-opus-4-6", "gpt-4o"),
    ],
    [
      "a page without an allowed model",
      anthropicList(["secret-1"], "secret-1", "secret-1"),
      anthropicList([], null, null),
    ],
    ["Codex's", `{"models":[{"slug":"gpt-4o"},{"slug":"secret"}]}`, `{"models":[{"slug":"gpt-4o"}]}`],
    [
      "one in two forms",
      `{"models":[{"name":"secret"},{"name":"gpt-4o"}],"data":[{"id":"secret"},{"id":"gpt-4o"}]}`,
      `{"models":[{"name":"gpt-4o"}],"data":[{"id":"gpt-4o"}]}`,
    ],
    ["an array", ` [ {"id":"secret"} , {"id":"gpt-4o"} ] `, `[{"id":"gpt-4o"}]`],
    // The attack: a reader of JSON that takes the first of two lists, or the last.
    [
      "two of one name",
      `{"data":[{"id":"secret"}],"d\\u0061ta":[{"id":"gpt-4o"}],"data":[{"id":"secret"},{"id":"gpt-4o"}]}`,
      `{"data":[],"d\\u0061ta":[{"id":"gpt-4o"}],"data":[{"id":"gpt-4o"}]}`,
    ],
    [
      "names in other spellings",
      `{"data":[{"id":"GPT-4o"},{"id":"gpt-4o "},{"id":"\\u0067pt-4o"}]}`,
      `{"data":[{"id":"\\u0067pt-4o"}]}`,
    ],
  ])("has only the allowed ones: %s", async (_, list, kept) => {
    for (const path of [
      "/openai/v1/models",
      "/anthropic/v1/models?limit=1000",
      "/openai/models/",
      "/v1/models",
    ]) {
      const gateway = await openWith(() =>
        json(list, { headers: { etag: '"all"', "x-request-id": "req_1" } }),
      );
      const { response, text, events } = await gateway.exchange(path, get());
      expect([response.status, text]).toEqual([200, kept]);
      expect(response.headers.get("content-length")).toBe(String(new TextEncoder().encode(kept).length));
      expect([response.headers.get("etag"), response.headers.get("x-request-id")]).toEqual([null, "req_1"]);
      expect(only(events, "passthrough").status).toBe(200);
    }
  });

  it.each<[string, () => Response]>([
    ["not JSON", () => new Response("gpt-4o\nsecret-model", { headers: { "content-type": "text/plain" } })],
    ["an incomplete list", () => json(`{"data":[{"id":"secret-model"}`)],
    ["of another form", () => json(`{"result":{"data":[{"id":"secret-model"}]}}`)],
    ["of another form still", () => json(`{"data":{"secret-model":{}}}`)],
    ["a text", () => json(`"secret-model"`)],
    ["blank", () => json(" ")],
    ["not UTF-8", () => json(new Uint8Array([0x7b, 0xff, 0x7d]))],
    ["in an unknown encoding", () => json(OPENAI_LIST, { headers: { "content-encoding": "zstd" } })],
    ["too long", () => json(`{"data":[${`{"id":"secret-model"},`.repeat(120_000)}{"id":"gpt-4o"}]}`)],
    ["too long, of unknown length", () => new Response(" ".repeat(2 * 1024 * 1024 + 1))],
  ])("is refused where it cannot be filtered: %s", async (_, provider) => {
    const { response, text, events } = await (await openWith(provider)).exchange("/openai/v1/models", get());
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
      502,
      "models_not_filtered",
    ]);
    expect(response.headers.get("x-should-retry")).toBe("false");
    expect([text.includes("secret-model"), typesOf(events)]).toEqual([false, REFUSED_TYPES]);
    expect(only(events, "passthrough")).toMatchObject({ outcome: "upstream_error", status: response.status });
  });

  it("passes the provider's error on, byte for byte", async () => {
    for (const body of ['{"error":{"message":"secret-model"}}', "<html>", "[1"]) {
      const gateway = await openWith(() => json(body, { status: 401 }));
      const { response, text } = await gateway.exchange("/openai/v1/models", get());
      expect([response.status, text]).toEqual([401, body]);
    }
  });

  it("is filtered in an error too", async () => {
    const gateway = await openWith(() => json(OPENAI_LIST, { status: 400 }));
    expect((await gateway.exchange("/openai/v1/models", get())).text).toBe(OPENAI_KEPT);
  });

  it("says nothing of its length to HEAD", async () => {
    const gateway = await openWith(
      () => new Response(null, { headers: { "content-length": "5000", etag: '"x"' } }),
    );
    const { response } = await gateway.exchange("/openai/v1/models", get("HEAD"));
    expect([response.status, response.headers.get("etag")]).toEqual([200, null]);
    expect(response.headers.get("content-length")).not.toBe("5000");
  });

  it.each([
    ["there is no allow-list", { models: undefined }],
    ["filter_models is false", { filter_models: false }],
  ])("passes byte for byte where %s", async (_, options) => {
    const gateway = await openWith(() => json(OPENAI_LIST, { headers: { etag: '"all"' } }), options);
    const { response, text } = await gateway.exchange("/openai/v1/models", get());
    expect([text, response.headers.get("etag")]).toEqual([OPENAI_LIST, '"all"']);
    expect((await gateway.exchange("/openai/v1/models/secret-model", get())).response.status).toBe(200);
  });

  it("is empty where no model is allowed", async () => {
    const gateway = await openWith(() => json(OPENAI_LIST), { models: [] });
    expect(JSON.parse((await gateway.exchange("/openai/v1/models", get())).text)).toMatchObject({ data: [] });
  });
});

describe("one model", () => {
  it.each(["", ...ROUTE_PREFIXES])("is passed on where it is allowed, under %j", async (prefix) => {
    const gateway = await openWith(() => json(`{"id":"gpt-4o"}`));
    for (const path of [
      "/openai/v1/models/gpt-4o",
      "/openai/v1/models/ft:gpt-4o:org::id",
      "/openai/v1/models/ft%3Agpt-4o%3aorg::id",
      "/anthropic/v1/models/claude-opus-4-6",
    ])
      expect((await gateway.exchange(prefix + path, get())).text).toBe(`{"id":"gpt-4o"}`);
  });

  it.each(["GET", "HEAD", "DELETE"])(
    "is a 404 in the dialect's form to %s where it is not",
    async (method) => {
      const gateway = await openWith(() => json("{}"));
      for (const path of [
        "/openai/v1/models/secret-model",
        "/openai/models/secret-model/",
        "/openai/v1/models/gpt-4o/x",
        "/openai/v1/models/GPT-4o",
        "/anthropic/v1/v1/models/secret-model",
      ]) {
        const { response, events } = await gateway.exchange(path, get(method));
        expect([path, response.status, response.headers.get("x-interceptor-error")]).toEqual([
          path,
          404,
          "model_not_found",
        ]);
        expect(typesOf(events)).toEqual(REFUSED_TYPES);
        expect(only(events, "passthrough")).toMatchObject({ outcome: "refused", error: "model_not_found" });
      }
      expect(gateway.sent).toEqual([]);
    },
  );

  // The attack: at some servers such a path runs a model (Google's API and LiteLLM, Replicate, Hugging Face). It was forwarded
  // as a management request: no interception, no usage, and without `filter_models` no model list.
  it.each(["POST", "PUT", "PATCH"])("takes no %s, which could run the model", async (method) => {
    const gateway = await openWith(() => json("{}"), { filter_models: false });
    for (const path of [
      "/openai/v1/models/gpt-4o:generateContent",
      "/openai/v1/models/acme/gpt-4o/predictions",
      "/openai/models/gpt-4o/",
      "/anthropic/v1/models/gpt-4o",
    ]) {
      const body = '{"contents":[]}';
      const { response, events } = await gateway.exchange(path, { method, headers: OWN_KEY, body });
      expect([path, response.status, response.headers.get("allow")]).toEqual([
        path,
        405,
        "GET, HEAD, DELETE",
      ]);
      expect(typesOf(events)).toEqual(["refusal"]);
    }
    expect(gateway.sent).toEqual([]);
  });
});
