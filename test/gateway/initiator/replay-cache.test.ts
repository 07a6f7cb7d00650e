import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { durableReplayCache } from "../../../src/gateway/initiator/replay-cache.ts";
import type { ReplayCacheShard } from "../../../src/gateway/initiator/replay-cache-shard.ts";

const { NONCES } = env as unknown as { readonly NONCES: DurableObjectNamespace };
const complaints: string[] = [];
const logError = (line: string): void => void complaints.push(line);
const nonces = durableReplayCache(NONCES, logError);

/** MACs that no other test has; `shard` is their first byte. */
let made = 0;
const newMac = (shard = "ab"): string => `${shard}${(made += 1).toString(16).padStart(62, "0")}`;
const shardOf = (mac: string): DurableObjectStub<ReplayCacheShard & Rpc.DurableObjectBranded> =>
  NONCES.get(NONCES.idFromName(mac.slice(0, 2))) as never;

const soon = (): number => Date.now() + 300_000;

/** What a shard remembers. */
const remembered = (mac: string): Promise<string[]> =>
  runInDurableObject(shardOf(mac), (_, { storage }) =>
    storage.sql
      .exec<{ mac: string }>("SELECT mac FROM seen")
      .toArray()
      .map((row) => row.mac),
  );

afterEach(() => {
  complaints.length = 0;
  vi.useRealTimers();
});

describe("A23 the replay cache", () => {
  it("says of a signature that it is the first, and from then on that it is not", async () => {
    const mac = newMac();
    const said = [];
    for (let times = 0; times < 3; times += 1) said.push(await nonces(mac, soon()));
    expect(said).toEqual(["first", "again", "again"]);
  });

  it("of 50 at once tells exactly one that it is the first", async () => {
    // The attack: the same signed request on many connections in the same moment.
    const mac = newMac();
    const said = await Promise.all(Array.from({ length: 50 }, () => nonces(mac, soon())));
    expect(said.filter((one) => one === "first")).toHaveLength(1);
    expect(said.filter((one) => one === "again")).toHaveLength(49);
  });

  it("knows each by its whole: signatures that differ in one digit are two", async () => {
    const mac = newMac();
    const other = `${mac.slice(0, -1)}${mac.endsWith("f") ? "0" : "f"}`;
    expect([await nonces(mac, soon()), await nonces(other, soon())]).toEqual(["first", "first"]);
  });

  it("spreads over shards by the signature's beginning, each with its own", async () => {
    const [one, other] = [newMac("00"), newMac("01")];
    await nonces(one, soon());
    await nonces(other, soon());
    expect([await remembered(one), await remembered(other)]).toEqual([[one], [other]]);
  });
});

describe("what a shard remembers", () => {
  it("is forgotten when no clock could take it for fresh any more, and not before", async () => {
    const [past, margin, fresh] = [newMac("10"), newMac("10"), newMac("10")];
    await nonces(past, Date.now() - 61_000);
    await nonces(margin, Date.now() - 30_000);
    await nonces(fresh, soon());
    expect(await runDurableObjectAlarm(shardOf(past))).toBe(true);
    expect((await remembered(past)).toSorted()).toEqual([margin, fresh].toSorted());
    expect(await nonces(fresh, soon())).toBe("again");
  });

  it("is looked through again as long as there is anything, and left alone once it is empty", async () => {
    const mac = newMac("11");
    const stub = shardOf(mac);
    const alarm = (): Promise<number | null> =>
      runInDurableObject(stub, (_, { storage }) => storage.getAlarm());
    await nonces(mac, soon());
    const set = await alarm();
    expect(set).toBeGreaterThan(Date.now());
    // Further signatures do not put it off.
    await nonces(newMac("11"), soon());
    expect(await alarm()).toBe(set);
    await runDurableObjectAlarm(stub);
    expect(await alarm()).toBeGreaterThan(Date.now());
    await runInDurableObject(stub, (_, { storage }) => void storage.sql.exec("UPDATE seen SET until = 0"));
    await runDurableObjectAlarm(stub);
    expect([await alarm(), await remembered(mac)]).toEqual([null, []]);
    // It goes on working.
    expect(await nonces(newMac("11"), soon())).toBe("first");
    expect(await alarm()).not.toBeNull();
  });

  it.each(["", "?mac=", "?until=1", "?mac=ab", "?mac=ab&until=x", "?mac=ab&until=1.5"])(
    "a question of another form (%j) is none, and leaves nothing behind",
    async (query) => {
      const { status } = await shardOf("12").fetch(`https://nonces.invalid/${query}`, { method: "POST" });
      expect(status).toBe(400);
      expect(await remembered("12")).toEqual([]);
    },
  );
});

/** A namespace whose objects answer as they are told. */
function shards(answer: (init: RequestInit) => Promise<Response>): DurableObjectNamespace {
  const whole = {
    idFromName: (name: string) => name,
    get: () => ({ fetch: (_: string, init: RequestInit) => answer(init) }),
  };
  return whole as unknown as DurableObjectNamespace;
}

const hanging = ({ signal }: RequestInit): Promise<Response> =>
  new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new Error("aborted"))));

describe("a replay cache that cannot be asked is down, never a yes", () => {
  it.each([
    ["it throws", () => Promise.reject(new TypeError("CANARY overloaded")), "TypeError"],
    ["it rejects with nothing", () => Promise.reject(), "unknown"],
    ["it answers 500", async () => new Response(null, { status: 500 }), "status 500"],
    ["it answers 200", async () => new Response("first"), "status 200"],
    ["it did not understand", async () => new Response(null, { status: 400 }), "status 400"],
  ])("%s: the console is told why, in our words", async (_, answer, why) => {
    expect(await durableReplayCache(shards(answer), logError)(newMac(), soon())).toBe("down");
    expect(complaints).toEqual([`replay cache failed: ${why}`]);
  });

  it("there is no such object", async () => {
    const broken = {
      idFromName: () => {
        throw new TypeError("no such namespace");
      },
    };
    expect(
      await durableReplayCache(broken as unknown as DurableObjectNamespace, logError)(newMac(), soon()),
    ).toBe("down");
  });

  it("no answer comes in time", async () => {
    vi.useFakeTimers();
    const said = durableReplayCache(shards(hanging), logError)(newMac(), soon());
    await vi.advanceTimersByTimeAsync(2000);
    expect(await said).toBe("down");
  });
});
