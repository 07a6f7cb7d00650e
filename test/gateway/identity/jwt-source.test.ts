/* oxlint-disable vitest/expect-expect -- expectRefused is an assertion */
import { beforeAll, describe, expect, it } from "vitest";
import { readCredential, type Credential } from "../../../src/gateway/identity/credential.ts";
import { identify, type Actor } from "../../../src/gateway/identity/identity.ts";
import { jwt } from "../../../src/gateway/identity/sources/jwt.ts";
import type { Refusal } from "../../../src/shared/refusal.ts";
import {
  byHand,
  createIssuer,
  hmacByHand,
  withOtherClaims,
  type Issuer,
} from "../../support/issuer-tokens.ts";
import {
  configure,
  NOON,
  recordingFetch,
  tokenOf,
  type InItsWorld,
} from "../../support/in-workerd/identity.ts";
import { accepted, actor, OWNER, reasonOf, statusOf } from "../../support/in-workerd/values.ts";

const ISSUER = "https://issuer.example/tenant/";
const JWKS_URL = "https://issuer.example/tenant/keys/";
const AUDIENCE = "ai-gateway";
const NOW = NOON / 1000;

let issuer: Issuer;
let stranger: Issuer;
beforeAll(async () => {
  issuer = await createIssuer("theirs");
  // An attacker's own issuer: good signatures, by keys that nobody here trusts, under the same names.
  stranger = await createIssuer("theirs");
});

const claims = (over: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "alice",
  iat: NOW,
  exp: NOW + 3600,
  ...over,
});

type Answer = Parameters<typeof recordingFetch>[0];

type Trusting = InItsWorld & {
  readonly asked: readonly Request[];
  readonly inits: readonly (RequestInit | undefined)[];
  readonly ask: (token: string) => Promise<Actor | Refusal | null>;
};

/** A source that trusts `issuer`, whose keys are fetched by `answer`. */
function trusting(options: Readonly<Record<string, unknown>> = {}, answer: Answer = published): Trusting {
  const { fetch, asked, inits } = recordingFetch(answer);
  const required = { issuer: ISSUER, jwks_url: JWKS_URL, audience: AUDIENCE };
  const source = configure(jwt, { options: { ...required, ...options }, fetch });
  const ask = async (token: string): Promise<Actor | Refusal | null> =>
    source.identify(await presented(token));
  return { ...source, asked, inits, ask };
}

const published: Answer = () => Response.json(issuer.jwks());

const presented = async (token: string): Promise<Credential> =>
  accepted(await readCredential(new Headers({ authorization: `Bearer ${token}` })));

describe("source jwt: whose token it is", () => {
  it("is the actor that sub names, verified, by keys from the one address that is configured", async () => {
    const { ask, asked, inits, problems } = trusting();
    expect(problems).toEqual([]);
    expect(await ask(await issuer.sign(claims()))).toEqual({
      id: "alice",
      kind: "user",
      name: null,
      source: "jwt",
      verified: true,
      keyId: expect.stringMatching(/^[0-9a-f]{16}$/),
      mayAssert: null,
    });
    expect(asked.map(({ url, method }) => `${method} ${url}`)).toEqual([`GET ${JWKS_URL}`]);
    expect(asked[0]?.headers.has("authorization")).toBe(false);
    expect(inits[0]).toMatchObject({ redirect: "manual" });
  });

  it("signed with ES256 likewise", async () => {
    expect(await trusting().ask(await issuer.sign(claims(), { alg: "ES256" }))).toMatchObject({
      id: "alice",
    });
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>]>([
    ["another claim", { actor_claim: "oid" }, { oid: OWNER.toUpperCase() }, { id: OWNER }],
    ["a name", { name_claim: "email" }, { email: "alice@example.com" }, { name: "alice@example.com" }],
    ["a name that is no text", { name_claim: "email" }, { email: ["a"] }, { name: null }],
    ["no such name", { name_claim: "constructor" }, {}, { name: null }],
    ["services only", { kind: "service" }, {}, { kind: "service" }],
    ["a service's claim", { service_claim: "machine" }, { machine: true }, { kind: "service" }],
    ["a service's claim that is a text", { service_claim: "machine" }, { machine: "true" }, { kind: "user" }],
    ["a service's claim that is absent", { service_claim: "constructor" }, {}, { kind: "user" }],
    [
      "a service's value",
      { service_claim: "idtyp", service_value: "app" },
      { idtyp: "app" },
      { kind: "service" },
    ],
    ["another value", { service_claim: "idtyp", service_value: "app" }, { idtyp: "user" }, { kind: "user" }],
    ["several audiences", { audience: ["a", AUDIENCE] }, {}, { id: "alice" }],
    ["an audience among others", {}, { aud: ["x", AUDIENCE] }, { id: "alice" }],
  ])("reads %s", async (_, options, over, expected) => {
    expect(await trusting(options).ask(await issuer.sign(claims(over)))).toMatchObject(expected);
  });

  it.each<[string, unknown]>([
    ["absent", undefined],
    ["empty", ""],
    ["a number", 7],
    ["a list", ["alice"]],
    ["with a blank", "alice smith"],
    ["with a line break", "alice\nroot"],
    ["of 97 characters", "a".repeat(97)],
    ["a provider key's fingerprint", "byok:0123456789abcdef0123456789abcdef"],
    ["such a one in capitals", "BYOK:0123"],
  ])("an actor that is %s is nobody: E401", async (_, sub) => {
    expect(await trusting().ask(await issuer.sign(claims({ sub })))).toMatchObject({
      code: "invalid_credential",
      data: { detail: "token: its sub is no actor's id" },
    });
  });
});

describe("source jwt: which tokens are its own", () => {
  it.each<[string, () => string | Promise<string>]>([
    ["another issuer's", () => stranger.sign(claims({ iss: "https://other.example" }))],
    ["one whose issuer has no slash at its end", () => issuer.sign(claims({ iss: ISSUER.slice(0, -1) }))],
    ["one without an issuer", () => issuer.sign(claims({ iss: undefined }))],
    ["one whose issuer is a list", () => byHand({ alg: "RS256" }, claims({ iss: [ISSUER] }), "c2ln")],
    ["one of five parts", async () => `${await issuer.sign(claims())}.YQ.YQ`],
    ["one of two parts", async () => (await issuer.sign(claims())).split(".").slice(0, 2).join(".")],
    ["one whose claims are no object", () => byHand({ alg: "RS256" }, [ISSUER], "c2ln")],
    ["one whose claims are no JSON", () => byHand({ alg: "RS256" }, "{", "c2ln")],
    ["one whose claims are no base64url", () => "e30.~~~.c2ln"],
    ["a provider's key", () => "sk-proj-0123456789"],
  ])("%s is left to others, and fetches nothing", async (_, make) => {
    const token = await make();
    const { ask, asked, recognizes: recognizes } = trusting();
    expect(await ask(token)).toBeNull();
    expect(recognizes(await tokenOf(token))).toBe(false);
    expect(asked).toEqual([]);
  });

  it("one of its own that it refuses is refused, whoever comes after", async () => {
    const later = { verifies: true, recognizes: () => false, identify: () => actor() };
    const credential = await presented(await stranger.sign(claims()));
    expect(reasonOf(await identify(credential, [trusting().asListed, later]))).toBe("invalid_credential");
  });

  it("one of its own is nobody's provider key: it goes upstream from no header", async () => {
    const token = await issuer.sign(claims());
    const headers = { authorization: `Bearer ${token}`, "x-coder-ai-governance-token": "gov" };
    expect(accepted(await readCredential(new Headers(headers), [trusting().asListed]))).toMatchObject({
      ownKey: null,
    });
  });
});

/** Each is refused with 401, and no address but the keys' own was asked. */
async function expectRefused(
  token: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<string | null> {
  const { ask, asked } = trusting(options);
  const refusal = await ask(token);
  expect(reasonOf(refusal)).toBe("invalid_credential");
  expect(statusOf(refusal)).toBe(401);
  expect(asked.filter(({ url }) => url !== JWKS_URL)).toEqual([]);
  const told = (refusal as Refusal).data.detail ?? null;
  expect(token.split(".").filter((one) => one.length > 3 && told?.includes(one))).toEqual([]);
  return told;
}

describe("source jwt: C12 what is not signed by the issuer", () => {
  // The attack: a token that says it needs no signature (RFC 7515 appendix A.5).
  it.each([
    "none",
    "None",
    "NONE",
    "nOnE",
    "",
    " RS256",
    "rs256",
    "HS256",
    "HS384",
    "HS512",
    "RS512",
    "PS256",
    "dir",
  ])("alg %j", async (alg) => {
    const kid = issuer.jwks().keys[0]?.kid;
    expect(await expectRefused(byHand({ alg, kid }, claims()))).toMatch(/algorithm/);
    expect(await expectRefused(byHand({ alg, kid }, claims(), "c2lnbmF0dXJl"))).toMatch(/algorithm/);
  });

  it.each<[string, unknown]>([
    ["absent", {}],
    ["null", { alg: null }],
    ["a list", { alg: ["RS256"] }],
    ["a number", { alg: 256 }],
  ])("alg that is %s", async (_, header) => {
    await expectRefused(byHand(header, claims(), "c2ln"));
  });

  // The attack: the public key is public, so its text as an HMAC secret makes a "signature" that anybody can write.
  it("HS256 with the RSA key's text for a secret", async () => {
    const pem = await issuer.publicPem();
    const [jwk] = issuer.jwks().keys;
    for (const secret of [pem, pem.trim(), JSON.stringify(jwk), String(jwk?.n)]) {
      await expectRefused(await hmacByHand({ alg: "HS256", kid: jwk?.kid }, claims(), secret));
      // The same under a name that is allowed.
      await expectRefused(await hmacByHand({ alg: "RS256", kid: jwk?.kid }, claims(), secret));
    }
  });

  it("another's signature under a key's name", async () => {
    expect(await expectRefused(await stranger.sign(claims()))).toBe(
      "token: ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
    );
  });

  it("other claims under a good signature", async () => {
    await expectRefused(withOtherClaims(await issuer.sign(claims()), claims({ sub: "root" })));
  });

  it("a good signature cut off, emptied, doubled, or of another algorithm's key", async () => {
    const token = await issuer.sign(claims());
    const [header, payload, signature] = token.split(".");
    await expectRefused(`${header}.${payload}.`);
    await expectRefused(`${header}.${payload}.${signature?.slice(0, -4)}`);
    await expectRefused(`${header}.${payload}.${signature}${signature}`);
    const [rsa, ec] = issuer.jwks().keys;
    await expectRefused(await issuer.sign(claims(), { alg: "RS256", header: { kid: ec?.kid } }));
    await expectRefused(await issuer.sign(claims(), { alg: "ES256", header: { kid: rsa?.kid } }));
  });

  it("an algorithm that is not among the configured ones, however good", async () => {
    await expectRefused(await issuer.sign(claims(), { alg: "ES256" }), { algorithms: ["RS256"] });
  });

  it("a header that is no JSON, or no object", async () => {
    for (const header of ["{", "[]", "null", '"RS256"'])
      await expectRefused(byHand(header, claims(), "c2ln"));
  });
});

describe("source jwt: C13 tokens that say where their key is", () => {
  const [evil, file] = ["https://evil.example/keys", "file:///dev/null"];
  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["kid that climbs", { kid: "../../../../../dev/null" }],
    ["kid that is a URL", { kid: evil }],
    ["kid with SQL", { kid: "x' UNION SELECT 'k" }],
    ["kid of 300 characters", { kid: "k".repeat(300) }],
    ["kid that is a number", { kid: 1 }],
    ["kid that is an object", { kid: { $ne: null } }],
    ["kid __proto__", { kid: "__proto__" }],
    ["jku", { jku: evil }],
    ["jku to a file", { jku: file }],
    ["x5u", { x5u: evil }],
    ["x5c", { x5c: ["MIIB"] }],
  ])("%s: E401, whoever has signed it", async (_, header) => {
    await expectRefused(await stranger.sign(claims(), { header }));
    await expectRefused(await issuer.sign(claims(), { header }));
  });

  it.each(["jku", "x5u", "x5c", "jwk"])("%s is refused for itself, however well signed", async (name) => {
    const token = await issuer.sign(claims(), { header: { [name]: issuer.jwks().keys[0] } });
    expect(await expectRefused(token)).toBe(`token: its header has ${name}`);
  });

  it("the stranger's own key inside", async () => {
    const [jwk] = stranger.jwks().keys;
    await expectRefused(await stranger.sign(claims(), { header: { jwk } }));
    await expectRefused(await stranger.sign(claims(), { header: { jwk, kid: undefined } }));
  });

  it("crit, of what jose knows and of what nobody does", async () => {
    const kid = issuer.jwks().keys[0]?.kid;
    for (const crit of [["exp"], ["b64"], [], ["x"], "exp"]) {
      const header = { alg: "RS256", kid, crit, exp: 1, x: 1 };
      expect(await expectRefused(byHand(header, claims(), "c2ln"))).toContain("crit");
    }
  });

  it("a key set that holds secrets or private keys makes no key of them", async () => {
    const secret = "0123456789abcdef0123456789abcdef";
    const oct = { kty: "oct", k: btoa(secret), kid: "shared", alg: "HS256" };
    const { ask } = trusting({}, () => Response.json({ keys: [oct, ...issuer.jwks().keys] }));
    const token = await hmacByHand({ alg: "HS256", kid: "shared" }, claims(), secret);
    expect(reasonOf(await ask(token))).toBe("invalid_credential");
  });
});

describe("source jwt: C14 claims", () => {
  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["another audience", { aud: "other" }],
    ["an audience that only begins alike", { aud: `${AUDIENCE}-2` }],
    ["audiences that are others", { aud: ["x", "y"] }],
    ["no audience", { aud: undefined }],
    ["an audience that is an object", { aud: { [AUDIENCE]: true } }],
    ["expired 31 s ago", { exp: NOW - 31 }],
    ["expired exactly at the tolerance's end", { exp: NOW - 30 }],
    ["exp that is a text", { exp: String(NOW + 3600) }],
    ["exp that is a date", { exp: "2030-01-01T00:00:00Z" }],
    ["exp that is true", { exp: true }],
    ["exp that is null", { exp: null }],
    ["no exp", { exp: undefined }],
    ["valid in 31 s", { nbf: NOW + 31 }],
    ["nbf that is a text", { nbf: String(NOW) }],
    ["iat that is a text", { iat: "now" }],
  ])("%s: E401", async (_, over) => {
    await expectRefused(await issuer.sign(claims(over)));
  });

  it.each<[string, RegExp, string]>([
    // JSON reads it as Infinity: a token without an end.
    ["an exp of 1e400", /"exp":\d+/, '"exp":1e400'],
    ["two exp, the last of them no number", /"exp":\d+/, `"exp":${NOW + 60},"exp":"never"`],
    ["two audiences, the last of them another", /"aud":"[^"]*"/, `"aud":"${AUDIENCE}","aud":"other"`],
    ["something behind it", /$/, "{}"],
  ])("%s, well signed: E401 or nobody's", async (_, what, instead) => {
    const { ask } = trusting();
    const text = JSON.stringify(claims());
    expect(await ask(await issuer.signText(text))).toMatchObject({ id: "alice" });
    const answer = await ask(await issuer.signText(text.replace(what, instead)));
    expect(answer === null || reasonOf(answer) === "invalid_credential").toBe(true);
  });

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["expired 29 s ago", { exp: NOW - 29 }],
    ["valid in 30 s", { nbf: NOW + 30 }],
  ])("%s is within the tolerance", async (_, over) => {
    expect(await trusting().ask(await issuer.sign(claims(over)))).toMatchObject({ id: "alice" });
  });

  it("max_age_s ends a token by its iat, and wants one", async () => {
    const options = { max_age_s: 600, clock_tolerance_s: 0 };
    expect(await trusting(options).ask(await issuer.sign(claims({ iat: NOW - 600 })))).toMatchObject({
      id: "alice",
    });
    await expectRefused(await issuer.sign(claims({ iat: NOW - 601 })), options);
    await expectRefused(await issuer.sign(claims({ iat: undefined })), options);
    await expectRefused(await issuer.sign(claims({ iat: NOW + 1 })), options);
  });

  it.each([
    ["exp", { exp: NOW + 20 }, {}, 50_000],
    ["its age", { iat: NOW }, { max_age_s: 20 }, 50_000],
    ["a minute, after which it is looked at again", {}, {}, 60_000],
  ])("what was verified is remembered no longer than %s", async (_, over, options, ms) => {
    const { ask, asked, clock } = trusting(options);
    const token = await issuer.sign(claims(over));
    await ask(token);
    clock.at += ms - 1;
    expect(await ask(token)).toMatchObject({ id: "alice" });
    clock.at += 1001;
    const after = await ask(token);
    expect(reasonOf(after)).toBe(ms === 60_000 ? null : "invalid_credential");
    expect(asked).toHaveLength(1);
  });

  it("C7 a token that differs from a remembered one in its last character is judged by itself", async () => {
    const { ask } = trusting();
    const token = await issuer.sign(claims(), { alg: "ES256" });
    await ask(token);
    const last = token.endsWith("A") ? "Q" : "A";
    expect(reasonOf(await ask(token.slice(0, -1) + last))).toBe("invalid_credential");
  });
});

const unknownKid = (at: number): Promise<string> =>
  stranger.sign(claims(), { header: { kid: `unknown-${at}` } });

describe("source jwt: the issuer's keys", () => {
  it("C15 a thousand unknown names are one question per cool-down", async () => {
    const { ask, asked, clock } = trusting();
    await ask(await issuer.sign(claims()));
    const token = await unknownKid(0);
    const [, payload, signature] = token.split(".");
    const named = (kid: string): string =>
      byHand({ alg: "RS256", kid }, {}).split(".")[0] + `.${payload}.${signature}`;
    for (let at = 0; at < 1000; at += 1)
      expect(reasonOf(await ask(named(`k${at}`)))).toBe("invalid_credential");
    expect(asked).toHaveLength(1);
    clock.at += 30_000;
    for (let at = 0; at < 1000; at += 1) await ask(named(`k${at}`));
    expect(asked).toHaveLength(2);
  });

  it("C15 a thousand at once, before there are any keys, are one question too", async () => {
    const { ask, asked } = trusting();
    const token = await unknownKid(0);
    const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(token)));
    expect(new Set(answers.map(reasonOf))).toEqual(new Set(["invalid_credential"]));
    expect(asked).toHaveLength(1);
  });

  it("a new key is found once the cool-down is over", async () => {
    const turning = await createIssuer("turning");
    const { ask, asked, clock } = trusting({ cooldown_s: 5 }, () => Response.json(turning.jwks()));
    expect(await ask(await turning.sign(claims()))).toMatchObject({ id: "alice" });
    await turning.rotate();
    const token = await turning.sign(claims());
    expect(reasonOf(await ask(token))).toBe("invalid_credential");
    clock.at += 5000;
    expect(await ask(token)).toMatchObject({ id: "alice" });
    expect(asked).toHaveLength(2);
  });

  it("a key that was withdrawn is refused after ten minutes at most", async () => {
    const turning = await createIssuer("turning");
    const { ask, clock } = trusting({}, () => Response.json(turning.jwks()));
    const token = await turning.sign(claims(), { alg: "RS256" });
    expect(await ask(token)).toMatchObject({ id: "alice" });
    turning.withdraw();
    clock.at += 10 * 60_000 - 1;
    expect(await ask(token)).toMatchObject({ id: "alice" });
    clock.at += 60_001;
    expect(reasonOf(await ask(token))).toBe("invalid_credential");
  });

  it("a token without kid is taken where only one key fits, and not guessed where several do", async () => {
    const turning = await createIssuer("turning");
    const nameless = await turning.sign(claims(), { header: { kid: undefined } });
    expect(await trusting({}, () => Response.json(turning.jwks())).ask(nameless)).toMatchObject({
      id: "alice",
    });
    await turning.rotate();
    expect(await trusting({}, () => Response.json(turning.jwks())).ask(nameless)).toMatchObject({
      code: "invalid_credential",
      data: { detail: "jwks: several keys, and the token does not say which" },
    });
  });

  const failures: readonly (readonly [string, Answer])[] = [
    ["500", () => new Response(null, { status: 500 })],
    ["404", () => new Response(null, { status: 404 })],
    ["a redirect", () => new Response(null, { status: 302, headers: { location: "https://evil.example" } })],
    ["no JSON", () => new Response("<html>")],
    ["no key set", () => Response.json({ keys: "none" })],
    ["null", () => Response.json(null)],
    ["over 256 KB", () => Response.json({ keys: [], padding: "x".repeat(256 * 1024) })],
    ["no network", () => Promise.reject(new TypeError("Network connection lost."))],
    ["nothing, ever", () => Promise.withResolvers<Response>().promise],
  ];

  it.each(failures)("C16 without keys, %s is E503 for good tokens and bad ones", async (_, answer) => {
    const { ask } = trusting({ timeout_ms: 20 }, answer);
    expect(statusOf(await ask(await issuer.sign(claims())))).toBe(503);
    expect(statusOf(await ask(await stranger.sign(claims())))).toBe(503);
  });

  it.each(failures)(
    "C16 with keys at hand, %s leaves them in use, and unknown ones E503",
    async (_, answer) => {
      let failing = false;
      const { ask, clock } = trusting({ timeout_ms: 20, clock_tolerance_s: 300 }, (request) =>
        failing ? answer(request) : published(request),
      );
      const far = { exp: NOW + 2 * 86_400 };
      await ask(await issuer.sign(claims(far)));
      failing = true;
      clock.at += 11 * 60_000;
      expect(await ask(await issuer.sign(claims({ ...far, jti: "2" })))).toMatchObject({ id: "alice" });
      expect(reasonOf(await ask(await stranger.sign(claims(far))))).toBe("invalid_credential");
      expect(reasonOf(await ask(await unknownKid(1)))).toBe("identity_unavailable");
      clock.at += 31_000;
      expect(reasonOf(await ask(await unknownKid(1)))).toBe("identity_unavailable");
    },
  );

  it("C16 an issuer that has not answered for a day has no keys any more", async () => {
    let failing = false;
    const { ask, clock } = trusting({}, (request) =>
      failing ? new Response(null, { status: 500 }) : published(request),
    );
    const token = await issuer.sign(claims({ exp: NOW + 2 * 86_400 }));
    await ask(token);
    failing = true;
    clock.at += 86_400_000 - 1;
    expect(await ask(token)).toMatchObject({ id: "alice" });
    clock.at += 60_001;
    expect(reasonOf(await ask(token))).toBe("identity_unavailable");
  });

  it("C16 while an issuer hangs only one request per cool-down waits for it", async () => {
    let failing = false;
    const { ask, asked, clock } = trusting({ timeout_ms: 40 }, (request) =>
      failing ? Promise.withResolvers<Response>().promise : published(request),
    );
    await ask(await issuer.sign(claims()));
    failing = true;
    clock.at += 10 * 60_000;
    const tokens = await Promise.all([1, 2, 3].map((jti) => issuer.sign(claims({ jti }))));
    const order: number[] = [];
    await Promise.all(tokens.map(async (token, at) => (await ask(token), order.push(at))));
    expect(order).toEqual([1, 2, 0]);
    expect(asked).toHaveLength(2);
  });

  it("keys that cannot be used are the issuer's fault: E503", async () => {
    const kid = issuer.jwks().keys[0]?.kid ?? "";
    const { ask } = trusting({}, () =>
      Response.json({ keys: [{ kty: "RSA", kid, alg: "RS256", n: "AQ", e: "AQAB" }] }),
    );
    expect(statusOf(await ask(await issuer.sign(claims())))).toBe(503);
  });
});

describe("source jwt: its options", () => {
  it.each<[Readonly<Record<string, unknown>>, readonly string[]]>([
    [{ issuer: undefined }, ["issuer"]],
    [{ issuer: "https://<tenant>.example" }, ["issuer"]],
    [{ issuer: 7 }, ["issuer"]],
    [{ jwks_url: undefined }, ["jwks_url"]],
    [{ jwks_url: "http://issuer.example/keys" }, ["jwks_url"]],
    [{ jwks_url: "https://u:hunter2@issuer.example/keys" }, ["jwks_url"]],
    [{ jwks_url: "https://issuer.example/keys?p=1" }, ["jwks_url"]],
    [{ audience: undefined }, ["audience"]],
    [{ audience: [] }, ["audience"]],
    [{ audience: "" }, ["audience"]],
    [{ audience: ["a", ""] }, ["audience[1]"]],
    [{ audience: "<your-audience>" }, ["audience"]],
    [{ algorithms: [] }, ["algorithms"]],
    [{ algorithms: "RS256" }, ["algorithms"]],
    [{ algorithms: ["RS256", "none"] }, ["algorithms[1]"]],
    [{ algorithms: ["HS256", "HS512", "RS1", "dir"] }, [0, 1, 2, 3].map((at) => `algorithms[${at}]`)],
    [{ kind: "unknown" }, ["kind"]],
    [{ service_value: "app" }, ["service_value"]],
    [{ max_age_s: 0 }, ["max_age_s"]],
    [{ clock_tolerance_s: 301 }, ["clock_tolerance_s"]],
    [{ cooldown_s: 0 }, ["cooldown_s"]],
    [{ timeout_ms: "5000" }, ["timeout_ms"]],
    [{ secret: "s" }, ["secret"]],
  ])("J2 J3 J4 J6 C12 %j is refused by name, never by value", (options, names) => {
    const { problems } = trusting(options);
    expect([...new Set(problems.map((problem) => problem.split(" ")[0]))]).toEqual(names);
    expect(problems.join()).not.toContain("hunter2");
  });
});
