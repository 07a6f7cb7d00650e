import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { createObjectOwners, ownerKey } from "../../../src/gateway/initiator/object-owners-client.ts";
import { RETENTION_MS, type ObjectOwnersShard } from "../../../src/gateway/initiator/object-owners-shard.ts";
import type { Caller } from "../../../src/events/compose.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import type { OperatorEvent } from "../../../src/shared/operator-log.ts";

const { OBJECTS } = env as unknown as { readonly OBJECTS: DurableObjectNamespace };
const errors: OperatorEvent[] = [];
const owners = createObjectOwners(OBJECTS, (event) => void errors.push(event));
afterEach(() => void (errors.length = 0));

const newId = (): string => `file-${crypto.randomUUID()}`;
const one = (id: string) => ({ provider: "openai", ids: [id] });
const hashOf = (id: string): Promise<string> => sha256Hex(JSON.stringify(["openai", id]));

type Shard = DurableObjectStub<ObjectOwnersShard & Rpc.DurableObjectBranded>;
const shardOf = async (id: string): Promise<Shard> =>
  OBJECTS.get(OBJECTS.idFromName((await hashOf(id)).slice(0, 2))) as never;

async function rowOf(id: string) {
  const hash = await hashOf(id);
  return runInDurableObject(await shardOf(id), (_, { storage }) =>
    storage.sql.exec("SELECT * FROM owned WHERE object = ?", hash).toArray().at(0),
  );
}

/** As if the object had been claimed, and last used, so long ago. */
async function age(id: string, ms: number): Promise<void> {
  const hash = await hashOf(id);
  await runInDurableObject(await shardOf(id), (_, { storage }) => {
    storage.sql.exec("UPDATE owned SET used = ? WHERE object = ?", Date.now() - ms, hash);
  });
}

describe("Finding M6: the owners of stored objects", () => {
  it("are the first that claim: an object is never taken over", async () => {
    const id = newId();
    expect(await owners("check", one(id), "alice")).toBe("other");
    expect(await owners("claim", one(id), "alice")).toBe("own");
    expect(await owners("claim", one(id), "bob")).toBe("other");
    expect(await owners("check", one(id), "bob")).toBe("other");
    expect(await owners("check", one(id), "alice")).toBe("own");
    expect(await owners("claim", one(id), "alice")).toBe("own");
  });

  // The attack: many connections claim the same object at the same moment.
  it("are one of 50 that claim at once", async () => {
    const id = newId();
    const names = Array.from({ length: 50 }, (_, at) => `caller ${at}`);
    const results = await Promise.all(names.map((name) => owners("claim", one(id), name)));
    expect(results.filter((result) => result === "own")).toHaveLength(1);
    const checks = await Promise.all(names.map((name) => owners("check", one(id), name)));
    expect(checks).toEqual(results);
  });

  it("must own each of several objects, in whichever shards", async () => {
    const ids = Array.from({ length: 40 }, newId);
    expect(await owners("claim", { provider: "openai", ids }, "alice")).toBe("own");
    expect(await owners("check", { provider: "openai", ids }, "alice")).toBe("own");
    expect(await owners("check", { provider: "openai", ids: [...ids, newId()] }, "alice")).toBe("other");
    expect(await owners("check", { provider: "other", ids }, "alice")).toBe("other");
  });

  it("are told apart by whole names: no provider and id run into each other", async () => {
    const id = newId();
    await owners("claim", { provider: "a", ids: [`b${id}`] }, "alice");
    expect(await owners("check", { provider: "ab", ids: [id] }, "alice")).toBe("other");
  });

  it("are stored as hashes alone", async () => {
    const id = newId();
    await owners("claim", one(id), "alice");
    const row = await rowOf(id);
    expect(row).toMatchObject({ object: await hashOf(id), owner: await sha256Hex("alice") });
    expect(JSON.stringify(row)).not.toMatch(/alice|file-/);
  });
});

describe("a shard of the owners", () => {
  it("keeps them over a restart of the object", async () => {
    const id = newId();
    await owners("claim", one(id), "alice");
    const hash = await hashOf(id);
    const owner = await sha256Hex("alice");
    const query = `https://objects.invalid/check?owner=${owner}&objects=${hash}`;
    const status = await runInDurableObject(await shardOf(id), async (shard, state) => {
      const Shard = shard.constructor as typeof ObjectOwnersShard;
      return (await new Shard(state).fetch(new Request(query))).status;
    });
    expect(status).toBe(200);
  });

  it("deletes what was not used for 400 days, and keeps what was", async () => {
    const [unused, used, renewed] = [newId(), newId(), newId()];
    for (const id of [unused, used, renewed]) await owners("claim", one(id), "alice");
    await age(unused, RETENTION_MS);
    await age(used, RETENTION_MS - 60_000);
    await age(renewed, RETENTION_MS);
    expect(await owners("check", one(renewed), "alice")).toBe("own");
    // Another's try is no use.
    expect(await owners("check", one(unused), "bob")).toBe("other");
    for (const id of [unused, used, renewed]) await runDurableObjectAlarm(await shardOf(id));
    const kept = await Promise.all([unused, used, renewed].map((id) => owners("check", one(id), "alice")));
    expect(kept).toEqual(["other", "own", "own"]);
  });

  it("sets its alarm while it has rows", async () => {
    const id = newId();
    await owners("claim", one(id), "alice");
    const shard = await shardOf(id);
    expect(await runDurableObjectAlarm(shard)).toBe(true);
    expect(await runInDurableObject(shard, (_, { storage }) => storage.getAlarm())).not.toBeNull();
  });

  it.each([
    "/claim",
    "/claim?owner=a",
    "/check?objects=b",
    "/other?owner=a&objects=b",
    "/?owner=a&objects=b",
  ])("rejects a malformed query: %s", async (path) => {
    const shard = await shardOf(newId());
    expect((await shard.fetch(`https://objects.invalid${path}`)).status).toBe(400);
  });
});

const failing = (respond: () => Promise<Response>) =>
  createObjectOwners(
    { idFromName: (name: string) => name, get: () => ({ fetch: respond }) } as never,
    (event) => void errors.push(event),
  );

describe("a store of owners that fails", () => {
  it.each([
    ["status 500", () => Promise.resolve(new Response(null, { status: 500 }))],
    ["Error", () => Promise.reject(new Error("down"))],
  ] as const)("is down, and reported: %s", async (reason, respond) => {
    for (const query of ["check", "claim"] as const)
      expect(await failing(respond)(query, one("x"), "alice")).toBe("down");
    const event = { event: "object_owners_failed", reason };
    expect(errors).toEqual([event, event]);
  });

  it("is queried once more where the failure is transient: a lost response to a claim is none", async () => {
    const id = newId();
    let tries = 0;
    const lossy = createObjectOwners(
      {
        idFromName: (name: string) => OBJECTS.idFromName(name),
        get: (name: DurableObjectId) => ({
          fetch: async (url: string, init: RequestInit) => {
            const response = await OBJECTS.get(name).fetch(url, init);
            if ((tries += 1) === 1) throw Object.assign(new Error("lost"), { retryable: true });
            return response;
          },
        }),
      } as never,
      (event) => void errors.push(event),
    );
    expect([await lossy("claim", one(id), "alice"), tries, errors]).toEqual(["own", 2, []]);
  });
});

const caller = (over: Partial<Caller>): Caller =>
  ({
    initiator_source: "keys",
    initiator_id: "alice",
    attribution: "authenticated",
    identity_source: "keys",
    actor_id: "alice",
    ...over,
  }) as Caller;

describe("the key of an owner", () => {
  const alice = ownerKey(caller({}));

  it("is the initiator's, whether it called itself or signed", () => {
    expect(ownerKey(caller({ attribution: "signed", actor_id: "bot" }))).toBe(alice);
    expect(ownerKey(caller({ initiator_source: "jwt" }))).not.toBe(alice);
    expect(ownerKey(caller({ initiator_id: "bob" }))).not.toBe(alice);
  });

  it.each(["asserted", "claimed", "unverified"] as const)(
    "is one of the actor's own where it is %s",
    (attribution) => {
      const byBot = ownerKey(caller({ attribution, actor_id: "bot" }));
      expect(byBot).not.toBe(alice);
      expect(ownerKey(caller({ attribution, actor_id: "other" }))).not.toBe(byBot);
      expect(ownerKey(caller({ attribution, actor_id: "bot", identity_source: "jwt" }))).not.toBe(byBot);
    },
  );
});
