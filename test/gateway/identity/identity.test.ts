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
import { Refusal } from "../../../src/shared/refusal.ts";
import { chooseCredential, credentialHint } from "../../../src/gateway/upstream/credential.ts";
import { registry } from "../../../src/gateway/wiring.ts";
import { configure, type InItsWorld } from "../../support/in-workerd/identity.ts";
import {
  accepted,
  actor,
  anthropicProvider,
  asserted,
  fingerprint,
  governed,
  openaiProvider,
  OWNER,
  reasonOf,
  secret,
  statusOf,
  ungoverned,
} from "../../support/in-workerd/values.ts";

/** What a request with these headers presents; a list sends the header once per element. */
async function present(
  headers: Record<string, string | readonly string[]>,
  sources: readonly ConfiguredSource[] = [],
): Promise<Credential | Refusal> {
  const sent = new Headers();
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) sent.append(name, value);
  }
  return readCredential(sent, sources);
}

/** A source that says the same of every credential. */
const saying = (answer: ReturnType<Identify>, over: Partial<ConfiguredSource> = {}): ConfiguredSource => ({
  verifies: true,
  recognizes: () => false,
  identify: () => answer,
  ...over,
});

describe("the credential a request presents", () => {
  it.each([
    ["nothing", {}],
    ["empty headers", { "x-api-key": "", "x-coder-ai-governance-token": "" }],
    ["blanks", { "x-api-key": "  ", "x-coder-ai-governance-token": " \t" }],
  ])("C1 %s is a missing credential, 401", async (_, headers) => {
    const refusal = await present(headers);
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
  ])("C2 Authorization %j is no bearer token, 401", async (authorization) => {
    const refusal = await present({ authorization });
    expect(reasonOf(refusal)).toBe("credential_malformed");
    expect(statusOf(refusal)).toBe(401);
  });

  it.each(["Bearer t0ken", "bEaReR t0ken", "BEARER   t0ken", "Bearer t0ken "])(
    "C3 Authorization %j is the token t0ken",
    async (authorization) => {
      const {
        identity,
        ownKey: own,
        hasIdentityHeader: isGoverned,
      } = accepted(await present({ authorization }));
      expect(identity).toEqual({ value: "t0ken", from: "authorization", sha256: await sha256Hex("t0ken") });
      expect(own).toEqual(identity);
      expect(isGoverned).toBe(false);
    },
  );

  it.each([
    [{ authorization: ["Bearer A", "Bearer B"] }],
    [{ authorization: "Bearer A,Bearer" }],
    [{ "x-api-key": ["A", "B"] }],
    [{ "x-coder-ai-governance-token": ["A", "B"] }],
    [{ "x-coder-ai-governance-token": "A", authorization: ["Bearer A", "Bearer B"] }],
  ])("C4 a credential given twice is malformed: %j", async (headers) => {
    expect(reasonOf(await present(headers))).toBe("credential_malformed");
  });

  it("C5 where Authorization and X-Api-Key disagree the first counts, and the second nowhere", async () => {
    const read = accepted(await present({ authorization: "Bearer first", "x-api-key": "second" }));
    expect(read.identity?.value).toBe("first");
    expect(JSON.stringify(read)).not.toContain("second");
  });

  it("C5 a malformed Authorization is not made good by an X-Api-Key", async () => {
    expect(reasonOf(await present({ authorization: "Basic x", "x-api-key": "second" }))).toBe(
      "credential_malformed",
    );
  });

  it("X-Api-Key alone is the credential, trimmed", async () => {
    const { identity, ownKey: own } = accepted(await present({ "x-api-key": " sk-ant-x " }));
    expect(identity).toEqual({ value: "sk-ant-x", from: "x-api-key", sha256: await sha256Hex("sk-ant-x") });
    expect(own).toEqual(identity);
  });

  it("the governance token goes before both, and leaves the client's own key beside it", async () => {
    const headers = {
      "x-coder-ai-governance-token": " gov ",
      authorization: "Bearer own",
      "x-api-key": "unused",
    };
    const read = accepted(await present(headers));
    expect(read).toEqual({
      identity: { value: "gov", from: "x-coder-ai-governance-token", sha256: await sha256Hex("gov") },
      assertion: null,
      prefersCentralKey: false,
      ownKey: { value: "own", from: "authorization", sha256: await sha256Hex("own") },
      hasIdentityHeader: true,
    });
  });

  it("a governance token alone has no key of the client's own beside it", async () => {
    const read = accepted(await present({ "x-coder-ai-governance-token": "gov" }));
    expect(read.ownKey).toBeNull();
    expect(read.hasIdentityHeader).toBe(true);
  });

  it("a blank governance header is none: the token itself is the identity", async () => {
    const read = accepted(await present({ "x-coder-ai-governance-token": " ", authorization: "Bearer own" }));
    expect(read.identity?.value).toBe("own");
    expect(read.hasIdentityHeader).toBe(false);
  });

  it.each([
    ["quotes", "a'b"],
    ["a comma", "a,b"],
    ["a shell's metacharacters", "$(id)"],
    ["a semicolon", "a;b"],
    ["a percent escape", "a%00b"],
    ["a backslash", "a\\b"],
    ["an equals sign inside", "a=b"],
    ["a letter that is not ASCII", "tökén"],
    ["8,193 characters", "x".repeat(8193)],
    ["100 KB", "x".repeat(100_000)],
    ["100 KB of blanks inside", `a${" ".repeat(100_000)}b`],
    ["100 KB of padding", "=".repeat(100_000)],
  ])("C6 a token with %s is malformed, wherever it stands", async (_, token) => {
    expect(reasonOf(await present({ authorization: `Bearer ${token}` }))).toBe("credential_malformed");
    expect(reasonOf(await present({ "x-api-key": token }))).toBe("credential_malformed");
    expect(reasonOf(await present({ "x-coder-ai-governance-token": token }))).toBe("credential_malformed");
  });

  it("C7 C9 thousands of tokens have each its own digest, those that share a long prefix too, seen again or not", async () => {
    const prefix = `sk-${"p".repeat(200)}`;
    const tokens = Array.from({ length: 1500 }, (_, at) => `${prefix}${at}`);
    const seen = new Set<string>();
    for (const token of [...tokens, ...tokens.slice(0, 20), ...tokens.slice(-20)]) {
      const { identity } = accepted(await present({ authorization: `Bearer ${token}` }));
      expect(identity?.sha256).toBe(await sha256Hex(token));
      seen.add(identity?.sha256 ?? "");
    }
    expect(seen.size).toBe(tokens.length);
  });

  it("C6 a refusal's detail names the header, never the token", async () => {
    const refused = await Promise.all([
      present({ authorization: "Basic canary-1" }),
      present({ "x-api-key": "canary 2" }),
      present({ "x-coder-ai-governance-token": "canary 3" }),
    ]);
    expect(refused.map((one) => (one instanceof Refusal ? one.data.detail : null))).toEqual([
      "Authorization",
      "X-Api-Key",
      "X-Coder-AI-Governance-Token",
    ]);
    expect(JSON.stringify(refused)).not.toContain("canary");
  });

  it.each(["sk-proj-Ab_9-", "abc.def.ghi", "dGVzdA==", "a~b+c/d", "x".repeat(8192)])(
    "a token68 such as %j is taken whole",
    async (token) => {
      expect(accepted(await present({ authorization: `Bearer ${token}` })).identity?.value).toBe(token);
    },
  );
});

const access = (ownKeyYields = true): ConfiguredSource => saying(null, { assertion: { ownKeyYields } });
const judges = (token: string): ConfiguredSource =>
  saying(null, { recognizes: ({ value }) => value === token });

describe("what Cloudflare Access says, in a header of its own", () => {
  const ASSERTION = { "cf-access-jwt-assertion": " e30.e30.c2ln " };

  it("is a credential where a source reads it, and Authorization is then the client's own provider key", async () => {
    const alone = accepted(await present(ASSERTION, [access()]));
    const value = "e30.e30.c2ln";
    const assertion = { value, from: "cf-access-jwt-assertion", sha256: await sha256Hex(value) };
    expect(alone).toEqual({
      identity: null,
      assertion,
      ownKey: null,
      hasIdentityHeader: true,
      prefersCentralKey: true,
    });
    const beside = accepted(await present({ ...ASSERTION, authorization: "Bearer sk-own" }, [access(false)]));
    expect(beside.ownKey?.value).toBe("sk-own");
    expect(beside.identity).toEqual(beside.ownKey);
    expect(beside.prefersCentralKey).toBe(false);
  });

  it("is nothing where none does, however it looks", async () => {
    expect(reasonOf(await present(ASSERTION))).toBe("credential_missing");
    expect(reasonOf(await present(ASSERTION, [saying(null)]))).toBe("credential_missing");
    const odd = { "cf-access-jwt-assertion": "a b", authorization: "Bearer sk-own" };
    expect(accepted(await present(odd))).toMatchObject({
      assertion: null,
      hasIdentityHeader: false,
      prefersCentralKey: false,
    });
  });

  it.each([[["a", "b"]], ["a b"], ['"a"'], ["x".repeat(8193)]])("C4 C6 is malformed as %j", async (sent) => {
    const refusal = await present({ "cf-access-jwt-assertion": sent, authorization: "Bearer ok" }, [
      access(),
    ]);
    expect(refusal).toMatchObject({
      code: "credential_malformed",
      data: { detail: "Cf-Access-Jwt-Assertion" },
    });
  });

  it("does not take back what a governance token says of the client's own key", async () => {
    const headers = { ...ASSERTION, "x-coder-ai-governance-token": "gov", authorization: "Bearer sk-own" };
    expect(accepted(await present(headers, [access()]))).toMatchObject({
      hasIdentityHeader: true,
      prefersCentralKey: false,
    });
  });

  it("leaves byok aside, whatever the order of IDENTITY", async () => {
    const credential = accepted(await present({ ...ASSERTION, authorization: "Bearer sk-own" }, [access()]));
    const anyone = saying(fingerprint, { verifies: false });
    expect(reasonOf(await identify(credential, [anyone, access()]))).toBe("invalid_credential");
  });
});

describe("what a source judges is nobody's provider key", () => {
  it.each([
    ["alone", {}],
    ["beside a governance token", { "x-coder-ai-governance-token": "gov" }],
  ])("%s", async (_, beside) => {
    const own = async (...sources: ConfiguredSource[]): Promise<string | undefined> =>
      accepted(await present({ ...beside, authorization: "Bearer session" }, sources)).ownKey?.value;
    expect(await own()).toBe("session");
    expect(await own(judges("other"))).toBe("session");
    expect(await own(judges("other"), judges("session"))).toBeUndefined();
  });

  it("so byok, asked first, takes no other source's token for one", async () => {
    const sources = [configure(byok).asListed, { ...judges("session"), identify: () => actor() }];
    const credential = accepted(await present({ authorization: "Bearer session" }, sources));
    expect(await identify(credential, sources)).toMatchObject({ source: "keys" });
  });
});

describe("source byok", () => {
  const { identify: known } = configure(byok);
  const ask = async (authorization: string): Promise<Actor> => {
    const answer = await known(accepted(await present({ authorization })));
    if (answer === null || answer instanceof Refusal) throw new Error("byok knows every key");
    return answer;
  };

  it("makes the key's fingerprint the actor, unverified", async () => {
    // printf %s sk-test-1 | sha256sum
    expect(await ask("Bearer sk-test-1")).toEqual({
      id: "byok:db567a0dd8d24a1a894b3f1ceac15772",
      kind: "unknown",
      name: null,
      source: "byok",
      verified: false,
      keyId: "db567a0dd8d24a1a",
      mayAssert: null,
    });
  });

  it("is the same for a key however it is sent, and another for another key", async () => {
    const { id } = await ask("Bearer sk-test-1");
    expect((await ask("bearer   sk-test-1")).id).toBe(id);
    const inApiKey = await known(accepted(await present({ "x-api-key": "sk-test-1" })));
    expect((inApiKey as Actor).id).toBe(id);
    expect((await ask("Bearer sk-test-2")).id).not.toBe(id);
    expect((await ask("Bearer SK-TEST-1")).id).not.toBe(id);
  });

  it("tells nothing of the key: no run of it stands in the actor", async () => {
    const key = "sk-proj-CANARYcanary0123456789";
    const told = JSON.stringify(await ask(`Bearer ${key}`));
    for (let at = 0; at + 5 <= key.length; at += 1) expect(told).not.toContain(key.slice(at, at + 5));
  });

  it("knows nobody by a governance token alone", async () => {
    expect(await known(accepted(await present({ "x-coder-ai-governance-token": "gov" })))).toBeNull();
  });

  it("refuses options", () => {
    expect(configure(byok, { options: { ttl: 5 } }).problems).toEqual(["ttl is unknown (known: )"]);
  });
});

const KEY = "aei_0123456789abcdefghijklmnopqrstuvwxyz";

async function entry(key: string, over: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  return { sha256: await sha256Hex(key), actor: "ci-bot", kind: "service", ...over };
}

async function keysWith(...entries: readonly unknown[]): Promise<InItsWorld> {
  return configure(keys, { secrets: { CLIENT_KEYS: JSON.stringify(entries) } });
}

const presentedKey = async (key: string): Promise<Credential> =>
  accepted(await present({ authorization: `Bearer ${key}` }));

describe("source keys", () => {
  it("makes the entry's actor of a key that is listed", async () => {
    const { identify: known, problems } = await keysWith(
      await entry(KEY, { name: "CI bot", assert: false }),
      await entry("aei_other", { actor: "other" }),
    );
    expect(problems).toEqual([]);
    expect(await known(await presentedKey(KEY))).toEqual({
      id: "ci-bot",
      kind: "service",
      name: "CI bot",
      source: "keys",
      verified: true,
      keyId: (await sha256Hex(KEY)).slice(0, 16),
      mayAssert: false,
    });
  });

  it("leaves name and assert open where the entry does", async () => {
    const { identify: known } = await keysWith(await entry(KEY));
    expect(await known(await presentedKey(KEY))).toMatchObject({ name: null, mayAssert: null });
  });

  it("writes an actor that is a UUID in lower case, as an owner is", async () => {
    const { identify: known } = await keysWith(
      await entry(KEY, { actor: OWNER.toUpperCase(), kind: "user" }),
      await entry("aei_mixed", { actor: "Mixed-Case" }),
    );
    expect(await known(await presentedKey(KEY))).toMatchObject({ id: OWNER });
    expect(await known(await presentedKey("aei_mixed"))).toMatchObject({ id: "Mixed-Case" });
  });

  it("C7 a token that shares a long prefix with a known one is refused", async () => {
    const long = `aei_${"p".repeat(4000)}`;
    const { identify: known } = await keysWith(await entry(`${long}1`));
    expect(await known(await presentedKey(`${long}1`))).toMatchObject({ id: "ci-bot" });
    expect(reasonOf(await known(await presentedKey(`${long}2`)))).toBe("invalid_credential");
    expect(reasonOf(await known(await presentedKey(long)))).toBe("invalid_credential");
  });

  it("C7 a digest that shares its first 16 digits with a known one is refused: the whole is compared", async () => {
    const sha256 = await sha256Hex(KEY);
    const near = sha256.slice(0, 63) + (sha256.endsWith("0") ? "1" : "0");
    const { identify: known, problems } = await keysWith({ sha256: near, actor: "ci-bot", kind: "service" });
    expect(problems).toEqual([]);
    expect(reasonOf(await known(await presentedKey(KEY)))).toBe("invalid_credential");
  });

  it.each(["aei_", "aei_x", `${KEY}0`, KEY.slice(0, -1), `aei_${"x".repeat(8000)}`])(
    "C10 %s, of another length than any known, is refused without a throw",
    async (key) => {
      const { identify: known } = await keysWith(await entry(KEY));
      expect(reasonOf(await known(await presentedKey(key)))).toBe("invalid_credential");
    },
  );

  it("a key that is none of ours is left to other sources", async () => {
    const { identify: known } = await keysWith(await entry(KEY));
    expect(await known(await presentedKey("sk-proj-abc"))).toBeNull();
    expect(await known(await presentedKey(KEY.replace("aei_", "AEI_")))).toBeNull();
  });

  it("the digest itself is no key", async () => {
    const { identify: known } = await keysWith(await entry(KEY));
    expect(await known(await presentedKey(await sha256Hex(KEY)))).toBeNull();
  });

  it("knows the governance token, and not the client's own key beside it", async () => {
    const { identify: known } = await keysWith(await entry(KEY));
    const beside = await present({
      "x-coder-ai-governance-token": "sk-other",
      authorization: `Bearer ${KEY}`,
    });
    expect(await known(accepted(beside))).toBeNull();
    const inHeader = await present({ "x-coder-ai-governance-token": KEY, authorization: "Bearer sk-own" });
    expect(await known(accepted(inHeader))).toMatchObject({ id: "ci-bot" });
  });

  const SHA = "a".repeat(64);
  it.each([
    ["no JSON", "nope", ["CLIENT_KEYS"]],
    ["no array", "{}", ["CLIENT_KEYS"]],
    ["a list of no objects", '[1, null, "x", []]', [0, 1, 2, 3].map((at) => `CLIENT_KEYS[${at}]`)],
    ["an empty entry", "[{}]", ["sha256", "actor", "kind"].map((key) => `CLIENT_KEYS[0].${key}`)],
    [
      "an upper-case digest",
      JSON.stringify([{ sha256: SHA.toUpperCase(), actor: "a", kind: "user" }]),
      ["CLIENT_KEYS[0].sha256"],
    ],
    [
      "a short digest",
      JSON.stringify([{ sha256: SHA.slice(1), actor: "a", kind: "user" }]),
      ["CLIENT_KEYS[0].sha256"],
    ],
    [
      "an actor with a blank",
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
      "a name that is no text",
      JSON.stringify([{ sha256: SHA, actor: "a", kind: "user", name: 7 }]),
      ["CLIENT_KEYS[0].name"],
    ],
    [
      "an assert that is a text",
      JSON.stringify([{ sha256: SHA, actor: "a", kind: "user", assert: "true" }]),
      ["CLIENT_KEYS[0].assert"],
    ],
    [
      "a key that is unknown",
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
      "everything wrong at once",
      JSON.stringify([{ sha256: 1, actor: "", kind: "", name: [], assert: 0, x: 1, __proto_: 2 }]),
      ["x", "__proto_", "sha256", "actor", "kind", "name", "assert"].map((key) => `CLIENT_KEYS[0].${key}`),
    ],
  ])("J2 J6 names what is wrong: %s", (_, text, paths) => {
    const { problems } = configure(keys, { secrets: { CLIENT_KEYS: text } });
    expect(problems.map((problem) => problem.split(" ")[0])).toEqual(paths);
  });

  it("an actor of 96 characters is taken: it fits an Analytics Engine index", async () => {
    const { problems } = await keysWith(await entry(KEY, { actor: "a".repeat(96) }));
    expect(problems).toEqual([]);
  });

  it("J1 no value of an entry stands in a problem", () => {
    const canary = "CANARY";
    const bad = { sha256: canary, actor: `${canary} x`, kind: canary, name: [canary], assert: canary };
    const { problems } = configure(keys, { secrets: { CLIENT_KEYS: JSON.stringify([bad, canary]) } });
    expect(problems).toHaveLength(6);
    expect(problems.join("\n")).not.toContain(canary);
  });

  it("F5 an entry with __proto__ pollutes nothing and is refused", () => {
    const text = `[{"sha256":"${SHA}","actor":"a","kind":"user","__proto__":{"assert":true}}]`;
    const { problems } = configure(keys, { secrets: { CLIENT_KEYS: text } });
    expect(problems.map((problem) => problem.split(" ")[0])).toEqual(["CLIENT_KEYS[0].__proto__"]);
    expect(({} as { assert?: unknown }).assert).toBeUndefined();
  });
});

const known = (id: string): ConfiguredSource => saying(actor({ id }));

describe("which source decides", () => {
  const unknown = saying(null);
  const refusing = saying(new Refusal("identity_unavailable"));
  const anyone = saying(fingerprint, { verifies: false });
  const credential = ungoverned(secret("t"));

  it("the first that knows the credential", async () => {
    expect(await identify(credential, [unknown, known("a"), known("b")])).toMatchObject({ id: "a" });
  });

  it("a refusal is the end: no later source is asked", async () => {
    const asked: string[] = [];
    const later = saying(null, { identify: () => (asked.push("later"), actor()) });
    expect(reasonOf(await identify(credential, [unknown, refusing, later]))).toBe("identity_unavailable");
    expect(asked).toEqual([]);
  });

  it("invalid_credential, 401, where none knows it", async () => {
    const refusal = await identify(credential, [unknown, unknown]);
    expect(reasonOf(refusal)).toBe("invalid_credential");
    expect(statusOf(refusal)).toBe(401);
    expect(reasonOf(await identify(credential, []))).toBe("invalid_credential");
  });

  it("waits for a source that answers later", async () => {
    const slow = saying(Promise.resolve(actor({ id: "slow" })));
    expect(await identify(credential, [slow, known("b")])).toMatchObject({ id: "slow" });
  });

  it("a wrong governance token is not made good by the client's own key", async () => {
    const beside = governed("wrong", secret("sk-own"));
    expect(reasonOf(await identify(beside, [unknown, anyone]))).toBe("invalid_credential");
    expect(reasonOf(await identify(beside, [anyone, unknown]))).toBe("invalid_credential");
  });

  it("a governance token is left aside where no source verifies any", async () => {
    expect(await identify(governed("gov", secret("sk-own")), [anyone])).toEqual(fingerprint);
  });

  it("a key of ours that is not known is refused and not taken for a provider's", async () => {
    const sources = [(await keysWith(await entry(KEY))).asListed, anyone];
    expect(reasonOf(await identify(await presentedKey("aei_unknown"), sources))).toBe("invalid_credential");
    expect(await identify(await presentedKey("sk-own"), sources)).toEqual(fingerprint);
  });

  it("a client key never counts as somebody's provider key, whatever the order of IDENTITY", async () => {
    const config = readConfig(
      {
        PROVIDERS: { openai: { type: "openai", base_url: "https://api.openai.example/v1" } },
        IDENTITY: [{ source: "byok" }, { source: "keys" }],
        CLIENT_KEYS: JSON.stringify([await entry(KEY)]),
      },
      registry,
    );
    // Refusing such a config would do as well.
    const told = "issues" in config ? null : await identify(await presentedKey(KEY), config.sources);
    expect(told).not.toMatchObject({ source: "byok" });
  });
});

const zero = (): number => 0;
const never = (): number => {
  throw new Error("chance was asked for");
};

describe("which key the provider gets", () => {
  const central = openaiProvider({ keys: ["sk-central"] });
  const open = openaiProvider();
  const clientKey = ungoverned(secret(KEY));
  const ownKey = secret("sk-own");

  it("a verified client key gets the central key, in the dialect's header", () => {
    expect(chooseCredential(central, actor(), clientKey, zero)).toEqual({
      kind: "centralized",
      hint: "sk...al",
      header: ["authorization", "Bearer sk-central"],
      centralKey: "sk-central",
    });
    expect(chooseCredential(anthropicProvider({ keys: ["sk-ant"] }), actor(), clientKey, zero)).toEqual({
      kind: "centralized",
      hint: "s...t",
      header: ["x-api-key", "sk-ant"],
      centralKey: "sk-ant",
    });
  });

  it("a fingerprint's own key goes on", () => {
    expect(chooseCredential(open, fingerprint, ungoverned(ownKey), zero)).toEqual({
      kind: "byok",
      hint: "s...n",
      header: ["authorization", "Bearer sk-own"],
      centralKey: null,
    });
  });

  it("a fingerprint never spends a central key: E401", () => {
    for (const credential of [ungoverned(ownKey), governed("gov", ownKey), governed("gov", null)]) {
      const refusal = chooseCredential(central, fingerprint, credential, zero);
      expect(reasonOf(refusal)).toBe("byok_not_accepted");
      expect(statusOf(refusal)).toBe(401);
    }
  });

  it("beside a governance token the client's own key goes on, even where there is a central one", () => {
    for (const provider of [open, central]) {
      expect(chooseCredential(provider, actor(), governed("gov", ownKey), zero)).toEqual({
        kind: "byok",
        hint: "s...n",
        header: ["authorization", "Bearer sk-own"],
        centralKey: null,
      });
    }
  });

  it("beside Cloudflare Access the client's own key goes on where there is no central one", () => {
    const own = { kind: "byok", header: ["authorization", "Bearer sk-own"] };
    expect(chooseCredential(open, actor(), asserted("jwt", ownKey), zero)).toMatchObject(own);
    expect(chooseCredential(central, actor(), asserted("jwt", ownKey), zero)).toMatchObject({
      kind: "centralized",
      header: ["authorization", "Bearer sk-central"],
    });
    expect(chooseCredential(central, actor(), asserted("jwt", ownKey, false), zero)).toMatchObject(own);
    expect(reasonOf(chooseCredential(open, actor(), asserted("jwt", null), zero))).toBe(
      "provider_key_missing",
    );
  });

  it("a fingerprint spends no central key beside it either", () => {
    expect(reasonOf(chooseCredential(central, fingerprint, asserted("jwt", ownKey), zero))).toBe(
      "byok_not_accepted",
    );
  });

  it("a governance token without a key of the client's own gets the central key", () => {
    expect(chooseCredential(central, actor(), governed("gov", null), zero)).toMatchObject({
      kind: "centralized",
      centralKey: "sk-central",
    });
  });

  it.each([
    ["a client key", clientKey],
    ["a governance token alone", governed("gov", null)],
  ])("%s on a provider without keys: E401 that says what is missing", (_, credential) => {
    const refusal = chooseCredential(open, actor(), credential, zero);
    expect(reasonOf(refusal)).toBe("provider_key_missing");
    expect(statusOf(refusal)).toBe(401);
    expect((refusal as Refusal).message).toContain("the provider's key is missing");
  });

  it("a governance token is never a provider key", () => {
    const gov = secret("gov", "x-coder-ai-governance-token");
    const odd: Credential = { ...governed("gov", gov), identity: gov };
    expect(reasonOf(chooseCredential(open, actor(), odd, zero))).toBe("provider_key_missing");
    expect(reasonOf(chooseCredential(open, fingerprint, odd, zero))).toBe("provider_key_missing");
  });

  it("a client key beside a governance token is not passed on as the provider's", async () => {
    const beside = accepted(
      await present({ "x-coder-ai-governance-token": KEY, authorization: `Bearer ${KEY}` }),
    );
    for (const provider of [open, central]) {
      expect(JSON.stringify(chooseCredential(provider, actor(), beside, zero))).not.toContain(KEY);
    }
  });

  it.each([
    ["authorization", ["authorization", "Bearer sk-own"]],
    ["x-api-key", ["x-api-key", "sk-own"]],
  ] as const)("Anthropic's own key goes on in the header it came in: %s", (from, header) => {
    const own = ungoverned(secret("sk-own", from));
    expect(chooseCredential(anthropicProvider(), fingerprint, own, zero)).toMatchObject({ header });
  });

  it("OpenAI's own key goes on as a bearer, whichever header it came in", () => {
    const own = ungoverned(secret("sk-own", "x-api-key"));
    expect(chooseCredential(open, fingerprint, own, zero)).toMatchObject({
      header: ["authorization", "Bearer sk-own"],
    });
  });

  it("several central keys take turns by chance, each within reach and none beyond", () => {
    const three = openaiProvider({ keys: ["k1", "k2", "k3"] });
    const chosen = [0, 0.3333, 0.3334, 0.5, 0.6667, 1 - 2 ** -32].map((fraction) => {
      const credential = chooseCredential(three, actor(), clientKey, () => fraction);
      return accepted(credential).centralKey;
    });
    expect(chosen).toEqual(["k1", "k1", "k2", "k2", "k3", "k3"]);
  });

  it("a single central key asks for no chance", () => {
    expect(accepted(chooseCredential(central, actor(), clientKey, never)).centralKey).toBe("sk-central");
  });
});

describe("the hint by which a key's owner knows it", () => {
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
  ])("of a key of %i characters is %j", (length, hint) => {
    expect(credentialHint(LETTERS.slice(0, length))).toBe(hint);
  });

  it("leaves most of every key unsaid", () => {
    for (let length = 0; length <= LETTERS.length; length += 1) {
      const said = (credentialHint(LETTERS.slice(0, length)) ?? "").replace("...", "").length;
      expect(said).toBeLessThanOrEqual(length / 2);
    }
  });
});
