import { describe, expect, it } from "vitest";
import { readConfig } from "../../../src/gateway/config/config.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { byok } from "../../../src/gateway/identity/sources/byok.ts";
import { readCredential, type Credential } from "../../../src/gateway/identity/credential.ts";
import {
  identify,
  type Actor,
  type ConfiguredSource,
  type Identify,
} from "../../../src/gateway/identity/identity.ts";
import { keys } from "../../../src/gateway/identity/sources/keys.ts";
import type { Provider } from "../../../src/gateway/provider/provider.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { chooseCredential, ownKeyHint } from "../../../src/gateway/upstream/credential.ts";
import { createCentralKeys } from "../../../src/gateway/upstream/central-keys.ts";
import { credentialHint } from "../../../src/gateway/upstream/provider-key.ts";
import { registry } from "../../../src/gateway/wiring.ts";
import { configure, type TestSource } from "../../support/in-workerd/identity.ts";
import {
  accepted,
  actor,
  anthropicProvider,
  centralKeys,
  asserted,
  fingerprint,
  governed,
  openaiProvider,
  OWNER,
  reasonOf,
  secret,
  statusOf,
  ungoverned,
  KEY_DEPS,
} from "../../support/in-workerd/values.ts";

/** Reads the credential of a request with these headers; a list sends the header once per element. */
async function read(
  headers: Record<string, string | readonly string[]>,
  sources: readonly ConfiguredSource[] = [],
): Promise<Credential | Refusal> {
  const sent = new Headers();
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) sent.append(name, value);
  }
  return readCredential(sent, sources);
}

/** A source that returns the same result for every credential. */
const sourceReturning = (
  result: Awaited<ReturnType<Identify>>,
  over: Partial<ConfiguredSource> = {},
): ConfiguredSource => ({
  verifies: true,
  recognizes: () => false,
  identify: async () => result,
  ...over,
});

describe("readCredential", () => {
  it.each([
    ["no headers", {}],
    ["empty headers", { "x-api-key": "", "x-coder-ai-governance-token": "" }],
    ["blank headers", { "x-api-key": "  ", "x-coder-ai-governance-token": " \t" }],
  ])("C1 returns credential_missing, 401, for %s", async (_, headers) => {
    const refusal = await read(headers);
    expect(reasonOf(refusal)).toBe("credential_missing");
    expect(statusOf(refusal)).toBe(401);
  });

  it.each([
    "Basic dXNlcjpwYXNz",
    "sk-proj-abc",
    "Bearer",
    "Bearer ",
    "Bearer a b",
    "Bearer\ta",
    "Bearera",
    "Token a",
    'Bearer "a"',
    "Digest username=x",
    "",
  ])("C2 rejects Authorization %j, which is not a bearer token, with 401", async (authorization) => {
    const refusal = await read({ authorization });
    expect(reasonOf(refusal)).toBe("credential_malformed");
    expect(statusOf(refusal)).toBe(401);
  });

  const SIGNATURE =
    "Credential=AKIDEXAMPLE/20261123/us-east-1/bedrock-mantle/aws4_request, SignedHeaders=host, Signature=0a";

  it.each([
    `AWS4-HMAC-SHA256 ${SIGNATURE}`,
    `aws4-hmac-sha256 ${SIGNATURE}`,
    "AWS4-HMAC-SHA256",
    `AWS4-ECDSA-P256-SHA256 ${SIGNATURE}`,
  ])("refuses a signature of AWS, which is for one host, with a hint: %s", async (authorization) => {
    for (const beside of [{}, { "x-api-key": "aei_key" }, { "x-coder-ai-governance-token": "gov" }]) {
      const refusal = await read({ authorization, ...beside });
      expect([reasonOf(refusal), statusOf(refusal)]).toEqual(["aws_signature_unsupported", 401]);
      expect(JSON.stringify(refusal)).not.toContain("AKID");
    }
  });

  it.each(["Bearer t0ken", "bEaReR t0ken", "BEARER   t0ken", "Bearer t0ken "])(
    "C3 reads the token t0ken from Authorization %j",
    async (authorization) => {
      const { identity, ownKey, hasIdentityHeader } = accepted(await read({ authorization }));
      expect(identity).toEqual({ value: "t0ken", from: "authorization", sha256: await sha256Hex("t0ken") });
      expect(ownKey).toEqual(identity);
      expect(hasIdentityHeader).toBe(false);
    },
  );

  it.each([
    [{ authorization: ["Bearer A", "Bearer B"] }],
    [{ authorization: "Bearer A,Bearer" }],
    [{ "x-api-key": ["A", "B"] }],
    [{ "x-coder-ai-governance-token": ["A", "B"] }],
    [{ "x-coder-ai-governance-token": "A", authorization: ["Bearer A", "Bearer B"] }],
  ])("C4 returns credential_malformed for a repeated credential: %j", async (headers) => {
    expect(reasonOf(await read(headers))).toBe("credential_malformed");
  });

  it("C5 uses Authorization and drops X-Api-Key when both are sent", async () => {
    const credential = accepted(await read({ authorization: "Bearer first", "x-api-key": "second" }));
    expect(credential.identity?.value).toBe("first");
    expect(JSON.stringify(credential)).not.toContain("second");
  });

  it("C5 rejects a malformed Authorization even if X-Api-Key is valid", async () => {
    expect(reasonOf(await read({ authorization: "Basic x", "x-api-key": "second" }))).toBe(
      "credential_malformed",
    );
  });

  it("reads X-Api-Key alone, trimmed", async () => {
    const { identity, ownKey } = accepted(await read({ "x-api-key": " sk-ant-x " }));
    expect(identity).toEqual({ value: "sk-ant-x", from: "x-api-key", sha256: await sha256Hex("sk-ant-x") });
    expect(ownKey).toEqual(identity);
  });

  const BY_PRECEDENCE = ["authorization", "x-api-key", "api-key", "x-goog-api-key"] as const;

  it.each(BY_PRECEDENCE)("C5 reads %s, and drops every header after it", async (first) => {
    const sent = BY_PRECEDENCE.slice(BY_PRECEDENCE.indexOf(first)).map((name) => [
      name,
      `${name === "authorization" ? "Bearer " : ""}key-of-${name}`,
    ]);
    const { identity, ownKey } = accepted(await read(Object.fromEntries(sent)));
    expect([identity?.from, identity?.value]).toEqual([first, `key-of-${first}`]);
    expect(ownKey).toEqual(identity);
  });

  it.each(BY_PRECEDENCE.slice(1))(
    "C5 C4 rejects a malformed %s although a valid key comes after it",
    async (name) => {
      const after = BY_PRECEDENCE.slice(BY_PRECEDENCE.indexOf(name) + 1).map(
        (one) => [one, "valid"] as const,
      );
      for (const malformed of [["A", "B"], "canary 4"])
        expect(reasonOf(await read({ ...Object.fromEntries(after), [name]: malformed }))).toBe(
          "credential_malformed",
        );
    },
  );

  it("C5 skips a blank key header", async () => {
    const { identity } = accepted(await read({ "x-api-key": " ", "api-key": "", "x-goog-api-key": "key" }));
    expect(identity?.from).toBe("x-goog-api-key");
  });

  it.each(BY_PRECEDENCE)("C5 sends the client's own key from %s in the dialect's header", async (from) => {
    const value = from === "authorization" ? "Bearer own-key" : "own-key";
    const credential = accepted(await read({ "x-coder-ai-governance-token": "gov", [from]: value }));
    const keyHeader = (provider: Provider): unknown => {
      const chosen = choose(provider, actor(), credential);
      return accepted(chosen).header;
    };
    expect(keyHeader(openaiProvider())).toEqual(["authorization", "Bearer own-key"]);
    expect(keyHeader(anthropicProvider())).toEqual(
      from === "authorization" ? ["authorization", "Bearer own-key"] : ["x-api-key", "own-key"],
    );
  });

  it("prefers the governance token, and reads Authorization as the client's own key", async () => {
    const headers = {
      "x-coder-ai-governance-token": " gov ",
      authorization: "Bearer own",
      "x-api-key": "unused",
    };
    const credential = accepted(await read(headers));
    expect(credential).toEqual({
      identity: { value: "gov", from: "x-coder-ai-governance-token", sha256: await sha256Hex("gov") },
      accessToken: null,
      prefersCentralKey: false,
      ownKey: { value: "own", from: "authorization", sha256: await sha256Hex("own") },
      hasIdentityHeader: true,
      isFromPage: false,
    });
  });

  it("reads no own key if a governance token is the only credential", async () => {
    const credential = accepted(await read({ "x-coder-ai-governance-token": "gov" }));
    expect(credential.ownKey).toBeNull();
    expect(credential.hasIdentityHeader).toBe(true);
  });

  it("ignores a blank governance header and uses Authorization as the identity", async () => {
    const credential = accepted(
      await read({ "x-coder-ai-governance-token": " ", authorization: "Bearer own" }),
    );
    expect(credential.identity?.value).toBe("own");
    expect(credential.hasIdentityHeader).toBe(false);
  });

  it.each([
    ["quotes", "a'b"],
    ["a comma", "a,b"],
    ["shell metacharacters", "$(id)"],
    ["a semicolon", "a;b"],
    ["a percent escape", "a%00b"],
    ["a backslash", "a\\b"],
    ["an equals sign inside", "a=b"],
    ["a non-ASCII letter", "tökén"],
    ["8,193 characters", "x".repeat(8193)],
    ["100 KB", "x".repeat(100_000)],
    ["100 KB of blanks inside", `a${" ".repeat(100_000)}b`],
    ["100 KB of padding", "=".repeat(100_000)],
  ])("C6 returns credential_malformed for a token with %s in any header", async (_, token) => {
    expect(reasonOf(await read({ authorization: `Bearer ${token}` }))).toBe("credential_malformed");
    expect(reasonOf(await read({ "x-api-key": token }))).toBe("credential_malformed");
    expect(reasonOf(await read({ "x-coder-ai-governance-token": token }))).toBe("credential_malformed");
  });

  it("C7 C9 computes the digest of each of thousands of tokens that share a long prefix, cached or not", async () => {
    const prefix = `sk-${"p".repeat(200)}`;
    const tokens = Array.from({ length: 1500 }, (_, at) => `${prefix}${at}`);
    const seen = new Set<string>();
    for (const token of [...tokens, ...tokens.slice(0, 20), ...tokens.slice(-20)]) {
      const { identity } = accepted(await read({ authorization: `Bearer ${token}` }));
      expect(identity?.sha256).toBe(await sha256Hex(token));
      seen.add(identity?.sha256 ?? "");
    }
    expect(seen.size).toBe(tokens.length);
  });

  it("C6 names the header in the refusal's detail, never the token", async () => {
    const refusals = await Promise.all([
      read({ authorization: "Basic canary-1" }),
      read({ "x-api-key": "canary 2" }),
      read({ "x-coder-ai-governance-token": "canary 3" }),
    ]);
    expect(refusals.map((refusal) => (refusal instanceof Refusal ? refusal.data.detail : null))).toEqual([
      "Authorization",
      "X-Api-Key",
      "X-Coder-AI-Governance-Token",
    ]);
    expect(JSON.stringify(refusals)).not.toContain("canary");
  });

  it.each(["sk-proj-Ab_9-", "abc.def.ghi", "dGVzdA==", "a~b+c/d", "x".repeat(8192)])(
    "reads the token68 %j unchanged",
    async (token) => {
      expect(accepted(await read({ authorization: `Bearer ${token}` })).identity?.value).toBe(token);
    },
  );
});

const access = (prefersCentralKey = true): ConfiguredSource =>
  sourceReturning(null, { accessToken: { prefersCentralKey } });
const recognizing = (token: string): ConfiguredSource =>
  sourceReturning(null, { recognizes: ({ value }) => value === token });

describe("readCredential with the header of Cloudflare Access", () => {
  const ASSERTION = { "cf-access-jwt-assertion": " e30.e30.c2ln " };

  it("reads the access token if a source uses it, and Authorization as the client's own provider key", async () => {
    const alone = accepted(await read(ASSERTION, [access()]));
    const value = "e30.e30.c2ln";
    const accessToken = { value, from: "cf-access-jwt-assertion", sha256: await sha256Hex(value) };
    expect(alone).toEqual({
      identity: null,
      accessToken,
      ownKey: null,
      hasIdentityHeader: true,
      prefersCentralKey: true,
      isFromPage: false,
    });
    const withOwnKey = accepted(
      await read({ ...ASSERTION, authorization: "Bearer sk-own" }, [access(false)]),
    );
    expect(withOwnKey.ownKey?.value).toBe("sk-own");
    expect(withOwnKey.identity).toEqual(withOwnKey.ownKey);
    expect(withOwnKey.prefersCentralKey).toBe(false);
  });

  it("ignores the header, even a malformed one, if no source uses it", async () => {
    expect(reasonOf(await read(ASSERTION))).toBe("credential_missing");
    expect(reasonOf(await read(ASSERTION, [sourceReturning(null)]))).toBe("credential_missing");
    const malformed = { "cf-access-jwt-assertion": "a b", authorization: "Bearer sk-own" };
    expect(accepted(await read(malformed))).toMatchObject({
      accessToken: null,
      hasIdentityHeader: false,
      prefersCentralKey: false,
    });
  });

  it.each([[["a", "b"]], ["a b"], ['"a"'], ["x".repeat(8193)]])(
    "C4 C6 returns credential_malformed for the header %j",
    async (sent) => {
      const refusal = await read({ "cf-access-jwt-assertion": sent, authorization: "Bearer ok" }, [access()]);
      expect(refusal).toMatchObject({
        code: "credential_malformed",
        data: { detail: "Cf-Access-Jwt-Assertion" },
      });
    },
  );

  it("does not prefer the central key if a governance token is sent too", async () => {
    const headers = { ...ASSERTION, "x-coder-ai-governance-token": "gov", authorization: "Bearer sk-own" };
    expect(accepted(await read(headers, [access()]))).toMatchObject({
      hasIdentityHeader: true,
      prefersCentralKey: false,
    });
  });

  it("skips byok in any order of IDENTITY", async () => {
    const credential = accepted(await read({ ...ASSERTION, authorization: "Bearer sk-own" }, [access()]));
    const unverifying = sourceReturning(fingerprint, { verifies: false });
    expect(reasonOf(await identify(credential, [unverifying, access()]))).toBe("invalid_credential");
  });
});

describe("an identity credential is never a provider key", () => {
  it.each([
    ["sent alone", {}],
    ["sent with a governance token", { "x-coder-ai-governance-token": "gov" }],
  ])("drops a recognized credential from ownKey when it is %s", async (_, otherHeaders) => {
    const ownKey = async (...sources: ConfiguredSource[]): Promise<string | undefined> =>
      accepted(await read({ ...otherHeaders, authorization: "Bearer session" }, sources)).ownKey?.value;
    expect(await ownKey()).toBe("session");
    expect(await ownKey(recognizing("other"))).toBe("session");
    expect(await ownKey(recognizing("other"), recognizing("session"))).toBeUndefined();
  });

  it("does not let byok, tried first, accept another source's token", async () => {
    const sources = [configure(byok).listed, { ...recognizing("session"), identify: async () => actor() }];
    const credential = accepted(await read({ authorization: "Bearer session" }, sources));
    expect(await identify(credential, sources)).toMatchObject({ source: "keys" });
  });
});

describe("source byok", () => {
  const { identify: identifyCredential } = configure(byok);
  const identifyKey = async (authorization: string): Promise<Actor> => {
    const result = await identifyCredential(accepted(await read({ authorization })));
    if (result === null || result instanceof Refusal) throw new Error("byok accepts every key");
    return result;
  };

  it("returns an unverified actor whose id is the key's fingerprint", async () => {
    // printf %s sk-test-1 | sha256sum
    expect(await identifyKey("Bearer sk-test-1")).toEqual({
      id: "byok:db567a0dd8d24a1a894b3f1ceac15772",
      kind: "unknown",
      name: null,
      source: "byok",
      verified: false,
      keyId: "db567a0dd8d24a1a",
      mayAssert: null,
    });
  });

  it("returns one id for a key in any header, and different ids for different keys", async () => {
    const { id } = await identifyKey("Bearer sk-test-1");
    expect((await identifyKey("bearer   sk-test-1")).id).toBe(id);
    const inApiKey = await identifyCredential(accepted(await read({ "x-api-key": "sk-test-1" })));
    expect((inApiKey as Actor).id).toBe(id);
    expect((await identifyKey("Bearer sk-test-2")).id).not.toBe(id);
    expect((await identifyKey("Bearer SK-TEST-1")).id).not.toBe(id);
  });

  it("includes no part of the key in the actor", async () => {
    const key = "sk-proj-CANARYcanary0123456789";
    const json = JSON.stringify(await identifyKey(`Bearer ${key}`));
    for (let at = 0; at + 5 <= key.length; at += 1) expect(json).not.toContain(key.slice(at, at + 5));
  });

  it("returns null for a governance token alone", async () => {
    expect(
      await identifyCredential(accepted(await read({ "x-coder-ai-governance-token": "gov" }))),
    ).toBeNull();
  });

  it("rejects options", () => {
    expect(configure(byok, { options: { ttl: 5 } }).issues).toEqual(["ttl is not a known key (known: )"]);
  });
});

const KEY = "aei_0123456789abcdefghijklmnopqrstuvwxyz";

async function entry(key: string, over: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  return { sha256: await sha256Hex(key), actor: "ci-bot", kind: "service", ...over };
}

async function keysWith(...entries: readonly unknown[]): Promise<TestSource> {
  return configure(keys, { secrets: { CLIENT_KEYS: JSON.stringify(entries) } });
}

const credentialOf = async (key: string): Promise<Credential> =>
  accepted(await read({ authorization: `Bearer ${key}` }));

describe("source keys", () => {
  it("returns the actor of a listed key's entry", async () => {
    const { identify: identifyCredential, issues } = await keysWith(
      await entry(KEY, { name: "CI bot", assert: false }),
      await entry("aei_other", { actor: "other" }),
    );
    expect(issues).toEqual([]);
    expect(await identifyCredential(await credentialOf(KEY))).toEqual({
      id: "ci-bot",
      kind: "service",
      name: "CI bot",
      source: "keys",
      verified: true,
      keyId: (await sha256Hex(KEY)).slice(0, 16),
      mayAssert: false,
    });
  });

  it("returns null for a name and an assert that the entry omits", async () => {
    const { identify: identifyCredential } = await keysWith(await entry(KEY));
    expect(await identifyCredential(await credentialOf(KEY))).toMatchObject({ name: null, mayAssert: null });
  });

  it("returns an actor id that is a UUID in lowercase, as owner ids are", async () => {
    const { identify: identifyCredential } = await keysWith(
      await entry(KEY, { actor: OWNER.toUpperCase(), kind: "user" }),
      await entry("aei_mixed", { actor: "Mixed-Case" }),
    );
    expect(await identifyCredential(await credentialOf(KEY))).toMatchObject({ id: OWNER });
    expect(await identifyCredential(await credentialOf("aei_mixed"))).toMatchObject({ id: "Mixed-Case" });
  });

  it("C7 rejects a token that shares a long prefix with a listed one", async () => {
    const long = `aei_${"p".repeat(4000)}`;
    const { identify: identifyCredential } = await keysWith(await entry(`${long}1`));
    expect(await identifyCredential(await credentialOf(`${long}1`))).toMatchObject({ id: "ci-bot" });
    expect(reasonOf(await identifyCredential(await credentialOf(`${long}2`)))).toBe("invalid_credential");
    expect(reasonOf(await identifyCredential(await credentialOf(long)))).toBe("invalid_credential");
  });

  it("C7 rejects a key whose digest differs from a listed one only in the last digit", async () => {
    const sha256 = await sha256Hex(KEY);
    const near = sha256.slice(0, 63) + (sha256.endsWith("0") ? "1" : "0");
    const { identify: identifyCredential, issues } = await keysWith({
      sha256: near,
      actor: "ci-bot",
      kind: "service",
    });
    expect(issues).toEqual([]);
    expect(reasonOf(await identifyCredential(await credentialOf(KEY)))).toBe("invalid_credential");
  });

  it.each(["aei_", "aei_x", `${KEY}0`, KEY.slice(0, -1), `aei_${"x".repeat(8000)}`])(
    "C10 rejects %s, whose length differs from every listed key, without throwing",
    async (key) => {
      const { identify: identifyCredential } = await keysWith(await entry(KEY));
      expect(reasonOf(await identifyCredential(await credentialOf(key)))).toBe("invalid_credential");
    },
  );

  it("returns null for a key that this gateway did not issue", async () => {
    const { identify: identifyCredential } = await keysWith(await entry(KEY));
    expect(await identifyCredential(await credentialOf("sk-proj-abc"))).toBeNull();
    expect(await identifyCredential(await credentialOf(KEY.replace("aei_", "AEI_")))).toBeNull();
  });

  it("does not accept the digest as a key", async () => {
    const { identify: identifyCredential } = await keysWith(await entry(KEY));
    expect(await identifyCredential(await credentialOf(await sha256Hex(KEY)))).toBeNull();
  });

  it("identifies by the governance token, not by the client's own key", async () => {
    const { identify: identifyCredential } = await keysWith(await entry(KEY));
    const withOwnKey = await read({
      "x-coder-ai-governance-token": "sk-other",
      authorization: `Bearer ${KEY}`,
    });
    expect(await identifyCredential(accepted(withOwnKey))).toBeNull();
    const inHeader = await read({ "x-coder-ai-governance-token": KEY, authorization: "Bearer sk-own" });
    expect(await identifyCredential(accepted(inHeader))).toMatchObject({ id: "ci-bot" });
  });

  const SHA = "a".repeat(64);
  it.each([
    ["text that is not JSON", "nope", ["CLIENT_KEYS"]],
    ["JSON that is not an array", "{}", ["CLIENT_KEYS"]],
    ["a list without objects", '[1, null, "x", []]', [0, 1, 2, 3].map((at) => `CLIENT_KEYS[${at}]`)],
    ["an empty entry", "[{}]", ["sha256", "actor", "kind"].map((key) => `CLIENT_KEYS[0].${key}`)],
    [
      "an uppercase digest",
      JSON.stringify([{ sha256: SHA.toUpperCase(), actor: "a", kind: "user" }]),
      ["CLIENT_KEYS[0].sha256"],
    ],
    [
      "a short digest",
      JSON.stringify([{ sha256: SHA.slice(1), actor: "a", kind: "user" }]),
      ["CLIENT_KEYS[0].sha256"],
    ],
    [
      "an actor with a space",
      JSON.stringify([{ sha256: SHA, actor: "a b", kind: "user" }]),
      ["CLIENT_KEYS[0].actor"],
    ],
    [
      "an actor of 97 characters",
      JSON.stringify([{ sha256: SHA, actor: "a".repeat(97), kind: "user" }]),
      ["CLIENT_KEYS[0].actor"],
    ],
    [
      "an unknown kind",
      JSON.stringify([{ sha256: SHA, actor: "a", kind: "unknown" }]),
      ["CLIENT_KEYS[0].kind"],
    ],
    [
      "a name that is not a string",
      JSON.stringify([{ sha256: SHA, actor: "a", kind: "user", name: 7 }]),
      ["CLIENT_KEYS[0].name"],
    ],
    [
      "an assert that is a string",
      JSON.stringify([{ sha256: SHA, actor: "a", kind: "user", assert: "true" }]),
      ["CLIENT_KEYS[0].assert"],
    ],
    [
      "an unknown key",
      JSON.stringify([{ sha256: SHA, actor: "a", kind: "user", key: "aei_x" }]),
      ["CLIENT_KEYS[0].key"],
    ],
    [
      "the same digest twice",
      JSON.stringify([
        { sha256: SHA, actor: "a", kind: "user" },
        { sha256: SHA, actor: "b", kind: "user" },
      ]),
      ["CLIENT_KEYS[1].sha256"],
    ],
    [
      "every issue at once",
      JSON.stringify([{ sha256: 1, actor: "", kind: "", name: [], assert: 0, x: 1, __proto_: 2 }]),
      ["x", "__proto_", "sha256", "actor", "kind", "name", "assert"].map((key) => `CLIENT_KEYS[0].${key}`),
    ],
  ])("J2 J6 reports the path of every issue: %s", (_, text, paths) => {
    const { issues } = configure(keys, { secrets: { CLIENT_KEYS: text } });
    expect(issues.map((issue) => issue.split(" ")[0])).toEqual(paths);
  });

  it("accepts an actor of 96 characters, which fits an Analytics Engine index", async () => {
    const { issues } = await keysWith(await entry(KEY, { actor: "a".repeat(96) }));
    expect(issues).toEqual([]);
  });

  it("J1 includes no value of an entry in an issue", () => {
    const canary = "CANARY";
    const bad = { sha256: canary, actor: `${canary} x`, kind: canary, name: [canary], assert: canary };
    const { issues } = configure(keys, { secrets: { CLIENT_KEYS: JSON.stringify([bad, canary]) } });
    expect(issues).toHaveLength(6);
    expect(issues.join("\n")).not.toContain(canary);
  });

  it("F5 rejects an entry with __proto__ and pollutes no prototype", () => {
    const text = `[{"sha256":"${SHA}","actor":"a","kind":"user","__proto__":{"assert":true}}]`;
    const { issues } = configure(keys, { secrets: { CLIENT_KEYS: text } });
    expect(issues.map((issue) => issue.split(" ")[0])).toEqual(["CLIENT_KEYS[0].__proto__"]);
    expect(({} as { assert?: unknown }).assert).toBeUndefined();
  });
});

const accepting = (id: string): ConfiguredSource => sourceReturning(actor({ id }));

describe("identify", () => {
  const unknown = sourceReturning(null);
  const refusing = sourceReturning(new Refusal("identity_unavailable"));
  const unverifying = sourceReturning(fingerprint, { verifies: false });
  const credential = ungoverned(secret("t"));

  it("returns the result of the first source that recognizes the credential", async () => {
    expect(await identify(credential, [unknown, accepting("a"), accepting("b")])).toMatchObject({ id: "a" });
  });

  it("returns a refusal without trying later sources", async () => {
    const tried: string[] = [];
    const later = sourceReturning(null, { identify: async () => (tried.push("later"), actor()) });
    expect(reasonOf(await identify(credential, [unknown, refusing, later]))).toBe("identity_unavailable");
    expect(tried).toEqual([]);
  });

  it("returns invalid_credential, 401, if no source recognizes the credential", async () => {
    const refusal = await identify(credential, [unknown, unknown]);
    expect(reasonOf(refusal)).toBe("invalid_credential");
    expect(statusOf(refusal)).toBe(401);
    expect(reasonOf(await identify(credential, []))).toBe("invalid_credential");
  });

  it("waits for a slow source", async () => {
    const slow = sourceReturning(null, {
      identify: async () => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return actor({ id: "slow" });
      },
    });
    expect(await identify(credential, [slow, accepting("b")])).toMatchObject({ id: "slow" });
  });

  it("rejects an invalid governance token even if an own key is sent", async () => {
    const invalid = governed("wrong", secret("sk-own"));
    expect(reasonOf(await identify(invalid, [unknown, unverifying]))).toBe("invalid_credential");
    expect(reasonOf(await identify(invalid, [unverifying, unknown]))).toBe("invalid_credential");
  });

  it("ignores a governance token if no source verifies", async () => {
    expect(await identify(governed("gov", secret("sk-own")), [unverifying])).toEqual(fingerprint);
  });

  it("rejects an unlisted client key instead of treating it as a provider key", async () => {
    const sources = [(await keysWith(await entry(KEY))).listed, unverifying];
    expect(reasonOf(await identify(await credentialOf("aei_unknown"), sources))).toBe("invalid_credential");
    expect(await identify(await credentialOf("sk-own"), sources)).toEqual(fingerprint);
  });

  it("never treats a client key as a provider key, in any order of IDENTITY", async () => {
    const config = readConfig(
      {
        PROVIDERS: { openai: { type: "openai", base_url: "https://api.openai.example/v1" } },
        IDENTITY: [{ source: "byok" }, { source: "keys" }],
        CLIENT_KEYS: JSON.stringify([await entry(KEY)]),
      },
      registry,
    );
    // Rejecting such a config would be correct too.
    const result = "issues" in config ? null : await identify(await credentialOf(KEY), config.sources);
    expect(result).not.toMatchObject({ source: "byok" });
  });
});

const choose = (
  provider: Provider,
  by: Actor,
  credential: Credential,
  random: () => number = () => 0,
): ReturnType<typeof chooseCredential> =>
  chooseCredential(provider, by, credential, { central: createCentralKeys([provider], KEY_DEPS), random });

const never = (): number => {
  throw new Error("no randomness was expected");
};

describe("chooseCredential", () => {
  const central = openaiProvider({ keys: centralKeys("sk-central") });
  const open = openaiProvider();
  const clientKey = ungoverned(secret(KEY));
  const ownKey = secret("sk-own");

  it("returns the central key, in the dialect's header, for a verified client key", () => {
    expect(choose(central, actor(), clientKey)).toEqual({
      kind: "centralized",
      hint: "sk...al",
      header: ["authorization", "Bearer sk-central"],
    });
    expect(choose(anthropicProvider({ keys: centralKeys("sk-ant") }), actor(), clientKey)).toEqual({
      kind: "centralized",
      hint: "s...t",
      header: ["x-api-key", "sk-ant"],
    });
  });

  it("returns the own key of an unverified actor", () => {
    expect(choose(open, fingerprint, ungoverned(ownKey))).toEqual({
      kind: "byok",
      hint: null,
      header: ["authorization", "Bearer sk-own"],
    });
  });

  it("rejects an unverified actor with 401 if the provider has central keys", () => {
    for (const credential of [ungoverned(ownKey), governed("gov", ownKey), governed("gov", null)]) {
      const refusal = choose(central, fingerprint, credential);
      expect(reasonOf(refusal)).toBe("byok_not_accepted");
      expect(statusOf(refusal)).toBe(401);
    }
  });

  it("returns the own key sent with a governance token, even if there is a central key", () => {
    for (const provider of [open, central]) {
      expect(choose(provider, actor(), governed("gov", ownKey))).toEqual({
        kind: "byok",
        hint: null,
        header: ["authorization", "Bearer sk-own"],
      });
    }
  });

  it("returns the own key sent with an Access assertion only if no central key is preferred", () => {
    const own = { kind: "byok", header: ["authorization", "Bearer sk-own"] };
    expect(choose(open, actor(), asserted("jwt", ownKey))).toMatchObject(own);
    expect(choose(central, actor(), asserted("jwt", ownKey))).toMatchObject({
      kind: "centralized",
      header: ["authorization", "Bearer sk-central"],
    });
    expect(choose(central, actor(), asserted("jwt", ownKey, false))).toMatchObject(own);
    expect(reasonOf(choose(open, actor(), asserted("jwt", null)))).toBe("provider_key_missing");
  });

  it("returns no central key for an unverified actor with an Access assertion", () => {
    expect(reasonOf(choose(central, fingerprint, asserted("jwt", ownKey)))).toBe("byok_not_accepted");
  });

  it("returns the central key for a governance token without an own key", () => {
    expect(choose(central, actor(), governed("gov", null))).toMatchObject({
      kind: "centralized",
      header: ["authorization", "Bearer sk-central"],
    });
  });

  it.each([
    ["a client key", clientKey],
    ["a governance token alone", governed("gov", null)],
  ])("returns provider_key_missing, 401, for %s on a provider without keys", (_, credential) => {
    const refusal = choose(open, actor(), credential);
    expect(reasonOf(refusal)).toBe("provider_key_missing");
    expect(statusOf(refusal)).toBe(401);
    expect((refusal as Refusal).message).toContain("the gateway holds no key for this provider");
  });

  it("never returns a governance token as a provider key", () => {
    const gov = secret("gov", "x-coder-ai-governance-token");
    const wrongOwnKey: Credential = { ...governed("gov", gov), identity: gov };
    expect(reasonOf(choose(open, actor(), wrongOwnKey))).toBe("provider_key_missing");
    expect(reasonOf(choose(open, fingerprint, wrongOwnKey))).toBe("provider_key_missing");
  });

  it("never returns a client key sent with a governance token as a provider key", async () => {
    const credential = accepted(
      await read({ "x-coder-ai-governance-token": KEY, authorization: `Bearer ${KEY}` }),
    );
    for (const provider of [open, central]) {
      expect(JSON.stringify(choose(provider, actor(), credential))).not.toContain(KEY);
    }
  });

  it.each([
    ["authorization", ["authorization", "Bearer sk-own"]],
    ["x-api-key", ["x-api-key", "sk-own"]],
  ] as const)("returns an own key for Anthropic in the header that it was sent in: %s", (from, header) => {
    const own = ungoverned(secret("sk-own", from));
    expect(choose(anthropicProvider(), fingerprint, own)).toMatchObject({ header });
  });

  it("returns an own key for OpenAI as a bearer token, even if it was sent in X-Api-Key", () => {
    const own = ungoverned(secret("sk-own", "x-api-key"));
    expect(choose(open, fingerprint, own)).toMatchObject({
      header: ["authorization", "Bearer sk-own"],
    });
  });

  it.each([
    ["api-key", "api-key", "sk"],
    ["x-api-key", "api-key", "sk"],
    ["authorization", "authorization", "Bearer sk"],
  ] as const)(
    "sends an own key that came in %s to a provider with keys in api-key in %s",
    (from, name, value) => {
      const own = ungoverned(secret("sk", from));
      expect(choose(openaiProvider({ keyHeader: "api-key" }), fingerprint, own)).toMatchObject({
        header: [name, value],
      });
    },
  );

  it("sends a central key in the provider's header for keys", () => {
    const provider = openaiProvider({ keyHeader: "api-key", keys: centralKeys("sk-central") });
    expect(choose(provider, actor(), clientKey)).toMatchObject({ header: ["api-key", "sk-central"] });
  });

  it("selects among several central keys by the random fraction, within bounds", () => {
    const three = openaiProvider({ keys: centralKeys("k1", "k2", "k3") });
    const chosen = [0, 0.3333, 0.3334, 0.5, 0.6667, 1 - 2 ** -32].map((fraction) => {
      const credential = choose(three, actor(), clientKey, () => fraction);
      return accepted(credential).header?.[1];
    });
    expect(chosen).toEqual(["k1", "k1", "k2", "k2", "k3", "k3"].map((key) => `Bearer ${key}`));
  });

  it("does not use randomness for a single central key", () => {
    const { header } = accepted(choose(central, actor(), clientKey, never));
    expect(header?.[1]).toBe("Bearer sk-central");
  });
});

describe("credentialHint", () => {
  const LETTERS = "abcdefghijklmnopqrstuvwxyz".repeat(8);

  it.each([
    [0, null],
    [1, null],
    [4, null],
    [5, "a...e"],
    [9, "a...i"],
    [10, "ab...ij"],
    [19, "ab...rs"],
    [20, "abcd...qrst"],
    [200, "abcd...opqr"],
  ])("returns, for a key of %i characters, %j", (length, hint) => {
    expect(credentialHint(LETTERS.slice(0, length))).toBe(hint);
  });

  // The attack: the record shows so much of a caller's own key that it need only be completed.
  it("Finding L6: reveals at most 4 characters of a caller's own key, and of 20 at most a fifth", () => {
    expect(ownKeyHint(LETTERS.slice(0, 20))).toBe("ab...st");
    expect(ownKeyHint(LETTERS.slice(0, 19))).toBe("a...s");
    expect(ownKeyHint(LETTERS.slice(0, 9))).toBeNull();
    for (let length = 0; length <= LETTERS.length; length += 1) {
      const revealed = (ownKeyHint(LETTERS.slice(0, length)) ?? "").replace("...", "").length;
      expect(revealed).toBeLessThanOrEqual(Math.min(4, length / 5));
    }
  });

  it("reveals at most half of any key", () => {
    for (let length = 0; length <= LETTERS.length; length += 1) {
      const revealed = (credentialHint(LETTERS.slice(0, length)) ?? "").replace("...", "").length;
      expect(revealed).toBeLessThanOrEqual(length / 2);
    }
  });
});
