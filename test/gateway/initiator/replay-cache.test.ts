import type { LogOperatorEvent, OperatorEvent } from "../../../src/shared/operator-log.ts";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createReplayCache } from "../../../src/gateway/initiator/replay-cache-client.ts";
import type { ReplayCacheShard } from "../../../src/gateway/initiator/replay-cache-shard.ts";

const { NONCES } = env as unknown as { readonly NONCES: DurableObjectNamespace };
const errors: OperatorEvent[] = [];
const logError: LogOperatorEvent = (event) => void errors.push(event);
const replayCache = createReplayCache(NONCES, logError);

/** Unique MACs; `shard` is their first byte. */
let macs = 0;
const newMac = (shard = "ab"): string => `${shard}${(macs += 1).toString(16).padStart(62, "0")}`;
const shardOf = (mac: string): DurableObjectStub<ReplayCacheShard & Rpc.DurableObjectBranded> =>
  NONCES.get(NONCES.idFromName(mac.slice(0, 2))) as never;

const soon = (): number => Date.now() + 300_000;

/** The MACs that a shard stores. */
const storedMacs = (mac: string): Promise<string[]> =>
  runInDurableObject(shardOf(mac), (_, { storage }) =>
    storage.sql
      .exec<{ mac: string }>("SELECT mac FROM seen")
      .toArray()
      .map((row) => row.mac),
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
      const { status } = await shardOf("12").fetch(`https://nonces.invalid/${query}`, { method: "POST" });
      expect(status).toBe(400);
      expect(await storedMacs("12")).toEqual([]);
    },
  );
});

/** A namespace whose objects send the given response. */
function fakeNamespace(respond: (init: RequestInit) => Promise<Response>): DurableObjectNamespace {
  const namespace = {
    idFromName: (name: string) => name,
    get: () => ({ fetch: (_: string, init: RequestInit) => respond(init) }),
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
    expect(await createReplayCache(fakeNamespace(respond), logError)(newMac(), soon())).toBe("down");
    expect(errors).toEqual([{ event: "replay_cache_failed", reason }]);
  });

  it("is down if the namespace does not exist", async () => {
    const broken = {
      idFromName: () => {
        throw new TypeError("no such namespace");
      },
    };
    expect(
      await createReplayCache(broken as unknown as DurableObjectNamespace, logError)(newMac(), soon()),
    ).toBe("down");
  });

  it("is down after 2 seconds without a response", async () => {
    vi.useFakeTimers();
    const result = createReplayCache(fakeNamespace(hanging), logError)(newMac(), soon());
    await vi.advanceTimersByTimeAsync(2000);
    expect(await result).toBe("down");
  });
});
