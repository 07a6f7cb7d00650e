import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { readCredential } from "../../../src/gateway/identity/credential.ts";
import type { Actor } from "../../../src/gateway/identity/identity.ts";
import { keys } from "../../../src/gateway/identity/sources/keys.ts";
import type { Refusal } from "../../../src/shared/refusal.ts";
import { configure, type TestSource } from "../../support/in-workerd/identity.ts";
import { accepted, reasonOf, statusOf } from "../../support/in-workerd/values.ts";

const KEY = "aei_0123456789abcdefghijklmnopqrstuvwxyz";

async function entry(key: string, over: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return JSON.stringify({ sha256: await sha256Hex(key), actor: "ci-bot", kind: "service", ...over });
}

type Get = (key: string, options: unknown) => Promise<string | null>;

type WithStore = TestSource & {
  readonly reads: readonly { readonly key: string; readonly options: unknown }[];
  readonly identifyKey: (key?: string) => Promise<Actor | Refusal | null>;
};

function withStore(
  get: Get,
  { options = {}, secret }: { options?: Readonly<Record<string, unknown>>; secret?: string } = {},
): WithStore {
  const reads: { key: string; options: unknown }[] = [];
  const namespace = {
    get: (key: string, getOptions: unknown) => (
      reads.push({ key, options: getOptions }),
      get(key, getOptions)
    ),
    getWithMetadata: () => undefined,
  };
  const source = configure(keys, {
    options: { store: "KEYS", ...options },
    bindings: { KEYS: namespace },
    ...(secret !== undefined && { secrets: { CLIENT_KEYS: secret } }),
  });
  const identifyKey = async (key = KEY): Promise<Actor | Refusal | null> =>
    source.identify(accepted(await readCredential(new Headers({ authorization: `Bearer ${key}` }))));
  return { ...source, reads, identifyKey };
}

/** The `get` of a store that holds these entries under the digests of their keys. */
async function storeOf(entryOf: Readonly<Record<string, string>>): Promise<Get> {
  const pairs = Object.entries(entryOf).map(async ([key, text]) => [await sha256Hex(key), text] as const);
  const entries = new Map(await Promise.all(pairs));
  return async (digest) => entries.get(digest) ?? null;
}

describe("source keys with a KV store", () => {
  it("returns the actor of the entry stored under the key's SHA-256", async () => {
    const { identifyKey, reads, issues } = withStore(
      await storeOf({ [KEY]: await entry(KEY, { name: "CI bot", assert: true }) }),
    );
    expect(issues).toEqual([]);
    const digest = await sha256Hex(KEY);
    expect(await identifyKey()).toEqual({
      id: "ci-bot",
      kind: "service",
      name: "CI bot",
      source: "keys",
      verified: true,
      keyId: digest.slice(0, 16),
      mayAssert: true,
    });
    expect(reads).toEqual([{ key: digest, options: { type: "text", cacheTtl: 60 } }]);
  });

  it("rejects an unknown key with the gateway's prefix, and looks up no other key", async () => {
    const { identifyKey, reads, recognizes } = withStore(async () => null);
    expect(await identifyKey()).toMatchObject({
      code: "invalid_credential",
      data: { detail: "no such client key" },
    });
    expect(await identifyKey("sk-proj-abc")).toBeNull();
    expect(reads).toHaveLength(1);
    expect(recognizes({ value: KEY, from: "authorization", sha256: "" })).toBe(true);
  });

  it("works without a secret, and reads the secret first if there is one", async () => {
    const listed = await entry(KEY, { actor: "from-the-secret" });
    const { identifyKey, reads } = withStore(
      await storeOf({ [KEY]: await entry(KEY), aei_b: await entry("aei_b") }),
      {
        secret: `[${listed}]`,
      },
    );
    expect(await identifyKey()).toMatchObject({ id: "from-the-secret" });
    expect(reads).toEqual([]);
    expect(await identifyKey("aei_b")).toMatchObject({ id: "ci-bot" });
  });

  it("recognizes a listed key without the gateway's prefix", async () => {
    const { identifyKey, reads, recognizes } = withStore(async () => null, {
      secret: `[${await entry("old-key")}]`,
    });
    expect(await identifyKey("old-key")).toMatchObject({ id: "ci-bot" });
    expect(recognizes({ value: "old-key", from: "authorization", sha256: await sha256Hex("old-key") })).toBe(
      true,
    );
    expect(reads).toEqual([]);
  });

  it("C8 rejects a revoked key after cache_ttl_s, in addition to KV's own cache", async () => {
    let text: string | null = await entry(KEY);
    const { identifyKey, clock } = withStore(async () => text);
    await identifyKey();
    text = null;
    clock.at += 29_999;
    expect(await identifyKey()).toMatchObject({ id: "ci-bot" });
    clock.at += 1;
    expect(reasonOf(await identifyKey())).toBe("invalid_credential");
    text = await entry(KEY);
    clock.at += 9999;
    expect(reasonOf(await identifyKey())).toBe("invalid_credential");
    clock.at += 1;
    expect(await identifyKey()).toMatchObject({ id: "ci-bot" });
  });

  it("C8 caches nothing of its own with cache_ttl_s = 0", async () => {
    const { identifyKey, reads } = withStore(await storeOf({ [KEY]: await entry(KEY) }), {
      options: { cache_ttl_s: 0 },
    });
    await identifyKey();
    await identifyKey();
    expect(reads).toHaveLength(2);
  });

  it.each<[string, Get]>([
    ["fails", () => Promise.reject(new Error("KV GET failed: 500 CANARY"))],
    ["rate-limits", () => Promise.reject(new TypeError("429"))],
  ])(
    "C18 returns 503 without the error's text for a store that %s, and does not cache it",
    async (_, get) => {
      const { identifyKey, reads } = withStore(get);
      const refusal = await identifyKey();
      expect(statusOf(refusal)).toBe(503);
      expect(JSON.stringify(refusal)).not.toContain("CANARY");
      await identifyKey();
      expect(reads).toHaveLength(2);
    },
  );

  it("C18 accepts a cached key while the store fails, for cache_ttl_s and no longer", async () => {
    let failing = false;
    const good = await entry(KEY);
    const { identifyKey, clock } = withStore(async () => {
      if (failing) throw new Error("down");
      return good;
    });
    await identifyKey();
    failing = true;
    clock.at += 29_999;
    expect(await identifyKey()).toMatchObject({ id: "ci-bot" });
    clock.at += 1;
    expect(statusOf(await identifyKey())).toBe(503);
  });

  it("C10 reads the store once for a hundred concurrent requests", async () => {
    const { identifyKey, reads } = withStore(await storeOf({ [KEY]: await entry(KEY) }));
    const results = await Promise.all(Array.from({ length: 100 }, () => identifyKey()));
    expect(results.every((result) => result !== null && "id" in result)).toBe(true);
    expect(reads).toHaveLength(1);
  });
});

describe("source keys: invalid entries in the store", () => {
  it.each<[string, (valid: string) => Promise<string>, string]>([
    ["text that is not JSON", async () => "CANARY", "must be an object"],
    ["null", async () => "null", "must be an object"],
    ["a list", async (valid) => `[${valid}]`, "must be an object"],
    ["the entry of another key", () => entry("aei_another"), "sha256 must equal the KV key of the entry"],
    [
      "an entry without a digest",
      async () => JSON.stringify({ actor: "a", kind: "user" }),
      "sha256 must be 64 lowercase hex digits",
    ],
    ["an entry of unknown kind", () => entry(KEY, { kind: "root" }), 'kind must be "user" or "service"'],
    ["an entry whose actor has a space", () => entry(KEY, { actor: "a b" }), "actor must match"],
    [
      "an entry whose actor looks like a fingerprint",
      () => entry(KEY, { actor: "byok:0" }),
      "actor must match",
    ],
    [
      "an entry whose assert is a string",
      () => entry(KEY, { assert: "true" }),
      "assert must be true or false",
    ],
    ["an entry with an unknown field", () => entry(KEY, { admin: true }), "admin must not be set"],
  ])("rejects %s, and logs an error", async (_, make, issue) => {
    const text = await make(await entry(KEY));
    const { identifyKey, operatorErrors } = withStore(async () => text);
    const refusal = await identifyKey();
    expect(reasonOf(refusal)).toBe("invalid_credential");
    const digest = await sha256Hex(KEY);
    expect(operatorErrors).toEqual([
      {
        event: "client_key_invalid",
        key_id: digest.slice(0, 16),
        reason: expect.stringContaining(issue) as string,
      },
    ]);
    expect(JSON.stringify(operatorErrors)).not.toContain("CANARY");
    await identifyKey();
    expect(operatorErrors).toHaveLength(1);
  });
});

describe("source keys: options of the store", () => {
  it.each<[Readonly<Record<string, unknown>>, readonly string[]]>([
    [{ store: "" }, ["store", "CLIENT_KEYS"]],
    [{ store: 7 }, ["store", "CLIENT_KEYS"]],
    [{ store: "keys" }, ["store"]],
    [{ store: "OTHER" }, ["OTHER"]],
    [{ cache_ttl_s: 301 }, ["cache_ttl_s"]],
    [{ cache_ttl_s: "30" }, ["cache_ttl_s"]],
    [{ negative_ttl_s: 5 }, ["negative_ttl_s"]],
    [{ store: undefined, cache_ttl_s: 5 }, ["CLIENT_KEYS", "cache_ttl_s"]],
  ])("J1 J2 J6 rejects %j by name", (options, names) => {
    const { issues } = withStore(async () => null, { options });
    expect(issues.map((issue) => issue.split(" ")[0]).toSorted()).toEqual(names.toSorted());
  });

  it("J2 rejects a binding of another kind", () => {
    const { issues } = configure(keys, {
      options: { store: "KEYS" },
      bindings: { KEYS: { get: () => null } },
    });
    expect(issues).toEqual(["KEYS must be bound"]);
  });
});
