import type { LogOperatorEvent, OperatorEvent } from "../../../src/shared/operator-log.ts";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createReplayCache } from "../../../src/gateway/initiator/replay-cache-client.ts";
import type { ReplayCacheShard } from "../../../src/gateway/initiator/replay-cache-shard.ts";

const { NONCES } = env as unknown as { readonly NONCES: DurableObjectNamespace };
const errors: OperatorEvent[] = [];
const logError: LogOperatorEvent = (event) => void errors.push(event);
const randomUuid = (): string => crypto.randomUUID();
const deps = { logError, randomUuid };
const replayCache = createReplayCache(NONCES, deps);

/** Unique MACs; `shard` is their first byte. */
let macs = 0;
const newMac = (shard = "ab"): string => `${shard}${(macs += 1).toString(16).padStart(62, "0")}`;
const shardOf = (mac: string): DurableObjectStub<ReplayCacheShard & Rpc.DurableObjectBranded> =>
  NONCES.get(NONCES.idFromName(mac.slice(0, 2))) as never;

const soon = (): number => Date.now() + 300_000;

/** The MACs of this file that a shard stores: other files sign requests, and their MACs are in any shard. */
const storedMacs = (mac: string): Promise<string[]> =>
  runInDurableObject(shardOf(mac), (_, { storage }) =>
    storage.sql
      .exec<{ mac: string }>("SELECT mac FROM seen")
      .toArray()
      .map((row) => row.mac)
      .filter((stored) => /^..0{50}/.test(stored)),
  );

afterEach(() => {
  errors.length = 0;
  vi.useRealTimers();
});

describe("A23 the replay cache", () => {
  it("reports the first use of a signature once, and every later use as a replay", async () => {
    const mac = newMac();
    const results = [];
    for (let times = 0; times < 3; times += 1) results.push(await replayCache(mac, soon()));
    expect(results).toEqual(["first", "again", "again"]);
  });

  it("reports exactly one of 50 concurrent uses as the first", async () => {
    // The attack: the same signed request on many connections at the same moment.
    const mac = newMac();
    const results = await Promise.all(Array.from({ length: 50 }, () => replayCache(mac, soon())));
    expect(results.filter((result) => result === "first")).toHaveLength(1);
    expect(results.filter((result) => result === "again")).toHaveLength(49);
  });

  it("compares the whole MAC: signatures that differ in one digit are two", async () => {
    const mac = newMac();
    const other = `${mac.slice(0, -1)}${mac.endsWith("f") ? "0" : "f"}`;
    expect([await replayCache(mac, soon()), await replayCache(other, soon())]).toEqual(["first", "first"]);
  });

  it("distributes signatures over shards by the MAC's first byte", async () => {
    const [one, other] = [newMac("00"), newMac("01")];
    await replayCache(one, soon());
    await replayCache(other, soon());
    expect([await storedMacs(one), await storedMacs(other)]).toEqual([[one], [other]]);
  });
});

describe("a shard of the replay cache", () => {
  it("deletes a signature only when no machine's clock could consider it fresh", async () => {
    const [past, margin, fresh] = [newMac("10"), newMac("10"), newMac("10")];
    await replayCache(past, Date.now() - 61_000);
    await replayCache(margin, Date.now() - 30_000);
    await replayCache(fresh, soon());
    expect(await runDurableObjectAlarm(shardOf(past))).toBe(true);
    expect((await storedMacs(past)).toSorted()).toEqual([margin, fresh].toSorted());
    expect(await replayCache(fresh, soon())).toBe("again");
  });

  it("sets its alarm again while it stores signatures, and stops when it is empty", async () => {
    const mac = newMac("11");
    const stub = shardOf(mac);
    const alarm = (): Promise<number | null> =>
      runInDurableObject(stub, (_, { storage }) => storage.getAlarm());
    await replayCache(mac, soon());
    const set = await alarm();
    expect(set).toBeGreaterThan(Date.now());
    // Further signatures do not postpone the alarm.
    await replayCache(newMac("11"), soon());
    expect(await alarm()).toBe(set);
    await runDurableObjectAlarm(stub);
    expect(await alarm()).toBeGreaterThan(Date.now());
    await runInDurableObject(stub, (_, { storage }) => void storage.sql.exec("UPDATE seen SET until = 0"));
    await runDurableObjectAlarm(stub);
    expect([await alarm(), await storedMacs(mac)]).toEqual([null, []]);
    // The empty shard still works.
    expect(await replayCache(newMac("11"), soon())).toBe("first");
    expect(await alarm()).not.toBeNull();
  });

  it.each(["", "?mac=", "?until=1", "?mac=ab", "?mac=ab&until=x", "?mac=ab&until=1.5"])(
    "rejects a malformed query (%j) and stores nothing",
    async (query) => {
      const before = await storedMacs("12");
      const { status } = await shardOf("12").fetch(`https://nonces.invalid/${query}`, { method: "POST" });
      expect(status).toBe(400);
      expect(await storedMacs("12")).toEqual(before);
    },
  );
});

/** A query of a gateway, by its parameters. */
const query = (mac: string, parameters: string): Promise<Response> =>
  shardOf(mac).fetch(`https://nonces.invalid/?mac=${mac}&until=${soon()}${parameters}`, { method: "POST" });

const statusesOf = async (queries: readonly Promise<Response>[]): Promise<number[]> =>
  (await Promise.all(queries)).map(({ status }) => status);

describe("the token of a query", () => {
  const [ONE, OTHER] = [
    "&token=11111111-1111-4111-8111-111111111111",
    "&token=22222222-2222-4222-8222-222222222222",
  ];

  it("makes a repetition the first use too, however often and however late", async () => {
    const mac = newMac("20");
    const statuses = [];
    for (const token of [ONE, ONE, OTHER, ONE, OTHER]) statuses.push((await query(mac, token)).status);
    expect(statuses).toEqual([201, 201, 409, 201, 409]);
    expect(await storedMacs(mac)).toEqual([mac]);
  });

  it("belongs to one signature: the same token with another is a query of its own", async () => {
    const [one, other] = [newMac("21"), newMac("21")];
    await query(one, OTHER);
    await query(other, ONE);
    // The attack: a token that has been seen, sent with a signature of another query.
    expect(await statusesOf([query(one, ONE), query(other, OTHER)])).toEqual([409, 409]);
  });

  it.each([
    ["no token, as a gateway from before it", ""],
    ["an empty token", "&token="],
  ])("is not needed: %s is the first use once", async (_, without) => {
    const mac = newMac("22");
    const statuses = [];
    for (const token of [without, without, ONE, without]) statuses.push((await query(mac, token)).status);
    expect(statuses).toEqual([201, 409, 409, 409]);
  });

  it("of one query is never that of another: 50 concurrent uses have 50 tokens", async () => {
    const tokens: string[] = [];
    const namespace = fakeNamespace(async (_, url) => {
      tokens.push(new URL(url).searchParams.get("token") ?? "");
      return new Response(null, { status: 201 });
    });
    const cache = createReplayCache(namespace, deps);
    const mac = newMac();
    await Promise.all(Array.from({ length: 50 }, () => cache(mac, soon())));
    expect(new Set(tokens).size).toBe(50);
    for (const token of tokens) expect(token).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  });
});

describe("a shard with a table from before the token", () => {
  const OLD_TABLE = "CREATE TABLE seen (mac TEXT NOT NULL PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID";
  const OLD_INSERT = "INSERT INTO seen (mac, until) VALUES (?, ?) ON CONFLICT (mac) DO NOTHING RETURNING mac";
  const insertAsBefore = ({ sql }: DurableObjectStorage, mac: string): number =>
    sql.exec(OLD_INSERT, mac, soon()).toArray().length;

  it("still knows its signatures, and takes new ones with a token", async () => {
    const [old, fresh] = [newMac("30"), newMac("30")];
    await runInDurableObject(shardOf(old), (shard, state) => {
      state.storage.sql.exec("DROP TABLE seen");
      state.storage.sql.exec(OLD_TABLE);
      expect(insertAsBefore(state.storage, old)).toBe(1);
      // As when the object starts with this version of its code.
      const Shard = shard.constructor as typeof ReplayCacheShard;
      return new Shard(state) as never;
    });
    expect(await replayCache(old, soon())).toBe("again");
    expect([await replayCache(fresh, soon()), await replayCache(fresh, soon())]).toEqual(["first", "again"]);
    expect((await query(fresh, "&token=")).status).toBe(409);
  });

  it("keeps its rows when it starts again and again", async () => {
    const mac = newMac("31");
    await query(mac, "&token=one");
    await runInDurableObject(shardOf(mac), (shard, state) => {
      const Shard = shard.constructor as typeof ReplayCacheShard;
      for (let times = 0; times < 3; times += 1) void new Shard(state);
    });
    expect(await statusesOf([query(mac, "&token=one")])).toEqual([201]);
    expect(await statusesOf([query(mac, "&token=two")])).toEqual([409]);
  });

  it("works with code from before it, after a rollback", async () => {
    const [seen, fresh] = [newMac("32"), newMac("32")];
    await replayCache(seen, soon());
    await runInDurableObject(shardOf(seen), (_, { storage }) => {
      expect([insertAsBefore(storage, seen), insertAsBefore(storage, fresh)]).toEqual([0, 1]);
    });
  });
});

/** A namespace whose objects send the given response. */
function fakeNamespace(
  respond: (init: RequestInit, url: string, stub: number) => Promise<Response>,
): DurableObjectNamespace {
  let stubs = 0;
  const namespace = {
    idFromName: (name: string) => name,
    get: () => {
      const stub = (stubs += 1);
      return { fetch: (url: string, init: RequestInit) => respond(init, url, stub) };
    },
  };
  return namespace as unknown as DurableObjectNamespace;
}

const hanging = ({ signal }: RequestInit): Promise<Response> =>
  new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));

describe("a replay cache that cannot be queried", () => {
  it.each([
    ["an exception", () => Promise.reject(new TypeError("CANARY overloaded")), "TypeError"],
    ["a rejection without an error", () => Promise.reject(), "unknown"],
    ["status 500", async () => new Response(null, { status: 500 }), "status 500"],
    ["status 200", async () => new Response("first"), "status 200"],
    ["status 400", async () => new Response(null, { status: 400 }), "status 400"],
  ])("is down, never a pass, after %s, and logs a fixed text", async (_, respond, reason) => {
    expect(await createReplayCache(fakeNamespace(respond), deps)(newMac(), soon())).toBe("down");
    expect(errors).toEqual([{ event: "replay_cache_failed", reason }]);
  });

  it("is down if the namespace does not exist", async () => {
    const broken = {
      idFromName: () => {
        throw new TypeError("no such namespace");
      },
    };
    expect(await createReplayCache(broken as unknown as DurableObjectNamespace, deps)(newMac(), soon())).toBe(
      "down",
    );
  });

  it("is down after 2 seconds without a response", async () => {
    vi.useFakeTimers();
    const result = createReplayCache(fakeNamespace(hanging), deps)(newMac(), soon());
    await vi.advanceTimersByTimeAsync(2000);
    expect(await result).toBe("down");
  });
});

/** An error as the platform throws it. */
const platformError = (properties: object): Error =>
  Object.assign(new Error("Durable Object reset because its code was updated."), properties);

/** A cache whose first tries fail with these errors; later ones reach the real object. */
function cacheWithFailures(...failures: readonly unknown[]) {
  const tries: { readonly url: string; readonly stub: number }[] = [];
  const namespace = fakeNamespace((init, url, stub) => {
    tries.push({ url, stub });
    const failure = failures[tries.length - 1];
    return failure === undefined ? shardOf(macOf(url)).fetch(url, init as never) : Promise.reject(failure);
  });
  return { cache: createReplayCache(namespace, deps), tries };
}

const macOf = (url: string): string => new URL(url).searchParams.get("mac") ?? "";

describe("a query that fails", () => {
  it("is sent once more where the error is retryable, with another stub and the same token", async () => {
    const { cache, tries } = cacheWithFailures(platformError({ retryable: true }));
    const mac = newMac("40");
    expect(await cache(mac, soon())).toBe("first");
    expect(tries.map(({ stub }) => stub)).toEqual([1, 2]);
    expect(tries[0]?.url).toBe(tries[1]?.url);
    expect(errors).toEqual([]);
    expect(await replayCache(mac, soon())).toBe("again");
  });

  it("is the first use where its first try was stored and only the response was lost", async () => {
    const namespace = fakeNamespace(async (init, url, stub) => {
      const response = await shardOf(macOf(url)).fetch(url, init as never);
      if (stub === 1) throw platformError({ retryable: true, remote: false });
      return response;
    });
    const mac = newMac("41");
    expect(await createReplayCache(namespace, deps)(mac, soon())).toBe("first");
    // The attack: the same signature again, while the gateway retries. It has another token.
    expect(await replayCache(mac, soon())).toBe("again");
  });

  it("is a replay on its second try where another query was first", async () => {
    const mac = newMac("42");
    await replayCache(mac, soon());
    const { cache, tries } = cacheWithFailures(platformError({ retryable: true }));
    expect(await cache(mac, soon())).toBe("again");
    expect(tries).toHaveLength(2);
  });

  it("is not sent a third time", async () => {
    const retryable = platformError({ retryable: true });
    const { cache, tries } = cacheWithFailures(retryable, retryable);
    expect(await cache(newMac("43"), soon())).toBe("down");
    expect(tries).toHaveLength(2);
    expect(errors).toEqual([{ event: "replay_cache_failed", reason: "Error" }]);
  });

  it.each([
    ["an overloaded object", platformError({ retryable: true, overloaded: true })],
    ["an overloaded object that is not retryable", platformError({ overloaded: true })],
    ["an error of the object itself", platformError({ retryable: false, remote: true })],
    ["an error without a mark", new TypeError("x")],
    ["a mark that is not true", platformError({ retryable: "true" })],
    ["no error", "retryable"],
    ["null", null],
  ])("is not sent again after %s", async (_, failure) => {
    const { cache, tries } = cacheWithFailures(failure);
    expect(await cache(newMac("44"), soon())).toBe("down");
    expect(tries).toHaveLength(1);
  });

  it("has 2 seconds for both tries together, and no try begins after them", async () => {
    vi.useFakeTimers();
    const began: number[] = [];
    const namespace = fakeNamespace(async (init) => {
      began.push(Date.now());
      if (began.length > 1) return hanging(init);
      await new Promise((resolve) => void setTimeout(resolve, 1500));
      throw platformError({ retryable: true });
    });
    const startedAt = Date.now();
    const result = createReplayCache(namespace, deps)(newMac(), soon());
    await vi.advanceTimersByTimeAsync(1999);
    expect(began).toEqual([startedAt, startedAt + 1500]);
    expect(errors).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await result).toBe("down");
    expect(errors).toEqual([{ event: "replay_cache_failed", reason: "no response within 2000 ms" }]);
  });

  it("is not sent again where its deadline ended the first try", async () => {
    vi.useFakeTimers();
    const { promise: first, reject } = Promise.withResolvers<Response>();
    let tries = 0;
    const namespace = fakeNamespace(() => {
      tries += 1;
      return first;
    });
    const result = createReplayCache(namespace, deps)(newMac(), soon());
    await vi.advanceTimersByTimeAsync(2000);
    reject(platformError({ retryable: true }));
    expect(await result).toBe("down");
    expect(tries).toBe(1);
  });
});
