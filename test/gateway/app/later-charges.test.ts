/** Charges of what is read later than its call: the account is that of the call, not of its reader. Over real budget objects. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { BudgetService } from "../../../src/events/budget-service.ts";
import {
  BUDGET_OBJECTS,
  chat,
  chatBody,
  openWithBudgets,
  usageResponse,
} from "../../support/in-workerd/budget-gateway.ts";
import { BACKOFF_MS } from "../../../src/gateway/policy/budgets/backoff.ts";
import { ByteBudget } from "../../../src/shared/byte-budget.ts";
import type { After } from "../../../src/shared/deadline.ts";
import { json, post } from "../../support/in-workerd/calls.ts";
import type { Gateway, Provider } from "../../support/in-workerd/gateway-harness.ts";
import { alice, ALICE_ID, asserted, bob } from "../../support/in-workerd/object-store.ts";

const DAY_MS = 86_400_000;

/** Providers whose stored objects all callers may use. */
const objects = { read: "on", write: "on" };
const PROVIDERS = {
  central: {
    type: "openai",
    base_url: "https://central.example/v1",
    keys: ["CENTRAL_KEY"],
    objects,
  },
  claude: { type: "anthropic", base_url: "https://central.example", keys: ["CENTRAL_KEY"], objects },
};
const open = (budgets: Record<string, unknown>, provider: Provider): Promise<Gateway> =>
  openWithBudgets({ budgets, provider, vars: { PROVIDERS } });

/** The waits between the tries of a call to an object end at once. No other timer ends. */
const endWaits: After = (ms, run) => {
  if (BACKOFF_MS.includes(ms)) queueMicrotask(run);
  return () => undefined;
};
const BODIES = {
  pace: { graceMs: 60_000, minRate: 1 },
  budget: new ByteBudget(48 * 1024 * 1024, Date.now),
  neededMs: 60_000,
  now: Date.now,
  after: endWaits,
};

/** A result of 1,000 tokens of output. */
const resultOf = (id: string, model: string, line: object): string =>
  JSON.stringify({ custom_id: id, ...line, model });
const claudeResult = (id: string, model: string): string =>
  JSON.stringify({
    custom_id: id,
    result: {
      type: "succeeded",
      message: {
        id: `msg_${id}`,
        type: "message",
        model,
        content: [],
        stop_reason: "end_turn",
        usage: { input_tokens: 0, output_tokens: 1000 },
      },
    },
  });
const openaiResult = (id: string): string =>
  resultOf(id, "gpt-4o", {
    response: {
      status_code: 200,
      body: {
        id: `chatcmpl-${id}`,
        object: "chat.completion",
        model: "gpt-4o",
        choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "hi" } }],
        usage: { prompt_tokens: 0, completion_tokens: 1000, total_tokens: 1000 },
      },
    },
  });

/** Micro-dollars that a person's account has spent, from the message of a refused call. */
async function spentBy(gateway: Gateway, who: Record<string, string>): Promise<number> {
  const { message } = await chat(gateway, chatBody(',"max_tokens":16000,"n":100'), who);
  const [, spent = "-1"] = /: \$([\d.]+) of .* used/.exec(message) ?? [];
  return Math.round(Number(spent) * 1e6);
}

const read = async (gateway: Gateway, path: string, who: Record<string, string>): Promise<void> => {
  gateway.clock.at += 1;
  const { response } = await gateway.exchange(path, { headers: who });
  expect(response.status).toBe(200);
};

const BATCHES = "/claude/v1/messages/batches";

async function create(gateway: Gateway, who: Record<string, string>): Promise<void> {
  gateway.clock.at += 1;
  const { response } = await gateway.exchange(BATCHES, post('{"requests":[]}', who));
  expect(response.status).toBe(200);
}

describe("the results of a batch", () => {
  // Opus 4.6 costs 25 dollars per million tokens of output, Haiku 4.5 costs 5, and a batch the half of it.
  const results = `${claudeResult("a", "claude-opus-4-6")}\n${claudeResult("b", "claude-haiku-4-5")}\n`;
  const provider: Provider = ({ method }) =>
    method === "POST"
      ? json('{"id":"msgbatch_1","type":"message_batch","processing_status":"in_progress"}')
      : new Response(results, { headers: { "content-type": "application/x-jsonl" } });

  // The attack: a person who reads a colleague's results pays for them, or each of two readers does.
  it("are charged once, to the person who created it, with any reader", async () => {
    const gateway = await open({ people: { dollars: 1 } }, provider);
    await create(gateway, alice);
    for (const who of [bob, alice, bob]) await read(gateway, `${BATCHES}/msgbatch_1/results`, who);
    expect(await spentBy(gateway, alice)).toBe(15_000);
    expect(await spentBy(gateway, bob)).toBe(0);
  });

  it("are charged to the first reader where it was not created through the gateway", async () => {
    const gateway = await open({ people: { dollars: 1 } }, provider);
    for (const who of [bob, alice, bob]) await read(gateway, `${BATCHES}/msgbatch_1/results`, who);
    expect(await spentBy(gateway, bob)).toBe(15_000);
    expect(await spentBy(gateway, alice)).toBe(0);
  });

  it("are charged to no one where the call that created it is outside of all rules", async () => {
    const gateway = await open({ people: { dollars: 1, clients: ["Claude Code"] } }, provider);
    const claude = { "user-agent": "claude-cli/2.1.0 (external, cli)" };
    await create(gateway, alice);
    await read(gateway, `${BATCHES}/msgbatch_1/results`, { ...bob, ...claude });
    expect(await spentBy(gateway, { ...bob, ...claude })).toBe(0);
  });

  it("are charged by the other rules where one demands better evidence", async () => {
    const signed = { requests: 5, min_attribution: "signed", below: "refuse" };
    const gateway = await open(
      { signed, all: { per: "all", mode: "strict", dollars: 0.01, warn_at: [1] } },
      provider,
    );
    await read(gateway, `${BATCHES}/msgbatch_1/results`, asserted);
    expect(gateway.events.filter(({ record_type: type }) => type === "budget_threshold")).toMatchObject([
      { rule: "budget:all", spent: 15_000 },
    ]);
  });

  it("reach a threshold once, however many requests read them", async () => {
    const gateway = await open({ people: { dollars: 0.01, warn_at: [1] } }, provider);
    await create(gateway, alice);
    for (let n = 0; n < 3; n += 1) await read(gateway, `${BATCHES}/msgbatch_1/results`, alice);
    const thresholds = gateway.events.filter(({ record_type: type }) => type === "budget_threshold");
    expect(thresholds).toHaveLength(1);
  });

  it("are charged to each rule by the models that it is about", async () => {
    const rule = { dollars: 0.01, warn_at: [1] };
    const gateway = await open(
      {
        every: rule,
        haiku: { ...rule, models: ["claude-haiku-*"] },
        gpt: { ...rule, models: ["gpt-*"] },
      },
      provider,
    );
    await create(gateway, alice);
    await read(gateway, `${BATCHES}/msgbatch_1/results`, alice);
    const reached = gateway.events.filter(({ record_type: type }) => type === "budget_threshold");
    expect(reached).toMatchObject([
      { rule: "budget:every", spent: 15_000, subject_id: ALICE_ID },
      { rule: "budget:haiku", spent: 2500, subject_id: ALICE_ID },
    ]);
  });

  it("are charged in the period in which it was created", async () => {
    const gateway = await open({ people: { dollars: 1, period: "day" } }, provider);
    await create(gateway, alice);
    gateway.clock.at += DAY_MS;
    await read(gateway, `${BATCHES}/msgbatch_1/results`, alice);
    expect(await spentBy(gateway, alice)).toBe(0);
  });
});

describe("the accounts of results", () => {
  const results = `${claudeResult("a", "claude-opus-4-6")}\n`;
  const provider: Provider = ({ method }) =>
    method === "POST"
      ? json('{"id":"msgbatch_1","type":"message_batch","processing_status":"in_progress"}')
      : new Response(results, { headers: { "content-type": "application/x-jsonl" } });
  it("are looked for nowhere where only calls are limited", async () => {
    const names = new Set<string>();
    const idFromName = (name: string): DurableObjectId => {
      names.add(name);
      return BUDGET_OBJECTS.idFromName(name);
    };
    const counted = { idFromName, get: (id: DurableObjectId) => BUDGET_OBJECTS.get(id) };
    const gateway = await openWithBudgets({
      limits: { burst: { requests: 60 } },
      provider,
      objects: counted,
      vars: { PROVIDERS },
    });
    await create(gateway, alice);
    await read(gateway, `${BATCHES}/msgbatch_1/results`, bob);
    // The limit of the person who created the batch.
    expect(names.size).toBe(1);
  });

  it("are missed in the operator's log where their object is down, and no one is charged", async () => {
    const down = {
      idFromName: (name: string) => name,
      get: () => {
        throw new Error("the object is down");
      },
    };
    const gateway = await openWithBudgets({
      budgets: { people: { dollars: 1, mode: "soft" } },
      provider,
      objects: down,
      vars: { PROVIDERS },
      parts: { bodies: BODIES },
    });
    await read(gateway, `${BATCHES}/msgbatch_1/results`, bob);
    expect(gateway.operatorErrors).toContainEqual(
      expect.objectContaining({ event: "budget_not_charged", provider: "claude" }),
    );
    expect(gateway.events.map(({ record_type: type }) => type)).not.toContain("budget_charge");
  });
});

describe("a file of results", () => {
  it("is charged to the person who created its batch", async () => {
    const batch = { id: "batch_1", object: "batch", status: "completed", output_file_id: "file-out" };
    const gateway = await open({ people: { dollars: 1 } }, ({ method, url }) => {
      if (url.endsWith("/content")) return new Response(`${openaiResult("a")}\n`);
      return json(JSON.stringify(method === "POST" ? { ...batch, status: "validating" } : batch));
    });
    gateway.clock.at += 1;
    const body = '{"input_file_id":"file-1","endpoint":"/v1/chat/completions","completion_window":"24h"}';
    await gateway.exchange("/central/v1/batches", post(body, alice));
    await read(gateway, "/central/v1/batches/batch_1", bob);
    await read(gateway, "/central/v1/files/file-out/content", bob);
    // Half of 10 dollars per million tokens.
    expect(await spentBy(gateway, alice)).toBe(5000);
    expect(await spentBy(gateway, bob)).toBe(0);
  });
});

describe("a response that was made in the background", () => {
  it("replaces the estimate of its own account, with any reader", async () => {
    const done = {
      id: "resp_1",
      object: "response",
      model: "gpt-4o",
      status: "completed",
      output: [],
      usage: { input_tokens: 10, output_tokens: 500, total_tokens: 510 },
    };
    const gateway = await open({ people: { dollars: 1 } }, ({ method, url }) => {
      if (url.endsWith("/completions")) return usageResponse(1, 1);
      return json(JSON.stringify(method === "GET" ? done : { ...done, status: "queued", usage: null }));
    });
    gateway.clock.at += 1;
    const body = '{"model":"gpt-4o","input":"hi","background":true,"max_output_tokens":1000}';
    await gateway.exchange("/central/v1/responses", post(body, alice));
    expect(await spentBy(gateway, alice)).toBeGreaterThanOrEqual(10_000);
    await read(gateway, "/central/v1/responses/resp_1", bob);
    expect(await spentBy(gateway, alice)).toBe(5025);
    expect(await spentBy(gateway, bob)).toBe(0);
  });
});

describe("the accounts that an object keeps for a later charge", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] });
    return () => vi.useRealTimers();
  });

  it("are those that were kept first, for 400 days, and whose they are for 35", async () => {
    const stub = BUDGET_OBJECTS.get(BUDGET_OBJECTS.idFromName(crypto.randomUUID()));
    const subject = { kind: "principal", source: "keys", id: "alice" } as const;
    const call = { at: 1000, accounts: [{ account: "budget:people", object: "a", subject }] };
    const after = async (days: number): Promise<unknown> => {
      vi.setSystemTime(Date.UTC(2026, 10, 30) + days * DAY_MS);
      await runDurableObjectAlarm(stub);
      return runInDurableObject(stub, async (object) => (object as unknown as BudgetService).findLater());
    };
    vi.setSystemTime(Date.UTC(2026, 10, 30));
    await runInDurableObject(stub, async (object) => {
      const service = object as unknown as BudgetService;
      expect(await service.findLater()).toBeNull();
      expect(await service.keepLater(call)).toEqual(call);
      expect(await service.keepLater({ at: 2000, accounts: [] })).toEqual(call);
    });
    expect(await after(34)).toEqual(call);
    expect(await after(36)).toEqual({ at: 1000, accounts: [{ ...call.accounts[0], subject: null }] });
    expect(await after(399)).not.toBeNull();
    expect(await after(401)).toBeNull();
  });
});
