/**
 * Budget objects that the platform resets: each deployment of the records Worker does that, also while they are called. Over
 * real objects, which are aborted before a call of theirs, or after it, with its response lost.
 * https://developers.cloudflare.com/durable-objects/concepts/durable-object-lifecycle/
 */
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import {
  BUDGET_OBJECTS,
  CHAT_PATH,
  chat,
  chatBody,
  openWithBudgets,
  usageResponse,
} from "../../support/in-workerd/budget-gateway.ts";
import { json, post, sse, typesOf } from "../../support/in-workerd/calls.ts";
import type { Gateway, Provider } from "../../support/in-workerd/gateway-harness.ts";
import { alice, bob } from "../../support/in-workerd/object-store.ts";
import { upstreamBody } from "../../support/in-workerd/upstream-body.ts";

type When = "before" | "after";

/** Ends the object at once, as a deployment does. Its database stays. */
async function reset(id: DurableObjectId): Promise<void> {
  await runInDurableObject(BUDGET_OBJECTS.get(id), (_, state) => state.abort("reset")).catch(() => undefined);
}

/** The namespace, whose `at`th call is interrupted. */
function interrupted(at: number, when: When) {
  let calls = 0;
  const get = (id: DurableObjectId): unknown =>
    new Proxy(
      {},
      {
        get:
          (_, method: string) =>
          async (...args: unknown[]) => {
            const isInterrupted = calls === at;
            calls += 1;
            if (isInterrupted && when === "before") await reset(id);
            const stub = BUDGET_OBJECTS.get(id) as unknown as Record<string, (...all: unknown[]) => unknown>;
            const result = await stub[method]?.(...args);
            if (!isInterrupted || when === "before") return result;
            await reset(id);
            throw Object.assign(new Error("The Durable Object was reset."), { retryable: true });
          },
      },
    );
  const ids = new Map<string, DurableObjectId>();
  const idFromName = (name: string): DurableObjectId => {
    const id = BUDGET_OBJECTS.idFromName(name);
    ids.set(name, id);
    return id;
  };
  return { namespace: { idFromName, get }, calls: () => calls, ids: () => [...ids.values()] };
}

const SMALL = chatBody(',"max_tokens":4');
const budgets = {
  people: { dollars: 1 },
  all: { per: "all", mode: "strict", dollars: 200 },
  calls: { requests: 5 },
};

/** A stream whose client disconnects. */
async function disconnect(gateway: Gateway): Promise<void> {
  gateway.clock.at += 1;
  const abort = new AbortController();
  const init = post(chatBody(',"stream":true,"max_tokens":1000'), alice);
  const { response, settled } = await gateway.call(CHAT_PATH, { ...init, signal: abort.signal });
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  abort.abort();
  await settled();
}

/** Calls of each kind: two that are charged, a failed one, one whose client disconnects, and one that another budget refuses. */
async function callAll(gateway: Gateway): Promise<readonly (string | null)[]> {
  const codes = [(await chat(gateway, SMALL)).code, (await chat(gateway, SMALL, bob)).code];
  codes.push((await chat(gateway, chatBody(',"max_tokens":5'))).code);
  await disconnect(gateway);
  codes.push((await chat(gateway, chatBody(',"max_tokens":16000,"n":13'), bob)).code);
  return codes;
}

const provider: Provider = ({ body }) => {
  const text = new TextDecoder().decode(body);
  if (text.includes('"max_tokens":5')) return json('{"error":{"message":"no"}}', { status: 500 });
  if (!text.includes('"stream"')) return usageResponse(10, 4);
  const upstream = upstreamBody();
  upstream.send('data: {"choices":[{"delta":{"content":"hello"}}]}\n\n');
  return sse(upstream.stream);
};

/** The rows of each object, in an order that does not depend on their names. */
async function rowsOf(ids: readonly DurableObjectId[]): Promise<readonly string[]> {
  const rows = await Promise.all(
    ids.map((id) =>
      runInDurableObject(BUDGET_OBJECTS.get(id), (_, { storage: { sql } }) => {
        const periods = sql.exec("SELECT account, spent, reserved, refused FROM periods ORDER BY account");
        const open = sql.exec("SELECT COUNT(*) AS open FROM open");
        return JSON.stringify([periods.toArray(), open.toArray()]);
      }),
    ),
  );
  return rows.toSorted();
}

async function run({ namespace, ids }: ReturnType<typeof interrupted>): Promise<object> {
  const gateway = await openWithBudgets({ budgets, provider, objects: namespace });
  const codes = await callAll(gateway);
  const events = typesOf(gateway.events).filter((type) => type.startsWith("budget_"));
  return { codes, events, rows: await rowsOf(ids()) };
}

describe("a budget object that is reset", () => {
  it("at any call charges and refuses as one that is not", async () => {
    const undisturbed = interrupted(-1, "before");
    const expected = await run(undisturbed);
    expect(expected).toMatchObject({ codes: [null, null, null, "budget_exceeded"] });
    const most = undisturbed.calls();
    expect(most).toBeGreaterThan(10);
    for (const when of ["before", "after"] as const)
      for (let at = 0; at < most; at += 1) {
        expect([when, at, await run(interrupted(at, when))]).toEqual([when, at, expected]);
      }
  });
});
