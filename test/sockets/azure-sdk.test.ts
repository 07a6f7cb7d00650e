/**
 * The client `AzureOpenAI` of OpenAI's SDK through the interceptor, against the emulated provider: what works without the
 * interceptor works with it, the bytes are the same, and the record has the deployment, the model and the usage.
 */
import OpenAI, { AzureOpenAI } from "openai";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { startEmulator, type SeenRequest } from "../../tools/emulator/server.ts";
import { until } from "../support/deadline.ts";
import {
  CENTRAL_KEY,
  CLIENT_KEY,
  interceptorOptions,
  OWN_KEY,
  PROMPT,
  startCheckedInterceptor,
  uniqueModel,
} from "./exchange.ts";

const forwarded: SeenRequest[] = [];
let disconnects = 0;
const emulator = await startEmulator({
  port: 0,
  eventMs: 0,
  slowMs: 1000,
  onRequest: (request) => void forwarded.push(request),
  onDisconnect: () => void (disconnects += 1),
});
afterAll(() => emulator.close());
beforeEach(() => {
  forwarded.length = 0;
  disconnects = 0;
});

const ENTRA_SECRET = "entra~canary.client-secret-8c7b6a5d";
const azure = { type: "azure", base_url: `${emulator.url}/openai` };
const entra = (client_secret: string) => ({
  tenant_id: "contoso.onmicrosoft.com",
  client_id: "0b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b",
  client_secret,
  authority: emulator.url,
});
const options = interceptorOptions(
  emulator.url,
  {},
  {
    azure,
    "azure-central": { ...azure, keys: ["CENTRAL_KEY"] },
    "azure-entra": { ...azure, entra: entra("ENTRA_SECRET") },
    "azure-wrong-entra": { ...azure, entra: entra("WRONG_SECRET") },
  },
);
const interceptor = await startCheckedInterceptor({
  ...options,
  secrets: { ...options.secrets, ENTRA_SECRET, WRONG_SECRET: "wrong-client-secret" },
});

/** The bytes of each response, in order. */
type Client = { readonly sdk: AzureOpenAI; readonly bodies: Promise<string>[] };

function clientOf(base: string, apiKey = OWN_KEY): Client {
  const bodies: Promise<string>[] = [];
  const sdk = new AzureOpenAI({
    baseURL: `${base}/openai`,
    apiKey,
    apiVersion: "2024-10-21",
    maxRetries: 0,
    logLevel: "off",
    fetch: async (...call) => {
      const response = await fetch(...call);
      bodies.push(
        response
          .clone()
          .text()
          .catch(() => "aborted"),
      );
      return response;
    },
  });
  return { sdk, bodies };
}
const through = (provider: string, key = OWN_KEY): Client => clientOf(`${interceptor.url}/${provider}`, key);

const include = { stream_options: { include_usage: true } };
const tools = ["get_weather", "get_time"].map((name) => ({
  type: "function" as const,
  function: { name, parameters: { type: "object", properties: { place: { type: "string" } } } },
}));

/** A turn of an agent, streamed: the model calls two tools, gets their results, and responds. */
async function runTurn({ sdk }: Client, model: string): Promise<readonly string[]> {
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: "user", content: `${PROMPT} Call get_weather and get_time.` },
  ];
  const reasons: string[] = [];
  for (let step = 0; step < 3; step += 1) {
    const completion = await sdk.chat.completions
      .stream({ model, messages, tools, ...include })
      .finalChatCompletion();
    const [choice] = completion.choices;
    if (!choice) throw new Error("no choice");
    reasons.push(choice.finish_reason);
    const calls = choice.message.tool_calls ?? [];
    messages.push(choice.message);
    if (calls.length === 0) break;
    for (const { id } of calls) messages.push({ role: "tool", tool_call_id: id, content: "done" });
  }
  return reasons;
}

/** Ids and times differ between two responses of the emulator. */
const stable = (body: string): string =>
  body.replaceAll(/"(?:chatcmpl-|call_)[^"]+"/g, '"id"').replaceAll(/"created":\d+/g, '"created":0');

describe("the AzureOpenAI client gets the same as without the interceptor", () => {
  it("in a turn of several steps with tool calls: the same bytes, and the usage of each step is recorded", async () => {
    const model = uniqueModel();
    const [intercepted, direct] = [through("azure"), clientOf(emulator.url)];
    const reasons = await runTurn(intercepted, model);
    expect(reasons).toEqual(["tool_calls", "stop"]);
    expect(await runTurn(direct, model)).toEqual(reasons);
    const received = await Promise.all(intercepted.bodies);
    expect(received.map(stable)).toEqual((await Promise.all(direct.bodies)).map(stable));
    expect(received[0]).toContain('"prompt_filter_results"');

    const path = `/openai/deployments/${model}/chat/completions?api-version=2024-10-21`;
    expect(forwarded.map((request) => [request.path, request.headers["api-key"]])).toEqual(
      Array.from({ length: 4 }, () => [path, OWN_KEY]),
    );
    // The ids of tool calls are those of the responses.
    const sent = forwarded.map(({ body }) => stable(body));
    expect(sent.slice(0, 2)).toEqual(sent.slice(2));

    const events = await interceptor.waitForEvents(
      (all) => all.filter(({ record_type: type }) => type === "interception_end").length === 2,
    );
    const ends = events.filter((event) => event.record_type === "interception_end");
    for (const end of ends)
      expect(end).toMatchObject({
        provider_type: "azure",
        route: "/deployments/{deployment}/chat/completions",
        model,
        response_model: "gpt-5.1-2025-11-13",
        outcome: "completed",
        usage: "final",
        cost_source: "computed",
      });
    expect(ends.map(({ tool_call_count: count }) => count)).toEqual([2, 0]);
  });

  it("where the client did not request usage: it is recorded, and the client's chunks differ only by a usage of null", async () => {
    const model = uniqueModel();
    const messages = [{ role: "user" as const, content: PROMPT }];
    const clients = [through("azure"), clientOf(emulator.url)];
    for (const { sdk } of clients)
      for await (const _ of await sdk.chat.completions.create({ model, messages, stream: true }));
    const [received, expected] = await Promise.all(
      clients.map(async ({ bodies }) => (await Promise.all(bodies)).map(stable)),
    );
    expect(withoutNull(received)).toEqual(withoutNull(expected));
    expect((await interceptor.recorded(model)).end).toMatchObject({ usage: "final", usage_opt_in: "added" });
  });

  it.each([
    ["a rate limit", "fault-429", 429, OpenAI.RateLimitError, "rate_limit_exceeded"],
    ["a filtered prompt", "quirk-azure-filtered-prompt", 400, OpenAI.BadRequestError, "content_filter"],
    ["a wrong key", "quirk-azure-wrong-key", 401, OpenAI.AuthenticationError, "401"],
  ])("in an error: %s", async (_, model, status, type, code) => {
    const messages = [{ role: "user" as const, content: PROMPT }];
    const [intercepted, direct] = [through("azure"), clientOf(emulator.url)];
    const errors = await Promise.all(
      [intercepted, direct].map(({ sdk }) =>
        sdk.chat.completions.create({ model, messages }).catch((error: unknown) => error),
      ),
    );
    for (const error of errors) {
      expect(error).toBeInstanceOf(type);
      expect(error).toMatchObject({ status, code });
    }
    expect(await intercepted.bodies[0]).toBe(await direct.bodies[0]);
    expect((await interceptor.recorded(model)).end).toMatchObject({ outcome: "upstream_error", status });
  });

  it("in an abort: the provider's connection closes at once, and the call is recorded as cancelled", async () => {
    const { sdk } = through("azure");
    const messages = [{ role: "user" as const, content: PROMPT }];
    const stream = await sdk.chat.completions.create({ model: "fault-slow", messages, stream: true });
    for await (const _ of stream) break;
    await until(
      () => disconnects > 0 || undefined,
      () => "the provider's connection is open",
    );
    const { end } = await interceptor.recorded("fault-slow");
    expect(end).toMatchObject({ outcome: "cancelled", model: "fault-slow" });
  });

  it("on its other paths: responses, embeddings and models", async () => {
    const model = uniqueModel();
    const { sdk } = through("azure");
    const response = await sdk.responses.create({ model, input: PROMPT });
    expect(response.model).toBe("gpt-5.1-2025-11-13");
    const embedded = await sdk.embeddings.create({ model, input: PROMPT });
    expect(embedded.data.map(({ embedding }) => embedding.length)).toEqual([8]);
    expect((await sdk.models.list()).data.map(({ object }) => object)).toContain("model");
    expect(forwarded.map(({ path }) => path.split("?")[0])).toEqual([
      "/openai/responses",
      `/openai/deployments/${model}/embeddings`,
      "/openai/models",
    ]);
  });

  it("as the plain client does under /openai/v1", async () => {
    const model = uniqueModel();
    const sdk = new OpenAI({ baseURL: `${interceptor.url}/azure/openai/v1`, apiKey: OWN_KEY, maxRetries: 0 });
    const messages = [{ role: "user" as const, content: PROMPT }];
    expect((await sdk.chat.completions.create({ model, messages })).model).toBe("gpt-5.1-2025-11-13");
    expect(forwarded.map(({ path, headers }) => [path, headers.authorization])).toEqual([
      ["/openai/v1/chat/completions", `Bearer ${OWN_KEY}`],
    ]);
    expect((await interceptor.recorded(model)).start).toMatchObject({ model, route: "/v1/chat/completions" });
  });
});

/** The usage opt-in adds `"usage":null` to each chunk. */
const withoutNull = (bodies: readonly string[] | undefined): readonly string[] | undefined =>
  bodies?.map((body) => body.replaceAll(',"usage":null', ""));

describe("central credentials for Azure", () => {
  const messages = [{ role: "user" as const, content: PROMPT }];

  it("are a key in api-key, in place of the client's", async () => {
    const model = uniqueModel();
    await through("azure-central", CLIENT_KEY).sdk.chat.completions.create({ model, messages });
    expect(forwarded.map(({ headers }) => [headers["api-key"], headers.authorization])).toEqual([
      [CENTRAL_KEY, undefined],
    ]);
    expect((await interceptor.recorded(model)).start).toMatchObject({
      actor_id: "tester",
      credential_kind: "centralized",
    });
  });

  it("are a token of Entra ID, fetched once for calls at the same time", async () => {
    const { sdk } = through("azure-entra", CLIENT_KEY);
    const models = [uniqueModel(), uniqueModel(), uniqueModel()];
    await Promise.all(models.map((model) => sdk.chat.completions.create({ model, messages })));
    const [login, ...calls] = forwarded;
    expect([login?.path, Object.fromEntries(new URLSearchParams(login?.body))]).toEqual([
      "/contoso.onmicrosoft.com/oauth2/v2.0/token",
      {
        grant_type: "client_credentials",
        client_id: "0b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b",
        client_secret: ENTRA_SECRET,
        scope: "https://ai.azure.com/.default",
      },
    ]);
    const tokens = new Set(calls.map(({ headers }) => headers.authorization));
    expect([calls.length, tokens.size, [...tokens][0]]).toEqual([
      3,
      1,
      expect.stringContaining(" emulated-entra-token."),
    ]);
    expect(calls.map(({ headers }) => headers["api-key"])).toEqual([undefined, undefined, undefined]);
    expect((await interceptor.recorded(models[0] ?? "")).start).toMatchObject({
      credential_kind: "centralized",
      credential_hint: "0b1c...4a5b",
    });
  });

  it("are missing where Entra ID rejects the client's secret: 503, and the log says why", async () => {
    interceptor.expectLine(/"event":"provider_token_failed"/);
    const model = uniqueModel();
    const error: unknown = await through("azure-wrong-entra", CLIENT_KEY)
      .sdk.chat.completions.create({ model, messages })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    expect(error).toMatchObject({ status: 503, code: "upstream_token_unavailable" });
    expect(forwarded.map(({ path }) => path)).toEqual(["/contoso.onmicrosoft.com/oauth2/v2.0/token"]);
    expect((await interceptor.recorded(model)).end).toMatchObject({ error: "upstream_token_unavailable" });
  });
});
