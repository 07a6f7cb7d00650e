/**
 * Budgets through both Workers, as `wrangler dev` runs them: the gateway's own bundle, and the budget objects in the records
 * Worker, with the official SDKs and raw clients.
 */
import Anthropic from "@anthropic-ai/sdk";
import { createHash } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readProjectConfig } from "../../tools/deploy/project-config.ts";
import { writeRecordsConfig } from "../../tools/local/records-config.ts";
import { PROJECT } from "../support/bundle.ts";
import { until } from "../support/deadline.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import { startLocalWorkers, type LocalWorkers } from "../support/local-workers.ts";
import * as respond from "../support/response-steps.ts";

const ADMIN_TOKEN = "aei_admin-of-the-test-0123456789";
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Each test has a caller of its own, whose account no other test charges. */
const CALLERS = Array.from({ length: 12 }, (_, n) => `aei_caller-${n}-0123456789-abcdefghijkl`);
let callers = 0;
let key = "";
let actor = "";

const upstream = await startFakeUpstream();
let workers: LocalWorkers;

const BUDGETS = {
  cents: { dollars: 0.0002, models: ["gpt-4o"] },
  claude: { dollars: 0.001, models: ["claude-opus-4-6"] },
  calls: { requests: 2, models: ["gpt-4.1"], status: 429 },
  many: { requests: 120, models: ["gpt-4.1-mini"] },
};
const RATE_LIMITS = { few: { requests: 1, models: ["gpt-4o-mini"] } };

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "budgets-"));
  const { env: _, ...raw } = readProjectConfig(PROJECT, "gateway", { shippedOnly: true });
  const entries = CALLERS.map((one, n) => ({ sha256: sha256(one), actor: `caller-${n}`, kind: "user" }));
  const gateway = join(folder, "wrangler.gateway.json");
  const vars = {
    PROVIDERS: {
      openai: { type: "openai", base_url: `${upstream.url}/v1`, keys: ["PROVIDER_KEY"] },
      anthropic: { type: "anthropic", base_url: upstream.url, keys: ["PROVIDER_KEY"] },
    },
    PROVIDER_KEY: "sk-of-the-provider-0123456789",
    IDENTITY: [{ source: "keys" }],
    CLIENT_KEYS: JSON.stringify(entries),
    BUDGETS,
    RATE_LIMITS,
  };
  const main = join(PROJECT, "src/gateway/index.ts");
  await writeFile(gateway, JSON.stringify({ ...raw, main, routes: undefined, vars }));
  const records = writeRecordsConfig(folder, { ADMIN_TOKEN: sha256(ADMIN_TOKEN) });
  workers = await startLocalWorkers(folder, [gateway, records]);
});

afterAll(async () => {
  await workers.close();
  await upstream.close();
});

beforeEach(() => {
  key = CALLERS[callers] ?? "";
  actor = `caller-${callers}`;
  callers += 1;
  upstream.clear();
});

const completion = (input: number, output: number): object => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "gpt-4o",
  choices: [{ index: 0, message: { role: "assistant", content: "hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
});

const openai = (): OpenAI => new OpenAI({ baseURL: `${workers.url}/openai/v1`, apiKey: key, maxRetries: 3 });

const chat = (model = "gpt-4o", max_completion_tokens = 4) =>
  openai().chat.completions.create({
    model,
    max_completion_tokens,
    messages: [{ role: "user", content: "hi" }],
  });

async function refusalOf(call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error: unknown = await call.then(
    () => new Error("the call was not refused"),
    (caught: unknown) => caught,
  );
  if (error instanceof OpenAI.APIError) return error as InstanceType<typeof OpenAI.APIError>;
  throw error;
}

type Account = { readonly spent: number; readonly reserved: number };

async function account(budget: string): Promise<Account> {
  const query = new URLSearchParams({ budget, subject_source: "keys", subject_id: actor });
  const response = await fetch(`${workers.url}/api/v2/ai-gateway/budgets?${query}`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  const { results } = (await response.json()) as { readonly results: readonly Account[] };
  const [first] = results;
  if (!first) throw new Error(`${response.status}: no account`);
  return first;
}

/** Once the calls have ended. */
const settled = (budget: string): Promise<Account> =>
  until(
    async () => {
      const state = await account(budget);
      return state.reserved === 0 && state.spent > 0 ? state : undefined;
    },
    () => "a call is still reserved",
  );

/** Until the interceptor disconnects: wrangler's proxy notices a client's disconnect only when it has data to send. */
const repeatUntilDisconnect =
  (event: string): respond.Step =>
  async (wire) => {
    let isGone = false;
    void wire.gone.then(() => (isGone = true));
    while (!isGone) {
      await wire.body(event);
      await new Promise((resolve) => void setImmediate(resolve));
    }
  };

/** A raw call: its status. */
const statusOf = async (signal?: AbortSignal): Promise<number> => {
  const response = await fetch(`${workers.url}/openai/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: '{"model":"gpt-4.1-mini","max_completion_tokens":4,"messages":[{"role":"user","content":"hi"}]}',
    ...(signal ? { signal } : {}),
  });
  await response.arrayBuffer();
  return response.status;
};

describe("a budget", () => {
  it("L1 lets one of fifty parallel calls through where there is money for one, over real connections", async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    upstream.respondWith([respond.waitFor(released), ...respond.json(200, completion(10, 4))]);
    let refused = 0;
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const outcome = await chat().then(
          () => "completed",
          (error: unknown) => (error instanceof OpenAI.APIError ? `${error.status}` : String(error)),
        );
        if (outcome === "403" && (refused += 1) === 49) release();
        return outcome;
      }),
    );
    expect(outcomes.filter((one) => one === "completed")).toHaveLength(1);
    expect(outcomes.filter((one) => one === "403")).toHaveLength(49);
    // No SDK has repeated a refused call.
    expect(upstream.requests).toHaveLength(1);
    // 10 tokens of 2.5 micro-dollars, and 4 of 10.
    expect((await settled("cents")).spent).toBe(65);
  });

  // Requests wait for calls that others make: workerd continues each of them in its own context.
  it("L1 lets exactly 120 of 300 parallel calls through where there is money for 120, over real connections", async () => {
    upstream.respondWith(respond.json(200, completion(10, 4)));
    const statuses = await Promise.all(Array.from({ length: 300 }, () => statusOf()));
    expect(statuses.filter((status) => status === 200)).toHaveLength(120);
    expect(statuses.filter((status) => status === 403)).toHaveLength(180);
    expect(upstream.requests).toHaveLength(120);
    expect((await settled("many")).spent).toBe(120);
  });

  it("L1 responds to all others where clients disconnect while their calls are reserved", async () => {
    upstream.respondWith(respond.json(200, completion(10, 4)));
    const aborts = Array.from({ length: 30 }, () => new AbortController());
    const gone = aborts.map((abort) => statusOf(abort.signal).catch(() => 0));
    const others = Array.from({ length: 200 }, () => statusOf());
    for (const abort of aborts) abort.abort();
    const statuses = await Promise.all(others);
    await Promise.all(gone);
    const admitted = statuses.filter((status) => status === 200).length;
    expect(admitted + statuses.filter((status) => status === 403).length).toBe(200);
    expect(admitted).toBeGreaterThanOrEqual(90);
    expect(admitted).toBeLessThanOrEqual(120);
    expect(upstream.requests.length).toBeLessThanOrEqual(120);
    expect((await settled("many")).spent).toBeLessThanOrEqual(120);
  });

  it("L7 refuses in the dialect, with the budget's name, its use and its reset", async () => {
    const error = await refusalOf(chat("gpt-4o", 1000));
    expect(error).toMatchObject({ status: 403, code: "budget_exceeded", type: "permission_error" });
    expect(error.message).toMatch(/Budget "cents": \$0\.00 of \$0\.000200 used.*resets at \d{4}-/);
    const claude = new Anthropic({ baseURL: `${workers.url}/anthropic`, apiKey: key, maxRetries: 3 });
    const refused: unknown = await claude.messages
      .create({ model: "claude-opus-4-6", max_tokens: 5000, messages: [{ role: "user", content: "hi" }] })
      .catch((caught: unknown) => caught);
    expect(refused).toBeInstanceOf(Anthropic.PermissionDeniedError);
    expect(upstream.requests).toHaveLength(0);
  });

  it("L7 is not repeated by an SDK with status 429 either", async () => {
    upstream.respondWith(respond.json(200, completion(1, 1)));
    await chat("gpt-4.1");
    await chat("gpt-4.1");
    const error = await refusalOf(chat("gpt-4.1"));
    expect(error.status).toBe(429);
    expect(upstream.requests).toHaveLength(2);
  });

  it("L2 is charged for a client that disconnects in the middle of a stream, by what has arrived", async () => {
    const event = respond.event({ choices: [{ index: 0, delta: { content: "hello " } }] });
    upstream.respondWith(respond.sseSteps([repeatUntilDisconnect(event)]));
    const stream = await openai().chat.completions.create({
      model: "gpt-4o",
      max_completion_tokens: 4,
      messages: [{ role: "user", content: "hi" }],
      stream: true,
    });
    for await (const _ of stream) break;
    const { spent } = await settled("cents");
    // The input at four bytes a token, and the output at its limit: at most what was reserved.
    expect(spent).toBeGreaterThan(80);
    expect(spent).toBeLessThan(200);
  });

  it("L2 costs nothing where the provider fails", async () => {
    upstream.respondWith(respond.json(400, { error: { message: "no", type: "invalid_request_error" } }));
    for (let n = 0; n < 4; n += 1) await refusalOf(chat());
    upstream.respondWith(respond.json(200, completion(10, 4)));
    await chat();
    expect((await settled("cents")).spent).toBe(65);
  });
});

describe("a rate limit", () => {
  it("has the headers by which an SDK waits", async () => {
    upstream.respondWith(respond.json(200, completion(1, 1)));
    await chat("gpt-4o-mini");
    const client = new OpenAI({ baseURL: `${workers.url}/openai/v1`, apiKey: key, maxRetries: 0 });
    const error = await refusalOf(
      client.chat.completions.create({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] }),
    );
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    expect(error.headers?.get("retry-after")).toMatch(/^\d+$/);
    expect(error.headers?.get("x-ratelimit-limit-requests")).toBe("1");
  });
});

describe("GET /me/spend", () => {
  it("is the caller's own view", async () => {
    upstream.respondWith(respond.json(200, completion(10, 4)));
    await chat();
    await settled("cents");
    const response = await fetch(`${workers.url}/api/v2/ai-gateway/me/spend`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(await response.json()).toMatchObject({
      id: actor,
      source: "keys",
      budgets: [
        { budget: "cents", spent: 65 },
        { budget: "claude", spent: 0 },
        { budget: "calls", spent: 0 },
        { budget: "many", spent: 0 },
      ],
    });
  });
});
