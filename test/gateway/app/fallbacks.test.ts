/** Fallbacks, model ids, circuit breakers and caps: which provider gets the call, what the client gets, and what is recorded. */
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import {
  BODY,
  brokenStream,
  chatResponse,
  CLIENT_KEY,
  json,
  only,
  OWN_KEY,
  post,
  sse,
  STREAM_BODY,
} from "../../support/in-workerd/calls.ts";
import { openGateway, PROVIDERS, type Sent, type Setup } from "../../support/in-workerd/gateway-harness.ts";
import { text, utf8 } from "../../support/in-workerd/values.ts";

type Step = (sent: Sent) => Response | Promise<Response>;
type Steps = Readonly<Record<string, readonly Step[]>>;

const status =
  (code: number, headers: Record<string, string> = {}): Step =>
  () =>
    json(`{"error":{"message":"status ${code}"}}`, { status: code, headers });
const lost: Step = () => {
  throw new TypeError("Network connection lost.");
};

const silent: Step = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));

const MAIN_CHAT = "/main/v1/chat/completions";
const provider = (name: string, settings: Record<string, unknown> = {}) => ({
  type: "openai",
  base_url: `https://${name}.example/v1`,
  keys: [`${name.toUpperCase()}_KEY`],
  ...settings,
});

type Opened = { readonly main?: Record<string, unknown>; readonly backup?: Record<string, unknown> };

/** A gateway whose providers `main`, `backup` and `third` respond by their steps in turn, and then always well. */
async function open(
  steps: Steps,
  { main = { fallbacks: ["backup", "third"] }, backup = {} }: Opened = {},
  vars: Setup["vars"] = {},
) {
  const at: Record<string, number> = {};
  return openGateway({
    provider: (sent) => {
      const name = new URL(sent.url).hostname.split(".")[0] ?? "";
      at[name] = (at[name] ?? 0) + 1;
      return steps[name]?.[at[name] - 1]?.(sent) ?? chatResponse();
    },
    vars: {
      PROVIDERS: {
        ...PROVIDERS,
        main: provider("main", main),
        backup: provider("backup", backup),
        third: provider("third"),
      },
      MAIN_KEY: "sk-main-0123456789abcdef",
      BACKUP_KEY: "sk-back-0123456789abcdef",
      THIRD_KEY: "sk-thrd-0123456789abcdef",
      ...vars,
    },
  });
}

const call = (init: RequestInit = post(BODY, CLIENT_KEY)) => [MAIN_CHAT, init] as const;
const hostsOf = (sent: readonly Sent[]): string[] =>
  sent.map(({ url }) => new URL(url).hostname.split(".")[0] ?? "");
const attempts = (events: readonly InterceptorEvent[]) =>
  events.flatMap((event) => (event.record_type === "upstream_attempt" ? [event] : []));

const prices = (input: number) => ({ models: { "gpt*": { input, output: 0 } } });

const rejects: Step = () => json('{"error":{"message":"unknown field stream_options"}}', { status: 400 });

const unnamed: Step = () => json('{"usage":{"prompt_tokens":1000,"completion_tokens":0},"choices":[]}');

describe("a fallback", () => {
  it.each([
    ["a 500", status(500), "server_error", 500, 0],
    ["a 503", status(503), "unavailable", 503, 0],
    ["a 529", status(529), "unavailable", 529, 0],
    ["a 524, after which the provider may charge", status(524), "server_error", 524, null],
    ["a rate limit", status(429, { "retry-after": "9" }), "rate_limited", 429, 0],
    ["a rejected key", status(401), "key_rejected", 401, 0],
    ["a connection that fails", lost, "connection_lost", null, 0],
  ] as const)(
    "gets the call after %s, with the same bytes and its own key",
    async (_, step, reason, code, cost) => {
      const gateway = await open({ main: [step] });
      const { response, events, bytes } = await gateway.exchange(...call());
      expect([response.status, hostsOf(gateway.sent)]).toEqual([200, ["main", "backup"]]);
      expect(bytes).toEqual(new Uint8Array(await chatResponse().arrayBuffer()));
      expect(gateway.sent.map(({ body }) => text(body))).toEqual([BODY, BODY]);
      expect(gateway.sent[1]?.headers.get("authorization")).toBe("Bearer sk-back-0123456789abcdef");
      expect(attempts(events)).toMatchObject([
        { position: 0, provider: "main", reason, status: code, cost_micros: cost, sent_model: null },
        { position: 1, provider: "backup", key_hint: "sk-b...cdef", reason: "used", status: 200 },
      ]);
      expect(only(events, "interception_start")).toMatchObject({ provider: "main" });
      expect(only(events, "interception_end")).toMatchObject({ outcome: "completed", status: 200 });
    },
  );

  it("gets the call where no headers arrive in the time of the provider", async () => {
    const gateway = await open({ main: [silent] }, { main: { fallbacks: ["backup"], headers_ms: 20 } });
    const { response, events } = await gateway.exchange(...call());
    expect([response.status, hostsOf(gateway.sent)]).toEqual([200, ["main", "backup"]]);
    expect(attempts(events)).toMatchObject([
      { provider: "main", reason: "timed_out", status: null, cost_micros: null },
      { provider: "backup", reason: "used" },
    ]);
  });

  it("of Azure gets the call on its own route, without the query of the other API", async () => {
    const backup = { type: "azure", base_url: "https://backup.example/openai" };
    const gateway = await open({ main: [status(500)] }, { main: { fallbacks: ["backup"] }, backup });
    const { response } = await gateway.exchange(`${MAIN_CHAT}?x=1`, post(BODY, CLIENT_KEY));
    expect(response.status).toBe(200);
    expect(gateway.sent.map(({ url }) => url)).toEqual([
      "https://main.example/v1/chat/completions?x=1",
      "https://backup.example/openai/v1/chat/completions",
    ]);
    expect(gateway.sent[1]?.headers.get("api-key")).toBe("sk-back-0123456789abcdef");
    expect(gateway.sent[1]?.headers.has("authorization")).toBe(false);
  });

  it.each([
    ["with the usage opt-in", "without it", true, false],
    ["without the usage opt-in", "with it", false, true],
  ])("of a call %s gets it %s, by its own setting", async (_, __, main, backup) => {
    const gateway = await open(
      { main: [status(500)] },
      { main: { fallbacks: ["backup"], inject_usage: main }, backup: { inject_usage: backup } },
    );
    const { events } = await gateway.exchange(...call(post(STREAM_BODY, CLIENT_KEY)));
    const hasOption = gateway.sent.map(({ body }) => text(body).includes("stream_options"));
    expect(hasOption).toEqual([main, backup]);
    expect(only(events, "interception_end").usage_opt_in).toBe(backup ? "added" : "skipped");
  });

  it("gets the usage opt-in that the first provider has rejected", async () => {
    const gateway = await open({ main: [rejects, status(500)] }, { main: { fallbacks: ["backup"] } });
    const { events } = await gateway.exchange(...call(post(STREAM_BODY, CLIENT_KEY)));
    expect(hostsOf(gateway.sent)).toEqual(["main", "main", "backup"]);
    const hasOption = gateway.sent.map(({ body }) => text(body).includes("stream_options"));
    expect(hasOption).toEqual([true, false, true]);
    expect(only(events, "interception_end").usage_opt_in).toBe("added");
  });

  it("is followed by the next one, and the client gets the last error where all fail", async () => {
    const gateway = await open({ main: [status(500)], backup: [status(503)], third: [status(502)] });
    const { response, events, text: body } = await gateway.exchange(...call());
    expect([response.status, body]).toEqual([502, '{"error":{"message":"status 502"}}']);
    expect(hostsOf(gateway.sent)).toEqual(["main", "backup", "third"]);
    expect(attempts(events).map(({ reason }) => reason)).toEqual([
      "server_error",
      "unavailable",
      "server_error",
    ]);
    expect(only(events, "interception_end")).toMatchObject({ outcome: "upstream_error", status: 502 });
  });

  it("may be tried again later where the keys of all were rejected", async () => {
    const rejected = [status(401)];
    const gateway = await open({ main: rejected, backup: rejected, third: rejected });
    const { response } = await gateway.exchange(...call());
    expect([response.status, response.headers.has("x-should-retry")]).toEqual([502, false]);
    const alone = await open({ main: rejected }, { main: {} });
    const single = await alone.exchange(...call());
    expect([single.response.status, single.response.headers.get("x-should-retry")]).toEqual([502, "false"]);
  });

  it("gets nothing of an error that is about the request", async () => {
    for (const code of [400, 404, 413, 422]) {
      const gateway = await open({ main: [status(code)] });
      const { response, events } = await gateway.exchange(...call());
      expect([response.status, hostsOf(gateway.sent), attempts(events)]).toEqual([code, ["main"], []]);
    }
  });

  it("gets nothing once the client has bytes", async () => {
    const gateway = await open({ main: [brokenStream] });
    const { events } = await gateway.exchange(...call(post(STREAM_BODY, CLIENT_KEY)));
    expect(hostsOf(gateway.sent)).toEqual(["main"]);
    expect(only(events, "interception_end").outcome).not.toBe("completed");
  });

  // A client's own key is for the provider that it names.
  it("never gets a call with the client's own key", async () => {
    const gateway = await open({ openai: [], api: [status(500)] });
    const { response } = await gateway.exchange("/openai/v1/chat/completions", post(BODY, OWN_KEY));
    expect([response.status, hostsOf(gateway.sent)]).toEqual([500, ["api"]]);
    const governed = { ...OWN_KEY, "x-coder-ai-governance-token": CLIENT_KEY.authorization.slice(7) };
    const other = await open({ main: [status(500)] });
    const result = await other.exchange(...call(post(BODY, governed)));
    expect([result.response.status, hostsOf(other.sent)]).toEqual([500, ["main"]]);
  });

  it.each([
    ["an earlier response", '"previous_response_id":"resp_1"'],
    ["a stored conversation", '"conversation":"conv_1"'],
    ["a file", '"input":[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}]'],
    ["a response that is stored on request", '"store":true'],
    ["a response that is made in the background", '"background":true'],
  ])("gets no call that uses %s: it is at the provider that was called", async (_, member) => {
    const gateway = await open({ main: [status(503)] });
    const body = `{"model":"gpt-4o",${member}}`;
    const { response } = await gateway.exchange("/main/v1/responses", post(body, CLIENT_KEY));
    expect([response.status, hostsOf(gateway.sent)]).toEqual([503, ["main"]]);
  });

  // The attack: a list of models, or a budget, of the fallback is evaded by a field that names further models.
  it.each([
    ["further models", '"models":["anthropic/claude-opus"]'],
    ["another address", '"api_base":"https://evil.example"'],
  ])("gets no call that names %s", async (_, member) => {
    const gateway = await open({ main: [status(503)] }, { backup: { models: ["gpt-4o"] } });
    const body = `{"model":"gpt-4o","messages":[],${member}}`;
    const { response } = await gateway.exchange(...call(post(body, CLIENT_KEY)));
    expect([response.status, hostsOf(gateway.sent)]).toEqual([503, ["main"]]);
  });

  // The attack: a rate limit that the platform counts is evaded by way of another provider.
  it("is left out where a rate limit of the platform applies to it alone", async () => {
    const limiter = { limit: () => Promise.resolve({ success: true }) };
    const RATE_LIMITS = { dear: { binding: "RL", per: "all", providers: ["backup"] } };
    const gateway = await open({ main: [status(503)] }, {}, { RATE_LIMITS, RL: limiter });
    await gateway.exchange(...call());
    expect(hostsOf(gateway.sent)).toEqual(["main", "third"]);
  });

  it("gets no query of the client's, which may hold a key", async () => {
    const gateway = await open({ main: [status(503)] });
    await gateway.exchange(`${MAIN_CHAT}?own=value`, post(BODY, CLIENT_KEY));
    expect(gateway.sent.map(({ url }) => new URL(url).search)).toEqual(["?own=value", ""]);
  });

  it("is left out where its list of models does not have the model", async () => {
    const gateway = await open(
      { main: [status(503)] },
      { backup: { models: ["other"] }, main: { fallbacks: ["backup", "third"] } },
    );
    await gateway.exchange(...call());
    expect(hostsOf(gateway.sent)).toEqual(["main", "third"]);
  });

  it("gets its own retries and keys, before the next one", async () => {
    const gateway = await open(
      { main: [status(503)], backup: [status(401), status(429, { "retry-after-ms": "0" }), status(503)] },
      {
        main: { fallbacks: ["backup", "third"] },
        backup: { keys: ["BACKUP_KEY", "BACKUP_2"], retries: { attempts: 2, wait_ms: 0 } },
      },
      { BACKUP_2: "sk-bck2-0123456789abcdef" },
    );
    const { response, events } = await gateway.exchange(...call());
    expect(response.status).toBe(200);
    expect(attempts(events).map(({ provider: name, reason }) => `${name} ${reason}`)).toEqual([
      "main unavailable",
      "backup key_rejected",
      "backup rate_limited",
      "backup unavailable",
      "third used",
    ]);
  });

  it("gets no stream twice, and its stream is passed on as it is", async () => {
    const events =
      'data: {"model":"gpt-4o-real","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}\n\ndata: [DONE]\n\n';
    const gateway = await open({
      main: [status(500)],
      backup: [() => sse(new Response(events).body as ReadableStream)],
    });
    const body = STREAM_BODY.replace(
      '"stream":true',
      '"stream":true,"stream_options":{"include_usage":true}',
    );
    const exchange = await gateway.exchange(...call(post(body, CLIENT_KEY)));
    expect(exchange.text).toBe(events);
    expect(only(exchange.events, "token_usage")).toMatchObject({ input_tokens: 5, output_tokens: 7 });
  });

  it("is priced by its own prices", async () => {
    const PRICES = { main: { list: "none", ...prices(1) }, backup: { list: "none", ...prices(100) } };
    const own = await (await open({}, {}, { PRICES })).exchange(...call());
    const other = await (await open({ main: [status(500)] }, {}, { PRICES })).exchange(...call());
    const micros = [own, other].map(({ events }) => only(events, "interception_end").cost_micros ?? 0);
    expect(micros[0]).toBeGreaterThan(0);
    expect(micros[1]).toBe((micros[0] ?? 0) * 100);
  });
});

describe("the ids of models", () => {
  const aliases = { model_ids: { fast: "gpt-4o-mini" }, fallbacks: ["backup"] };

  it("replace the client's name, and no other byte, and are recorded with the attempt", async () => {
    const gateway = await open({}, { main: aliases });
    const body =
      '{ "messages":[{"role":"user","content":"fast, \\u0022model\\u0022:\\"fast\\""}], "model" : "fast" , "x":{"model":"fast"}}';
    const { response, events } = await gateway.exchange(...call(post(body, CLIENT_KEY)));
    expect(response.status).toBe(200);
    expect(text(gateway.sent[0]?.body ?? utf8(""))).toBe(
      body.replace('"model" : "fast"', '"model" : "gpt-4o-mini"'),
    );
    expect(only(events, "interception_start")).toMatchObject({ model: "fast" });
    expect(attempts(events)).toMatchObject([
      { position: 0, provider: "main", sent_model: "gpt-4o-mini", reason: "used" },
    ]);
  });

  it("leave the usage opt-in beside them, also where it is rejected", async () => {
    const gateway = await open({ main: [rejects] }, { main: aliases });
    const body = '{"model":"fast","stream":true,"messages":[]}';
    await gateway.exchange(...call(post(body, CLIENT_KEY)));
    expect(gateway.sent.map((sent) => text(sent.body))).toEqual([
      '{"stream_options":{"include_usage":true},"model":"gpt-4o-mini","stream":true,"messages":[]}',
      '{"model":"gpt-4o-mini","stream":true,"messages":[]}',
    ]);
    expect(gateway.sent.map(({ headers }) => headers.has("content-length"))).toEqual([false, false]);
  });

  it.each([
    ["the client's name", { fast: "deployment-1" }, "deployment-1"],
    ["the id of the first provider", { "gpt-4o-mini": "deployment-2" }, "deployment-2"],
    ["no name of it", {}, "gpt-4o-mini"],
  ])("of a fallback are found by %s", async (_, model_ids, id) => {
    const gateway = await open({ main: [status(500)] }, { main: aliases, backup: { model_ids } });
    const { events } = await gateway.exchange(...call(post('{"model":"fast","messages":[]}', CLIENT_KEY)));
    expect(gateway.sent.map((sent) => text(sent.body))).toEqual([
      '{"model":"gpt-4o-mini","messages":[]}',
      `{"model":"${id}","messages":[]}`,
    ]);
    expect(attempts(events).map(({ sent_model: sent }) => sent)).toEqual(["gpt-4o-mini", id]);
  });

  // The attack: a model that is not permitted is requested by an alias of it.
  it("are the names that a list of models permits", async () => {
    for (const [models, code] of [
      [["fast"], 403],
      [["gpt-4o-mini"], 200],
    ] as const) {
      const gateway = await open({}, { main: { model_ids: aliases.model_ids, models } });
      const { response } = await gateway.exchange(
        ...call(post('{"model":"fast","messages":[]}', CLIENT_KEY)),
      );
      expect(response.status).toBe(code);
    }
  });

  it.each(["/responses/input_tokens", "/responses"])("replace the client's name at %s", async (path) => {
    for (const models of [null, ["gpt-4o-mini"]]) {
      const settings = { model_ids: aliases.model_ids, ...(models && { models }) };
      const gateway = await open({}, { main: settings });
      const headers = { ...CLIENT_KEY, "content-digest": "sha-256=:AA==:" };
      const init = post('{"model":"fast","input":"fast"}', headers);
      const { response } = await gateway.exchange(`/main/v1${path}`, init);
      const [sent] = gateway.sent;
      expect([response.status, text(sent?.body ?? utf8("")), sent?.headers.get("content-digest")]).toEqual([
        200,
        '{"model":"gpt-4o-mini","input":"fast"}',
        null,
      ]);
    }
  });

  it.each(["{}", '{"model":"other"}', '{"model":', '{"model":"fast","model":"other"}'])(
    "leave a request to count tokens as it is: %s",
    async (body) => {
      const gateway = await open({}, { main: aliases });
      await gateway.exchange("/main/v1/responses/input_tokens", post(body, CLIENT_KEY));
      expect(gateway.sent.map((sent) => text(sent.body))).toEqual([body]);
    },
  );

  it("are names of a price where the response names no model", async () => {
    const PRICES = { main: { list: "none", models: { "gpt-4o-mini": { input: 1, output: 1 } } } };
    const gateway = await open({ main: [unnamed] }, { main: aliases }, { PRICES });
    const { events } = await gateway.exchange(...call(post('{"model":"fast","messages":[]}', CLIENT_KEY)));
    expect(only(events, "interception_end").cost_micros).toBe(1000);
  });
});

describe("a circuit breaker", () => {
  const breaker = { failures: 2, interval_ms: 10_000, open_ms: 30_000, trials: 1 };

  it("refuses calls with the time until a trial, and records that they cost nothing", async () => {
    const gateway = await open({ main: [status(500), lost] }, { main: { breaker } });
    await gateway.exchange(...call());
    await gateway.exchange(...call());
    gateway.clock.at += 1500;
    const { response, events } = await gateway.exchange(...call());
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "29"]);
    expect(response.headers.get("x-interceptor-error")).toBe("circuit_open");
    expect(response.headers.has("x-should-retry")).toBe(false);
    expect(only(events, "interception_end")).toMatchObject({
      outcome: "refused",
      error: "circuit_open",
      status: 503,
      cost_micros: 0,
    });
    expect(attempts(events)).toMatchObject([
      { position: 0, provider: "main", reason: "circuit_open", status: null, cost_micros: 0 },
    ]);
    expect(gateway.sent).toHaveLength(2);
    gateway.clock.at += 28_500;
    expect((await gateway.exchange(...call())).response.status).toBe(200);
    expect((await gateway.exchange(...call())).response.status).toBe(200);
    expect(gateway.operatorErrors).toEqual(
      ["opened", "closed"].map((state) => ({
        event: `provider_circuit_${state}`,
        provider: "main",
        route: "/chat/completions",
      })),
    );
  });

  it("is of one model and one route, and does not count errors that callers cause, or limits", async () => {
    const steps = [status(400), status(401), status(404), status(429), status(400), status(403)];
    const gateway = await open({ main: [...steps, status(500), status(500)] }, { main: { breaker } });
    for (let at = 0; at < 8; at += 1) await gateway.exchange(...call());
    const code = async (path: string, model: string): Promise<number> =>
      (await gateway.exchange(path, post(`{"model":"${model}","messages":[]}`, CLIENT_KEY))).response.status;
    expect(await code(MAIN_CHAT, "gpt-4o")).toBe(503);
    expect(await code(MAIN_CHAT, "gpt-4o-mini")).toBe(200);
    expect(await code("/main/v1/responses", "gpt-4o")).toBe(200);
  });

  it("records a passthrough that it refuses as one that was not sent", async () => {
    const gateway = await open({ main: [status(500), status(500)] }, { main: { breaker } });
    const path = "/main/v1/files";
    for (let at = 0; at < 2; at += 1) await gateway.exchange(path, { headers: CLIENT_KEY });
    const { response, events } = await gateway.exchange(path, { headers: CLIENT_KEY });
    expect(response.status).toBe(503);
    expect(only(events, "passthrough")).toMatchObject({ outcome: "refused", error: "circuit_open" });
  });

  // The attack: a caller with a made-up key of its own closes the circuit of a provider that fails.
  it("takes a rejected own key for no sign that the provider works", async () => {
    const steps = [status(500), status(401), status(500)];
    const gateway = await open({ main: steps }, { main: { breaker, keys: undefined } });
    for (let at = 0; at < 3; at += 1) await gateway.exchange(...call(post(BODY, OWN_KEY)));
    expect((await gateway.exchange(...call(post(BODY, OWN_KEY)))).response.status).toBe(503);
  });

  it("refuses an upload while it is open, and reads no more of it", async () => {
    const gateway = await open({ main: [status(500), status(500)] }, { main: { breaker } });
    let isCancelled = false;
    const upload = (): RequestInit => {
      const body = new ReadableStream({
        type: "bytes",
        pull: (controller) => controller.enqueue(new Uint8Array(1024)),
        cancel: () => void (isCancelled = true),
      });
      return { ...post(body as never, { ...CLIENT_KEY, "content-length": "9000000" }) };
    };
    const path = "/main/v1/files";
    for (let at = 0; at < 2; at += 1) await gateway.exchange(path, { headers: CLIENT_KEY });
    const { response } = await gateway.exchange(path, upload());
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([503, "circuit_open"]);
    expect([gateway.sent.length, isCancelled]).toEqual([2, true]);
  });

  it.each([
    ["counts a timeout", "after its own time", 20, 0, ["main", "third"]],
    ["does not count a timeout", "of what an earlier attempt has left", 3000, 1900, ["main", "backup"]],
  ])("%s %s", async (_, __, headers_ms, elapsedMs, hosts) => {
    const gateway = await open(
      {
        main: [
          () => {
            gateway.clock.at += elapsedMs;
            return status(500)(gateway.sent[0] as Sent);
          },
          status(500),
        ],
        backup: [silent],
      },
      { backup: { headers_ms, breaker: { ...breaker, failures: 1 } } },
      { LIMITS: { headers_ms: 3000 } },
    );
    await gateway.exchange(...call());
    await gateway.exchange(...call());
    expect(hostsOf(gateway.sent).slice(-hosts.length)).toEqual(hosts);
  });

  it("sends calls to the fallback at once while it is open", async () => {
    const gateway = await open(
      { main: [status(500), status(500)] },
      { main: { breaker, fallbacks: ["backup"] } },
    );
    await gateway.exchange(...call());
    await gateway.exchange(...call());
    const { response, events } = await gateway.exchange(...call());
    expect(response.status).toBe(200);
    expect(hostsOf(gateway.sent)).toEqual(["main", "backup", "main", "backup", "backup"]);
    expect(attempts(events)).toMatchObject([
      { provider: "main", reason: "circuit_open", status: null, cost_micros: 0 },
      { provider: "backup", reason: "used" },
    ]);
  });
});

/** A gateway with one open call, whose provider has not responded yet. `finish` lets it, and waits for the end of the call. */
const openWithCall = async (settings: Record<string, unknown>) => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  const concurrency = { max: 1, wait_ms: 0 };
  const gateway = await open({ main: [() => promise] }, { main: { concurrency, ...settings } });
  const first = gateway.call(...call());
  while (gateway.sent.length === 0) await new Promise((next) => setTimeout(next));
  const finish = async (): Promise<number> => {
    resolve(chatResponse());
    const { response, settled } = await first;
    await response.arrayBuffer();
    await settled();
    return response.status;
  };
  return { gateway, finish };
};

describe("a cap of open calls", () => {
  it("refuses a call above it, and counts a call until its response has ended", async () => {
    const { gateway, finish } = await openWithCall({});
    const { response, events } = await gateway.exchange(...call());
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(only(events, "interception_end")).toMatchObject({ outcome: "refused", error: "provider_busy" });
    expect(attempts(events)).toMatchObject([{ position: 0, reason: "busy", cost_micros: 0 }]);
    expect(await finish()).toBe(200);
    expect((await gateway.exchange(...call())).response.status).toBe(200);
  });

  it("lets a call wait for the end of another one", async () => {
    const { gateway, finish } = await openWithCall({ concurrency: { max: 1, wait_ms: 60_000 } });
    const second = gateway.call(...call());
    expect(await finish()).toBe(200);
    const { response, settled } = await second;
    await response.arrayBuffer();
    await settled();
    expect([response.status, gateway.sent.length]).toEqual([200, 2]);
  });

  it("sends a call above it to the fallback", async () => {
    const { gateway, finish } = await openWithCall({ fallbacks: ["backup"] });
    const { response, events } = await gateway.exchange(...call());
    expect([response.status, hostsOf(gateway.sent)]).toEqual([200, ["main", "backup"]]);
    expect(attempts(events).map(({ reason }) => reason)).toEqual(["busy", "used"]);
    expect(await finish()).toBe(200);
  });
});
