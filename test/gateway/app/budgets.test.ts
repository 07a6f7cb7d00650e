/** Budgets and rate limits, over real budget objects. */
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import type { BudgetService } from "../../../src/events/budget-service.ts";
import {
  BUDGET_OBJECTS,
  CHAT_PATH,
  chat,
  chatBody,
  MESSAGES_PATH,
  openWithBudgets,
  stateOf,
  usageResponse,
} from "../../support/in-workerd/budget-gateway.ts";
import { json, only, post, sse, typesOf } from "../../support/in-workerd/calls.ts";
import { openGateway, type Gateway, type Provider } from "../../support/in-workerd/gateway-harness.ts";
import { alice, ALICE_ID, asserted, bob, bot, claimed } from "../../support/in-workerd/object-store.ts";
import { upstreamBody } from "../../support/in-workerd/upstream-body.ts";
import { CODER_AGENTS_UA } from "../../support/in-workerd/values.ts";

/** At most 4 tokens of output: at most 110 micro-dollars for gpt-4o. */
const SMALL = ',"max_tokens":4';

/** The real objects, and how often they are called. */
function counting(wrap = (stub: object): object => stub) {
  let calls = 0;
  const namespace = {
    idFromName: (name: string) => BUDGET_OBJECTS.idFromName(name),
    get: (id: DurableObjectId) => {
      calls += 1;
      return wrap(BUDGET_OBJECTS.get(id));
    },
  };
  return { namespace, calls: () => calls };
}

describe("a budget of dollars", () => {
  it("reserves the most that a call may cost, and charges what it has cost", async () => {
    // The body has 75 bytes: 38 tokens at most, of 2.5 micro-dollars, and 1,000 of 10: 10,095.
    const body = chatBody(',"max_tokens":1000');
    const gateway = await openWithBudgets({ budgets: { people: { dollars: 0.0102 } } });
    expect((await chat(gateway, body)).status).toBe(200);
    // 100 tokens of each were charged: 250 and 1,000 micro-dollars.
    const second = await chat(gateway, body);
    expect(second).toMatchObject({ status: 403, code: "budget_exceeded" });
    expect(second.message).toContain('Budget "people": $0.001250 of $0.010200 used');
    expect((await chat(gateway, chatBody(',"max_tokens":800'))).status).toBe(200);
  });

  it("L1 lets exactly one of a hundred parallel calls through where there is money for one", async () => {
    const othersRefused = Promise.withResolvers<void>();
    const provider: Provider = async () => {
      await othersRefused.promise;
      return usageResponse(10, 4);
    };
    const gateway = await openWithBudgets({ budgets: { people: { dollars: 0.00025 } }, provider });
    let refusals = 0;
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async () => {
        gateway.clock.at += 1;
        const { response, settled } = await gateway.call(CHAT_PATH, post(chatBody(SMALL), alice));
        if (response.status === 403 && (refusals += 1) === 99) othersRefused.resolve();
        await response.body?.cancel();
        await settled();
        return response.status;
      }),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(gateway.sent).toHaveLength(1);
  });

  it("L1 lets exactly 400 of a thousand parallel calls through where there is money for 400, in few calls of the object", async () => {
    const othersRefused = Promise.withResolvers<void>();
    const objects = counting();
    const gateway = await openWithBudgets({
      budgets: { people: { requests: 400 } },
      objects: objects.namespace,
      provider: async () => {
        await othersRefused.promise;
        return usageResponse(10, 4);
      },
    });
    let refusals = 0;
    const statuses = await Promise.all(
      Array.from({ length: 1000 }, async () => {
        gateway.clock.at += 1;
        const { response, settled } = await gateway.call(CHAT_PATH, post(chatBody(SMALL), alice));
        if (response.status === 403 && (refusals += 1) === 600) othersRefused.resolve();
        await response.body?.cancel();
        await settled();
        return response.status;
      }),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(400);
    expect(statuses.filter((status) => status === 403)).toHaveLength(600);
    expect(gateway.sent).toHaveLength(400);
    // 1,000 reservations, 600 releases and 400 charges.
    expect(objects.calls()).toBeLessThan(100);
    const { message } = await chat(gateway, chatBody(SMALL));
    expect(message).toContain("400 requests of 400 requests used, 0 requests reserved");
  });

  it("L3 charges a person's own calls, and calls on the person's behalf in any case of the id, to one account", async () => {
    const gateway = await openWithBudgets({ budgets: { people: { requests: 3, period: "day" } } });
    const upper = { ...asserted, "x-coder-owner-id": ALICE_ID.toUpperCase() };
    for (const headers of [alice, asserted, upper])
      expect((await chat(gateway, chatBody(), headers)).status).toBe(200);
    for (const headers of [alice, asserted, upper])
      expect((await chat(gateway, chatBody(), headers)).code).toBe("budget_exceeded");
    expect((await chat(gateway, chatBody(), bob)).status).toBe(200);
  });

  // The attack: a caller without a verified credential names a victim, to use up the victim's budget.
  it("never charges a person whom an unverified caller names", async () => {
    const budgets = { people: { requests: 1, own_keys: true } };
    const gateway = await openWithBudgets({ budgets });
    for (let n = 0; n < 3; n += 1) await chat(gateway, chatBody(), claimed, "/own/v1/chat/completions");
    expect((await chat(gateway, chatBody(), alice)).status).toBe(200);
  });

  // The attack: a service invents a new owner for each call, each with a fresh budget.
  it("L4 of the actor holds, whomever the actor names", async () => {
    const gateway = await openWithBudgets({
      budgets: { people: { requests: 1 }, services: { per: "actor", requests: 2 } },
    });
    const codes: (string | null)[] = [];
    for (let n = 0; n < 4; n += 1) {
      const owner = crypto.randomUUID();
      const headers = { ...bot, "user-agent": CODER_AGENTS_UA, "x-coder-owner-id": owner };
      codes.push((await chat(gateway, chatBody(), headers)).code);
    }
    expect(codes).toEqual([null, null, "budget_exceeded", "budget_exceeded"]);
  });

  it("demands the evidence of min_attribution, or charges the actor", async () => {
    const strict = { requests: 1, min_attribution: "signed", below: "refuse" };
    const refusing = await openWithBudgets({ budgets: { people: strict } });
    expect((await chat(refusing, chatBody(), asserted)).code).toBe("budget_attribution");
    const charging = await openWithBudgets({ budgets: { people: { ...strict, below: "actor" } } });
    expect((await chat(charging, chatBody(), asserted)).status).toBe(200);
    // The service's account is used up, Alice's is not.
    expect((await chat(charging, chatBody(), bot)).code).toBe("budget_exceeded");
    expect((await chat(charging, chatBody(), alice)).status).toBe(200);
  });

  it("refuses a model without a price, unless it is allowed", async () => {
    const body = chatBody(SMALL, "my-llama");
    const refusing = await openWithBudgets({ budgets: { people: { dollars: 5 } } });
    expect((await chat(refusing, body)).code).toBe("budget_unpriced");
    expect(refusing.sent).toHaveLength(0);
    const allowing = await openWithBudgets({ budgets: { people: { dollars: 5, unpriced: "allow" } } });
    expect((await chat(allowing, body)).status).toBe(200);
  });

  it("leaves calls with the caller's own provider key out, unless they are to count", async () => {
    const own = { authorization: "Bearer sk-own-key-0123456789abcdef" };
    const path = "/own/v1/chat/completions";
    for (const [own_keys, code] of [
      [false, null],
      [true, "budget_exceeded"],
    ] as const) {
      const gateway = await openWithBudgets({ budgets: { people: { requests: 1, own_keys } } });
      await chat(gateway, chatBody(), own, path);
      expect((await chat(gateway, chatBody(), own, path)).code).toBe(code);
    }
  });

  it("releases what it reserved where another budget refuses the call", async () => {
    const gateway = await openWithBudgets({
      budgets: { all: { per: "all", mode: "strict", requests: 1 }, people: { requests: 1 } },
    });
    expect((await chat(gateway, chatBody(), alice)).status).toBe(200);
    expect((await chat(gateway, chatBody(), bob)).code).toBe("budget_exceeded");
    const roomy = await openWithBudgets({
      budgets: { all: { per: "all", mode: "strict", requests: 2 }, people: { requests: 1 } },
    });
    expect((await chat(roomy, chatBody(), alice)).status).toBe(200);
    expect((await chat(roomy, chatBody(), alice)).code).toBe("budget_exceeded");
    expect((await chat(roomy, chatBody(), bob)).status).toBe(200);
  });
});

const refusedBy = async (gateway: Gateway, most = 20): Promise<number> => {
  for (let n = 0; n < most; n += 1) if ((await chat(gateway, chatBody(SMALL))).status !== 200) return n;
  return most;
};

const failing: Provider = () => json('{"error":{"message":"no","type":"server_error"}}', { status: 500 });
const unreachable: Provider = () => {
  throw new TypeError("connection refused");
};

describe("the end of a call", () => {
  it("L2 costs nothing where the provider responds with an error, or cannot be reached", async () => {
    for (const provider of [failing, unreachable]) {
      let isWell = false;
      const gateway = await openWithBudgets({
        budgets: { people: { dollars: 0.00025 } },
        provider: (sent) => (isWell ? usageResponse(10, 4) : provider(sent)),
      });
      for (let n = 0; n < 5; n += 1) await chat(gateway, chatBody(SMALL));
      isWell = true;
      expect((await chat(gateway, chatBody(SMALL))).status).toBe(200);
    }
  });

  // The attack: connections that break off while the model runs would be free.
  it.each<readonly [string, (gateway: Gateway) => Response]>([
    [
      "the connection is lost after more than a second",
      (gateway) => {
        gateway.clock.at += 1500;
        throw new TypeError("Network connection lost.");
      },
    ],
    [
      "Cloudflare reports that the provider's server did not respond in time",
      () => new Response("{}", { status: 524 }),
    ],
  ])("costs the documented estimate where %s", async (_, provide) => {
    const gateway: Gateway = await openWithBudgets({
      budgets: { people: { dollars: 1 } },
      provider: () => provide(gateway),
    });
    await chat(gateway, chatBody(',"max_tokens":1000'));
    const state = await stateOf(gateway);
    expect(state.reserved).toBe(0);
    expect(state.spent).toBeGreaterThan(10_000);
  });

  it.each<readonly [string, boolean, number, number]>([
    ["was rate limited, which ran nothing", false, 0, 500],
    ["was lost after more than a second, which may have run", true, 10_000, 20_000],
  ])("is reserved once, and charged for an attempt that %s", async (_, isLost, least, most) => {
    let calls = 0;
    const pool = { type: "openai", base_url: "https://central.example/v1", keys: ["CENTRAL_KEY"] };
    const retries = { attempts: 2, wait_ms: 0, retry_on: "any" };
    const gateway: Gateway = await openWithBudgets({
      budgets: { people: { dollars: 1 } },
      vars: { PROVIDERS: { central: { ...pool, retries } } },
      provider: () => {
        calls += 1;
        if (calls > 1) return usageResponse(10, 10);
        if (!isLost) return json("{}", { status: 429 });
        gateway.clock.at += 1500;
        throw new TypeError("Network connection lost.");
      },
    });
    expect((await chat(gateway, chatBody(',"max_tokens":1000'))).status).toBe(200);
    const { spent, reserved } = await stateOf(gateway);
    expect([calls, reserved]).toEqual([2, 0]);
    // The second attempt costs 10 * 2.50 + 10 * 10 micro-dollars.
    expect(spent).toBeGreaterThanOrEqual(125 + least);
    expect(spent).toBeLessThanOrEqual(125 + most);
    expect(
      gateway.events.flatMap((one) => (one.record_type === "upstream_attempt" ? one.cost_micros : [])),
    ).toEqual([isLost ? null : 0, null]);
  });

  it("L2 costs the documented estimate where the client disconnects, at most what was reserved", async () => {
    const budgets = { people: { dollars: 1 } };
    const body = upstreamBody();
    let isStream = true;
    const gateway = await openWithBudgets({
      budgets,
      provider: () => (isStream ? sse(body.stream) : usageResponse(1, 1)),
    });
    const abort = new AbortController();
    const init = post(chatBody(',"stream":true,"max_tokens":1000'), alice);
    const { response, settled } = await gateway.call(CHAT_PATH, { ...init, signal: abort.signal });
    body.send('data: {"choices":[{"delta":{"content":"hello"}}]}\n\n');
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    abort.abort();
    await settled();
    isStream = false;
    // The next call reports what was charged: 22 tokens of input (4 bytes each), and 7 of output (8 bytes each).
    const state = await stateOf(gateway);
    expect(state.reserved).toBe(0);
    expect(state.spent).toBeGreaterThan(50);
    expect(state.spent).toBeLessThan(500);
  });

  // The attack: the response is made in the background, the client disconnects from its stream, and reads the whole of it later.
  it("of a stream in the background costs all that was reserved, until its figures are read", async () => {
    const done = {
      id: "resp_1",
      object: "response",
      model: "gpt-4o",
      status: "completed",
      output: [],
      usage: { input_tokens: 10, output_tokens: 500, total_tokens: 510 },
    };
    const body = upstreamBody();
    const gateway = await openWithBudgets({
      budgets: { people: { dollars: 1 } },
      provider: ({ method }) => (method === "GET" ? json(JSON.stringify(done)) : sse(body.stream)),
    });
    const abort = new AbortController();
    const request =
      '{"model":"gpt-4o","input":"hi","stream":true,"background":true,"max_output_tokens":1000}';
    gateway.clock.at += 1;
    const { response, settled } = await gateway.call("/central/v1/responses", {
      ...post(request, alice),
      signal: abort.signal,
    });
    body.send(
      'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1","model":"gpt-4o"}}\n\n',
    );
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    abort.abort();
    await settled();
    expect((await stateOf(gateway)).spent).toBeGreaterThanOrEqual(10_000);
    gateway.clock.at += 1;
    await gateway.exchange("/central/v1/responses/resp_1", { headers: alice });
    // 10 tokens of 2.5 micro-dollars, and 500 of 10.
    expect((await stateOf(gateway)).spent).toBe(5025);
  });

  it("that cost more than was reserved is an event, and is charged in full", async () => {
    const gateway = await openWithBudgets({
      budgets: { people: { dollars: 0.01 } },
      provider: () => usageResponse(100, 3000),
    });
    const { events } = await gateway.exchange(CHAT_PATH, post(chatBody(SMALL), alice));
    expect(only(events, "budget_overrun")).toMatchObject({
      rule: "budget:people",
      amount: 30_250,
      spent: 30_250,
    });
    expect((await chat(gateway, chatBody(SMALL))).code).toBe("budget_exceeded");
  });

  it("reaches thresholds once in a period, and the first refusal is an event", async () => {
    const gateway = await openWithBudgets({ budgets: { people: { requests: 4, warn_at: [50, 100] } } });
    for (let n = 0; n < 6; n += 1) await chat(gateway);
    const types = typesOf(gateway.events).filter((type) => type.startsWith("budget_"));
    expect(types).toEqual(["budget_threshold", "budget_threshold", "budget_exceeded"]);
    const thresholds = gateway.events.filter(({ record_type: type }) => type === "budget_threshold");
    expect(thresholds).toMatchObject([
      {
        percent: 50,
        spent: 2,
        allowance: 4,
        subject_id: ALICE_ID,
        subject_source: "keys",
        measure: "requests",
      },
      { percent: 100, spent: 4, allowance: 4 },
    ]);
  });
});

describe("a budget object that does not respond", () => {
  const down = {
    idFromName: (name: string) => name,
    get: () => new Proxy({}, { get: () => () => Promise.reject(new Error("down")) }),
  };

  it.each([
    ["closed", 503, "budget_unavailable"],
    ["open", 200, null],
  ] as const)("L6 refuses calls or not, by on_unavailable = %s", async (on_unavailable, status, code) => {
    const gateway = await openWithBudgets({
      budgets: { people: { requests: 9, on_unavailable } },
      objects: down,
    });
    expect(await chat(gateway)).toMatchObject({ status, code });
    expect(gateway.operatorErrors.map(({ event }) => event)).toContain("budget_failed");
  });

  it("L6 leaves the charge as an event, which the records Worker delivers", async () => {
    const gateway = await openWithBudgets({
      budgets: { people: { requests: 9, on_unavailable: "open" } },
      objects: down,
    });
    await chat(gateway);
    const { charges } = only(gateway.events, "budget_charge");
    expect(charges).toMatchObject({
      settlements: [{ isEstimate: false, charges: [{ account: "budget:people", amount: 1 }] }],
    });
  });

  it("is called once more with a new stub where the platform says that a retry helps", async () => {
    let stubs = 0;
    const flaky = {
      idFromName: (name: string) => BUDGET_OBJECTS.idFromName(name),
      get: (id: DurableObjectId) => {
        stubs += 1;
        if (stubs % 2 === 0) return BUDGET_OBJECTS.get(id);
        const failure = Object.assign(new Error("reset by a deployment"), { retryable: true });
        return new Proxy({}, { get: () => () => Promise.reject(failure) });
      },
    };
    const gateway = await openWithBudgets({ budgets: { people: { requests: 2 } }, objects: flaky });
    const codes: (string | null)[] = [];
    for (let n = 0; n < 3; n += 1) codes.push((await chat(gateway)).code);
    expect(codes).toEqual([null, null, "budget_exceeded"]);
  });
});

describe("the refusal of a budget", () => {
  it("L7 is a 403 that no SDK repeats, and names the budget, its use and its reset", async () => {
    const gateway = await openWithBudgets({ budgets: { people: { requests: 0 } } });
    const { status, headers, message } = await chat(gateway);
    expect(status).toBe(403);
    expect(headers.get("x-should-retry")).toBe("false");
    expect(headers.get("retry-after")).toBeNull();
    expect(message).toMatch(
      /^The request might exceed a budget\. Budget "people": 0 requests of 0 requests used/,
    );
    expect(message).toMatch(/It resets at 2026-12-01T00:00:00\.000Z\.$/);
  });

  it("L7 is a 429 with the time of the reset by setting", async () => {
    const gateway = await openWithBudgets({ budgets: { people: { requests: 0, status: 429 } } });
    const { status, headers } = await chat(gateway);
    expect(status).toBe(429);
    expect(headers.get("x-should-retry")).toBe("false");
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(86_400);
  });
});

describe("the filters of a rule", () => {
  it.each([
    [{ providers: ["claude"] }, 200],
    [{ providers: ["central"] }, 403],
    [{ models: ["gpt-5*"] }, 200],
    [{ models: ["gpt-4*"] }, 403],
    [{ clients: ["Coder Agents"] }, 200],
    [{ claim: "team=research" }, 200],
  ])("%o: %i", async (filter, status) => {
    const gateway = await openWithBudgets({ budgets: { people: { requests: 0, ...filter } } });
    expect((await chat(gateway)).status).toBe(status);
  });
});

describe("a rate limit", () => {
  it("L7 of requests refuses with 429 and the headers of the dialect", async () => {
    const gateway = await openWithBudgets({ limits: { burst: { requests: 2 } } });
    await chat(gateway);
    await chat(gateway);
    const { status, code, headers, message } = await chat(gateway);
    expect([status, code]).toEqual([429, "rate_limited"]);
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    expect(headers.get("x-ratelimit-limit-requests")).toBe("2");
    expect(headers.get("x-ratelimit-remaining-requests")).toBe("0");
    expect(headers.get("x-should-retry")).toBeNull();
    expect(message).toContain('Limit "burst": 2 requests a minute.');
    const claude = await chat(
      gateway,
      '{"model":"claude-opus-4-6","max_tokens":4,"messages":[]}',
      alice,
      MESSAGES_PATH,
    );
    expect(claude.headers.get("anthropic-ratelimit-requests-limit")).toBe("2");
    expect(typesOf(gateway.events).filter((type) => type === "rate_limited")).toHaveLength(1);
  });

  it("lets calls through again once the minute has passed", async () => {
    const gateway = await openWithBudgets({ limits: { burst: { requests: 1 } } });
    await chat(gateway);
    expect((await chat(gateway)).status).toBe(429);
    gateway.clock.at += 62_000;
    expect((await chat(gateway)).status).toBe(200);
  });

  it("of concurrent calls counts those that have not ended", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const called = Promise.withResolvers<void>();
    const gateway = await openWithBudgets({
      limits: { few: { concurrent: 1 } },
      provider: async () => {
        called.resolve();
        await promise;
        return usageResponse(1, 1);
      },
    });
    const first = gateway.call(CHAT_PATH, post(chatBody(), alice));
    await called.promise;
    gateway.clock.at += 1;
    const second = await gateway.call(CHAT_PATH, post(chatBody(), alice));
    expect(second.response.headers.get("x-interceptor-error")).toBe("rate_limited");
    resolve();
    const { response, settled } = await first;
    expect(response.status).toBe(200);
    await response.text();
    await settled();
    gateway.clock.at += 1;
    expect((await gateway.call(CHAT_PATH, post(chatBody(), alice))).response.status).toBe(200);
  });

  it("of tokens counts what calls have used", async () => {
    const gateway = await openWithBudgets({
      limits: { tokens: { tokens: 300 } },
      provider: () => usageResponse(100, 100),
    });
    expect((await chat(gateway)).status).toBe(200);
    expect((await chat(gateway)).status).toBe(200);
    expect((await chat(gateway)).code).toBe("rate_limited");
  });

  it("of the platform counts by the caller's account", async () => {
    const keys: string[] = [];
    const binding = {
      limit: ({ key }: { readonly key: string }) => {
        keys.push(key);
        return Promise.resolve({ success: keys.length < 2 });
      },
    };
    const gateway = await openWithBudgets({
      limits: { cheap: { per: "actor", binding: "LIMITER" } },
      vars: { LIMITER: binding },
    });
    expect((await chat(gateway)).status).toBe(200);
    expect((await chat(gateway)).code).toBe("rate_limited");
    expect(keys[0]).toBe(JSON.stringify(["principal", "keys", ALICE_ID]));
  });
});

describe("a deployment without budgets", () => {
  it("calls no object", async () => {
    const objects = { idFromName: () => expect.unreachable(), get: () => expect.unreachable() };
    const gateway = await openGateway({
      provider: () => usageResponse(1, 1),
      vars: { BUDGET_OBJECTS: objects },
    });
    expect((await gateway.exchange("/openai/v1/chat/completions", post(chatBody()))).response.status).toBe(
      200,
    );
  });
});

/** The platform's own error for a method that the object's version does not have. */
const withoutBatch = (stub: object): object =>
  new Proxy(stub, {
    get: (target, name) =>
      name === "batch"
        ? (Reflect.get(target, "batchOfNewerVersion") as unknown)
        : (Reflect.get(target, name) as unknown),
  });

describe("a budget object of an older version", () => {
  it("is called for each item by its own method", async () => {
    const objects = counting(withoutBatch);
    const gateway = await openWithBudgets({
      budgets: { people: { requests: 7 } },
      objects: objects.namespace,
    });
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => {
        gateway.clock.at += 1;
        const { response, settled } = await gateway.call(CHAT_PATH, post(chatBody(SMALL), alice));
        await response.body?.cancel();
        await settled();
        return response.status;
      }),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(7);
    expect(statuses.filter((status) => status === 403)).toHaveLength(13);
    expect(gateway.operatorErrors).toEqual([]);
  });
});

describe("a budget object", () => {
  it("L8 charges a call whose lease has ended, and replaces that by what it has cost", async () => {
    const stub = BUDGET_OBJECTS.get(BUDGET_OBJECTS.idFromName(crypto.randomUUID()));
    const claim = {
      account: "budget:x",
      start: 1,
      since: 1,
      resetsAt: Date.now() + 1e9,
      keepMs: 1e9,
      limit: 100,
      isHard: true,
      warnAt: [],
      amount: 60,
    };
    await runInDurableObject(stub, async (object) => {
      const budget = object as unknown as BudgetService;
      await budget.reserve({ id: "dead", leaseMs: 0, claims: [claim] });
      expect(await budget.read([claim])).toMatchObject([{ spent: 60, reserved: 0 }]);
      expect((await budget.reserve({ id: "next", leaseMs: 1e6, claims: [claim] })).refusedBy).toBe(
        "budget:x",
      );
      await budget.settle([{ id: "dead", isEstimate: false, charges: [{ ...claim, amount: 7 }] }]);
      expect(await budget.read([claim])).toMatchObject([{ spent: 7, reserved: 0 }]);
    });
  });
});

/** Of a window of a minute. */
const claimAt = (start: number) => ({
  account: "rate:x:requests",
  start,
  since: start - 60_000,
  resetsAt: start + 61_000,
  keepMs: 1e6,
  limit: 10,
  isHard: true,
  warnAt: [],
  amount: 1,
});

describe("a limit of concurrent calls", () => {
  it("L8 takes a call that was lost for ended", async () => {
    const stub = BUDGET_OBJECTS.get(BUDGET_OBJECTS.idFromName(crypto.randomUUID()));
    const claim = { ...claimAt(0), account: "rate:x:concurrent", since: 0, limit: 1 };
    await runInDurableObject(stub, async (object) => {
      const budget = object as unknown as BudgetService;
      await budget.reserve({ id: "lost", leaseMs: 0, claims: [claim] });
      expect((await budget.reserve({ id: "next", leaseMs: 1e6, claims: [claim] })).refusedBy).toBeNull();
    });
  });
});

describe("a window", () => {
  // The attack: requests begin one after another, and their bodies arrive in the reverse order.
  it("also counts calls that began later", async () => {
    const stub = BUDGET_OBJECTS.get(BUDGET_OBJECTS.idFromName(crypto.randomUUID()));
    await runInDurableObject(stub, async (object) => {
      const budget = object as unknown as BudgetService;
      let admitted = 0;
      for (let n = 30; n > 0; n -= 1) {
        const reservation = { id: `call-${n}`, leaseMs: 1e6, claims: [claimAt(1e12 + n * 1000)] };
        if ((await budget.reserve(reservation)).refusedBy === null) admitted += 1;
      }
      expect(admitted).toBe(10);
    });
  });
});

describe("refusals of the whole", () => {
  it("count for calls of all callers in mode soft, once this isolate knows", async () => {
    const gateway = await openWithBudgets({ budgets: { everyone: { per: "all", requests: 3 } } });
    const refused = await refusedBy(gateway);
    expect(refused).toBeGreaterThanOrEqual(3);
    expect(refused).toBeLessThan(20);
  });
});
