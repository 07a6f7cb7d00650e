/** Budgets of calls that may go to a fallback, or that name a model by an alias. */
import { describe, expect, it } from "vitest";
import { createRenewedSecrets } from "../../../src/shared/renewed-secrets.ts";
import type { SecretFinder } from "../../../src/shared/secret-finder.ts";
import { json, post } from "../../support/in-workerd/calls.ts";
import {
  chat,
  chatBody,
  openWithBudgets,
  stateOf,
  usageResponse,
} from "../../support/in-workerd/budget-gateway.ts";
import { alice } from "../../support/in-workerd/object-store.ts";

const PATH = "/main/v1/chat/completions";
const AZURE = "/main/openai/v1/chat/completions";
const LIMIT = ',"max_tokens":1000';

/** The gateway's prices are 2.50 dollars per million tokens of input and 10 of output; `backup` is ten times as expensive. */
const open = (budgets: Record<string, unknown>, isDown: () => boolean, main: Record<string, unknown> = {}) =>
  openWithBudgets({
    budgets,
    provider: ({ url }) =>
      url.startsWith("https://main.") && isDown()
        ? json('{"error":{"message":"overloaded"}}', { status: 503 })
        : usageResponse(100, 100),
    vars: {
      PROVIDERS: {
        main: {
          type: "openai",
          base_url: "https://main.example/v1",
          keys: ["MAIN_KEY"],
          fallbacks: ["backup"],
          ...main,
        },
        backup: { type: "openai", base_url: "https://backup.example/v1", keys: ["BACKUP_KEY"] },
      },
      MAIN_KEY: "sk-main-0123456789abcdef",
      BACKUP_KEY: "sk-back-0123456789abcdef",
      PRICES: { backup: { list: "none", models: { "gpt*": { input: 25, output: 100 } } } },
    },
  });
const send = (gateway: Awaited<ReturnType<typeof open>>, model?: string) =>
  chat(gateway, chatBody(LIMIT, model), alice, PATH);
const hostsOf = ({ sent }: Awaited<ReturnType<typeof open>>): (string | undefined)[] =>
  sent.map(({ url }) => new URL(url).hostname.split(".")[0]);

describe("the budget of a call with a fallback", () => {
  it("reserves the most that it may cost at any of the providers", async () => {
    // 38 tokens of input and 1,000 of output: 10,095 micro-dollars at `main`, 100,950 at `backup`.
    const tight = await open({ people: { dollars: 0.1009 } }, () => true);
    expect(await send(tight)).toMatchObject({ status: 403, code: "budget_exceeded" });
    expect(tight.sent).toHaveLength(0);
    const enough = await open({ people: { dollars: 0.101 } }, () => true);
    expect((await send(enough)).status).toBe(200);
  });

  it("is charged the price of the provider that responded", async () => {
    for (const [isDown, spent] of [
      [true, "0.012500"],
      [false, "0.001250"],
    ] as const) {
      const gateway = await open({ people: { dollars: 0.102 } }, () => isDown);
      expect((await send(gateway)).status).toBe(200);
      expect((await send(gateway)).message).toContain(`$${spent} of`);
    }
  });

  // The attack: a call that a budget of the fallback forbids is made by way of another provider.
  it("does not let a call pass to a provider with a budget that did not reserve it", async () => {
    const gateway = await open(
      { backup: { requests: 0, providers: ["backup"] }, people: { requests: 5 } },
      () => true,
    );
    expect((await send(gateway)).status).toBe(503);
    expect(hostsOf(gateway)).toEqual(["main"]);
  });
});

describe("a call whose last attempt", () => {
  const PROVIDERS = {
    main: {
      type: "openai",
      base_url: "https://main.example/v1",
      keys: ["MAIN_KEY"],
      fallbacks: ["backup"],
    },
    backup: { type: "openai", base_url: "https://backup.example/v1", keys: ["BACKUP_KEY"] },
  };
  const vars = { MAIN_KEY: "sk-main-0123456789abcdef", BACKUP_KEY: "sk-back-0123456789abcdef" };

  it("meets an unexpected error of the gateway is charged for the attempts before it too", async () => {
    const found: SecretFinder = createRenewedSecrets([]).finder;
    const gateway = await openWithBudgets({
      budgets: { people: { dollars: 1 } },
      vars: { PROVIDERS, ...vars },
      provider: ({ url }) =>
        url.startsWith("https://main.")
          ? new Response(null, { status: 524 })
          : new Response(null, { headers: { "x-request-id": "breaks-the-gateway" } }),
      parts: {
        secrets: {
          ...found,
          findAny: (text) => {
            if (text.includes("breaks-the-gateway")) throw new Error("unexpected");
            return null;
          },
        },
      },
    });
    expect(await send(gateway)).toMatchObject({ status: 500, code: "internal" });
    expect(hostsOf(gateway)).toEqual(["main", "backup"]);
    expect(gateway.operatorErrors).toMatchObject([{ event: "request_failed", error: "Error" }]);
    const ended = gateway.events.find((event) => event.record_type === "interception_end");
    expect(ended).toMatchObject({ outcome: "refused", error: "internal", status: 500 });
    // 10,095 micro-dollars were reserved, and each attempt may have cost them; the sum is rounded in the message.
    expect((await stateOf(gateway, PATH)).spent).toBe(20_200);
  });

  it("waits for a token when the client disconnects is charged nothing", async () => {
    const { promise: requested, resolve } = Promise.withResolvers<undefined>();
    const { promise: response, resolve: finish } = Promise.withResolvers<Response>();
    const entra = {
      tenant_id: "contoso.onmicrosoft.com",
      client_id: "0b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b",
      client_secret: "ENTRA_SECRET",
    };
    const gateway = await openWithBudgets({
      budgets: { people: { dollars: 1 } },
      vars: {
        PROVIDERS: { main: { type: "azure", base_url: "https://main.example/openai", entra } },
        ENTRA_SECRET: "Qx7~0123456789abcdefghijklmnop",
      },
      provider: () => {
        resolve(undefined);
        return response;
      },
    });
    const abort = new AbortController();
    const init = { ...post(chatBody(LIMIT), alice), signal: abort.signal };
    const calling = gateway.call(AZURE, init);
    await requested;
    abort.abort();
    const { settled } = await calling;
    // Others may wait for the token, so that its fetch goes on after the request.
    finish(json("{}", { status: 401 }));
    await settled();
    expect(hostsOf(gateway)).toEqual(["login"]);
    expect(gateway.events.find((event) => event.record_type === "interception_end")).toMatchObject({
      outcome: "cancelled",
      cost_micros: 0,
    });
    expect(await stateOf(gateway, AZURE)).toMatchObject({ spent: 0, reserved: 0 });
  });
});

describe("the budget of a call that names an alias", () => {
  const model_ids = { cheap: "gpt-4o" };

  it("is that of the model behind it, and its price", async () => {
    const gateway = await open({ people: { dollars: 0.0102 } }, () => false, { model_ids, fallbacks: [] });
    expect((await send(gateway, "cheap")).status).toBe(200);
    expect(await send(gateway, "cheap")).toMatchObject({ status: 403, code: "budget_exceeded" });
  });

  // The attack: a budget of a model is evaded by an alias of the model.
  it.each([
    ["the model behind it", ["gpt-4o"]],
    ["the alias", ["cheap"]],
  ])("applies where it names %s", async (_, models) => {
    const budgets = { model: { requests: 0, models }, people: { requests: 5 } };
    const gateway = await open(budgets, () => false, { model_ids, fallbacks: [] });
    expect(await send(gateway, "cheap")).toMatchObject({ status: 403, code: "budget_exceeded" });
  });
});
