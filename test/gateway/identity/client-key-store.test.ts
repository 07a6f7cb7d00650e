import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { readCredential } from "../../../src/gateway/identity/credential.ts";
import type { Actor } from "../../../src/gateway/identity/identity.ts";
import { keys } from "../../../src/gateway/identity/sources/keys.ts";
import type { Refusal } from "../../../src/shared/refusal.ts";
import { configure, type InItsWorld } from "../../support/in-workerd/identity.ts";
import { accepted, reasonOf, statusOf } from "../../support/in-workerd/values.ts";

const KEY = "aei_0123456789abcdefghijklmnopqrstuvwxyz";

async function entry(key: string, over: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return JSON.stringify({ sha256: await sha256Hex(key), actor: "ci-bot", kind: "service", ...over });
}

type Get = (key: string, options: unknown) => Promise<string | null>;

type WithStore = InItsWorld & {
  readonly asked: readonly { readonly key: string; readonly options: unknown }[];
  readonly ask: (key?: string) => Promise<Actor | Refusal | null>;
};

function withStore(
  get: Get,
  { options = {}, secret }: { options?: Readonly<Record<string, unknown>>; secret?: string } = {},
): WithStore {
  const asked: { key: string; options: unknown }[] = [];
  const namespace = {
    get: (key: string, how: unknown) => (asked.push({ key, options: how }), get(key, how)),
    getWithMetadata: () => undefined,
  };
  const source = configure(keys, {
    options: { store: "KEYS", ...options },
    bindings: { KEYS: namespace },
    ...(secret !== undefined && { secrets: { CLIENT_KEYS: secret } }),
  });
  const ask = async (key = KEY): Promise<Actor | Refusal | null> =>
    source.identify(accepted(await readCredential(new Headers({ authorization: `Bearer ${key}` }))));
  return { ...source, asked, ask };
}

/** A store with these entries by their keys' digests. */
async function stored(entries: Readonly<Record<string, string>>): Promise<Get> {
  const pairs = Object.entries(entries).map(async ([key, text]) => [await sha256Hex(key), text] as const);
  const kept = new Map(await Promise.all(pairs));
  return async (digest) => kept.get(digest) ?? null;
}

describe("source keys with a store in KV", () => {
  it("makes the entry's actor of a key whose whole SHA-256 is stored", async () => {
    const { ask, asked, problems } = withStore(
      await stored({ [KEY]: await entry(KEY, { name: "CI bot", assert: true }) }),
    );
    expect(problems).toEqual([]);
    const digest = await sha256Hex(KEY);
    expect(await ask()).toEqual({
      id: "ci-bot",
      kind: "service",
      name: "CI bot",
      source: "keys",
      verified: true,
      keyId: digest.slice(0, 16),
      mayAssert: true,
    });
    expect(asked).toEqual([{ key: digest, options: { type: "text", cacheTtl: 60 } }]);
  });

  it("refuses a key of our form that is not there, and asks about no other", async () => {
    const { ask, asked, recognizes: recognizes } = withStore(async () => null);
    expect(await ask()).toMatchObject({ code: "invalid_credential", data: { detail: "no such client key" } });
    expect(await ask("sk-proj-abc")).toBeNull();
    expect(asked).toHaveLength(1);
    expect(recognizes({ value: KEY, from: "authorization", sha256: "" })).toBe(true);
  });

  it("needs no secret beside it, and asks the secret first where there is one", async () => {
    const listed = await entry(KEY, { actor: "from-the-secret" });
    const { ask, asked } = withStore(await stored({ [KEY]: await entry(KEY), aei_b: await entry("aei_b") }), {
      secret: `[${listed}]`,
    });
    expect(await ask()).toMatchObject({ id: "from-the-secret" });
    expect(asked).toEqual([]);
    expect(await ask("aei_b")).toMatchObject({ id: "ci-bot" });
  });

  it("a listed key of another form is still nobody's provider key", async () => {
    const {
      ask,
      asked,
      recognizes: recognizes,
    } = withStore(async () => null, { secret: `[${await entry("old-key")}]` });
    expect(await ask("old-key")).toMatchObject({ id: "ci-bot" });
    expect(recognizes({ value: "old-key", from: "authorization", sha256: await sha256Hex("old-key") })).toBe(
      true,
    );
    expect(asked).toEqual([]);
  });

  it("C8 a key that was revoked is refused after cache_ttl_s, beside what KV itself may take", async () => {
    let text: string | null = await entry(KEY);
    const { ask, clock } = withStore(async () => text);
    await ask();
    text = null;
    clock.at += 29_999;
    expect(await ask()).toMatchObject({ id: "ci-bot" });
    clock.at += 1;
    expect(reasonOf(await ask())).toBe("invalid_credential");
    text = await entry(KEY);
    clock.at += 9999;
    expect(reasonOf(await ask())).toBe("invalid_credential");
    clock.at += 1;
    expect(await ask()).toMatchObject({ id: "ci-bot" });
  });

  it("C8 cache_ttl_s = 0 keeps nothing but what KV keeps", async () => {
    const { ask, asked } = withStore(await stored({ [KEY]: await entry(KEY) }), {
      options: { cache_ttl_s: 0 },
    });
    await ask();
    await ask();
    expect(asked).toHaveLength(2);
  });

  it.each<[string, Get]>([
    ["fails", () => Promise.reject(new Error("KV GET failed: 500 CANARY"))],
    ["refuses", () => Promise.reject(new TypeError("429"))],
  ])("C18 a store that %s: E503, told to nobody, asked again", async (_, get) => {
    const { ask, asked } = withStore(get);
    const refusal = await ask();
    expect(statusOf(refusal)).toBe(503);
    expect(JSON.stringify(refusal)).not.toContain("CANARY");
    await ask();
    expect(asked).toHaveLength(2);
  });

  it("C18 who is known stays known while the store fails, for cache_ttl_s and no longer", async () => {
    let failing = false;
    const good = await entry(KEY);
    const { ask, clock } = withStore(async () => {
      if (failing) throw new Error("down");
      return good;
    });
    await ask();
    failing = true;
    clock.at += 29_999;
    expect(await ask()).toMatchObject({ id: "ci-bot" });
    clock.at += 1;
    expect(statusOf(await ask())).toBe(503);
  });

  it("C10 a hundred at once are one question", async () => {
    const { ask, asked } = withStore(await stored({ [KEY]: await entry(KEY) }));
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask()));
    expect(answers.every((answer) => answer !== null && "id" in answer)).toBe(true);
    expect(asked).toHaveLength(1);
  });
});

describe("source keys: an entry in the store that cannot be used is refused, and complained about", () => {
  it.each<[string, (good: string) => string | Promise<string>, string]>([
    ["no JSON", () => "CANARY", "is not an object"],
    ["null", () => "null", "is not an object"],
    ["a list", (good) => `[${good}]`, "is not an object"],
    ["another key's", () => entry("aei_another"), "is another key's"],
    [
      "without a digest",
      () => JSON.stringify({ actor: "a", kind: "user" }),
      "sha256 is not 64 lower-case hex digits",
    ],
    ["of an unknown kind", () => entry(KEY, { kind: "root" }), 'kind is neither "user" nor "service"'],
    ["of an actor with a blank", () => entry(KEY, { actor: "a b" }), "actor is not an id"],
    [
      "of an actor that looks like a fingerprint",
      () => entry(KEY, { actor: "byok:0" }),
      "actor is not an id",
    ],
    ["that may assert as a text", () => entry(KEY, { assert: "true" }), "assert is neither true nor false"],
    ["with more in it", () => entry(KEY, { admin: true }), "admin is unknown"],
  ])("%s", async (_, make, problem) => {
    const text = await make(await entry(KEY));
    const { ask, complaints } = withStore(async () => text);
    const refusal = await ask();
    expect(reasonOf(refusal)).toBe("invalid_credential");
    const digest = await sha256Hex(KEY);
    expect(complaints).toEqual([
      expect.stringContaining(
        `keys: the entry ${digest.slice(0, 16)} in the store cannot be used: ${problem}`,
      ),
    ]);
    expect(complaints.join()).not.toContain("CANARY");
    await ask();
    expect(complaints).toHaveLength(1);
  });
});

describe("source keys: the options of its store", () => {
  it.each<[Readonly<Record<string, unknown>>, readonly string[]]>([
    [{ store: "" }, ["store", "CLIENT_KEYS"]],
    [{ store: 7 }, ["store", "CLIENT_KEYS"]],
    [{ store: "keys" }, ["store"]],
    [{ store: "OTHER" }, ["OTHER"]],
    [{ cache_ttl_s: 301 }, ["cache_ttl_s"]],
    [{ cache_ttl_s: "30" }, ["cache_ttl_s"]],
    [{ negative_ttl_s: 5 }, ["negative_ttl_s"]],
    [{ store: undefined, cache_ttl_s: 5 }, ["CLIENT_KEYS", "cache_ttl_s"]],
  ])("J1 J2 J6 %j is refused by name", (options, names) => {
    const { problems } = withStore(async () => null, { options });
    expect(problems.map((problem) => problem.split(" ")[0]).toSorted()).toEqual(names.toSorted());
  });

  it("J2 a binding of another kind is none", () => {
    const { problems } = configure(keys, {
      options: { store: "KEYS" },
      bindings: { KEYS: { get: () => null } },
    });
    expect(problems).toEqual(["KEYS is not bound"]);
  });
});
