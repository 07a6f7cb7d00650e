/* oxlint-disable vitest/expect-expect -- expectRejected contains assertions */
import { beforeAll, describe, expect, it, vi } from "vitest";
import { readCredential, type Credential } from "../../../src/gateway/identity/credential.ts";
import { identify, type Actor } from "../../../src/gateway/identity/identity.ts";
import { jwt } from "../../../src/gateway/identity/sources/jwt.ts";
import type { Refusal } from "../../../src/shared/refusal.ts";
import {
  craftJwt,
  createIssuer,
  craftHmacJwt,
  replaceClaims,
  type Issuer,
} from "../../support/issuer-tokens.ts";
import {
  configure,
  NOON,
  recordingFetch,
  type Respond,
  secretOf,
  type TestSource,
} from "../../support/in-workerd/identity.ts";
import { accepted, actor, OWNER, reasonOf, statusOf } from "../../support/in-workerd/values.ts";

const ISSUER = "https://issuer.example/tenant/";
const JWKS_URL = "https://issuer.example/tenant/keys/";
const AUDIENCE = "ai-gateway";
const NOW = NOON / 1000;

let issuer: Issuer;
let attacker: Issuer;
beforeAll(async () => {
  issuer = await createIssuer("theirs");
  // The attack: another issuer signs with its own keys, which the gateway does not trust, under the same names.
  attacker = await createIssuer("theirs");
});

const claims = (over: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "alice",
  iat: NOW,
  exp: NOW + 3600,
  ...over,
});

type JwtSource = TestSource & {
  readonly requests: readonly Request[];
  readonly inits: readonly (RequestInit | undefined)[];
  readonly identifyToken: (token: string) => Promise<Actor | Refusal | null>;
};

/** A source that trusts `issuer`. `respond` serves its key set. */
function createSource(
  options: Readonly<Record<string, unknown>> = {},
  respond: Respond = respondWithKeys,
): JwtSource {
  const { fetch, requests, inits } = recordingFetch(respond);
  const required = { issuer: ISSUER, jwks_url: JWKS_URL, audience: AUDIENCE };
  const source = configure(jwt, { options: { ...required, ...options }, fetch });
  const identifyToken = async (token: string): Promise<Actor | Refusal | null> =>
    source.identify(await credentialOf(token));
  return { ...source, requests, inits, identifyToken };
}

const respondWithKeys: Respond = async () => Response.json(issuer.jwks());

const credentialOf = async (token: string): Promise<Credential> =>
  accepted(await readCredential(new Headers({ authorization: `Bearer ${token}` })));

describe("source jwt: identifying an actor", () => {
  it("returns the verified actor that sub names, with keys from the configured URL only", async () => {
    const { identifyToken, requests, inits, issues } = createSource();
    expect(issues).toEqual([]);
    expect(await identifyToken(await issuer.sign(claims()))).toEqual({
      id: "alice",
      kind: "user",
      name: null,
      source: "jwt",
      verified: true,
      keyId: expect.stringMatching(/^[0-9a-f]{16}$/),
      mayAssert: null,
      claims: expect.objectContaining({ sub: "alice", aud: "ai-gateway" }) as unknown,
    });
    expect(requests.map(({ url, method }) => `${method} ${url}`)).toEqual([`GET ${JWKS_URL}`]);
    expect(requests[0]?.headers.has("authorization")).toBe(false);
    expect(inits[0]).toMatchObject({ redirect: "manual" });
  });

  it("accepts a token signed with ES256", async () => {
    expect(await createSource().identifyToken(await issuer.sign(claims(), { alg: "ES256" }))).toMatchObject({
      id: "alice",
    });
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>, Record<string, unknown>]>([
    ["another claim", { actor_claim: "oid" }, { oid: OWNER.toUpperCase() }, { id: OWNER }],
    ["a name", { name_claim: "email" }, { email: "alice@example.com" }, { name: "alice@example.com" }],
    ["a name that is not a string", { name_claim: "email" }, { email: ["a"] }, { name: null }],
    ["an absent name", { name_claim: "constructor" }, {}, { name: null }],
    ["the kind of every actor", { kind: "service" }, {}, { kind: "service" }],
    ["a service claim", { service_claim: "machine" }, { machine: true }, { kind: "service" }],
    ["a service claim that is a string", { service_claim: "machine" }, { machine: "true" }, { kind: "user" }],
    ["a service claim that is absent", { service_claim: "constructor" }, {}, { kind: "user" }],
    [
      "a service value",
      { service_claim: "idtyp", service_value: "app" },
      { idtyp: "app" },
      { kind: "service" },
    ],
    [
      "another service value",
      { service_claim: "idtyp", service_value: "app" },
      { idtyp: "user" },
      { kind: "user" },
    ],
    ["several audiences", { audience: ["a", AUDIENCE] }, {}, { id: "alice" }],
    ["an audience among others", {}, { aud: ["x", AUDIENCE] }, { id: "alice" }],
  ])("reads %s", async (_, options, over, expected) => {
    expect(await createSource(options).identifyToken(await issuer.sign(claims(over)))).toMatchObject(
      expected,
    );
  });

  it.each<[string, unknown]>([
    ["absent", undefined],
    ["empty", ""],
    ["a number", 7],
    ["a list", ["alice"]],
    ["a string with a space", "alice smith"],
    ["a string with a line break", "alice\nroot"],
    ["97 characters long", "a".repeat(97)],
    ["a provider key's fingerprint", "byok:0123456789abcdef0123456789abcdef"],
    ["a fingerprint in capitals", "BYOK:0123"],
  ])("rejects a token whose sub is %s with 401", async (_, sub) => {
    expect(await createSource().identifyToken(await issuer.sign(claims({ sub })))).toMatchObject({
      code: "invalid_credential",
      data: { detail: "token: sub is not a valid actor id" },
    });
  });
});

describe("source jwt: recognizing a token", () => {
  it.each<[string, () => Promise<string>]>([
    ["a token of another issuer", () => attacker.sign(claims({ iss: "https://other.example" }))],
    ["a token whose iss lacks the trailing slash", () => issuer.sign(claims({ iss: ISSUER.slice(0, -1) }))],
    ["a token without iss", () => issuer.sign(claims({ iss: undefined }))],
    [
      "a token whose iss is a list",
      async () => craftJwt({ alg: "RS256" }, claims({ iss: [ISSUER] }), "c2ln"),
    ],
    ["a token of five parts", async () => `${await issuer.sign(claims())}.YQ.YQ`],
    ["a token of two parts", async () => (await issuer.sign(claims())).split(".").slice(0, 2).join(".")],
    ["a token whose claims are not an object", async () => craftJwt({ alg: "RS256" }, [ISSUER], "c2ln")],
    ["a token whose claims are not JSON", async () => craftJwt({ alg: "RS256" }, "{", "c2ln")],
    ["a token whose claims are not base64url", async () => "e30.~~~.c2ln"],
    ["a provider key", async () => "sk-proj-0123456789"],
  ])("returns null for %s, without a fetch", async (_, make) => {
    const token = await make();
    const { identifyToken, requests, recognizes } = createSource();
    expect(await identifyToken(token)).toBeNull();
    expect(recognizes(await secretOf(token))).toBe(false);
    expect(requests).toEqual([]);
  });

  it("decides about a recognized token even if a later source would accept it", async () => {
    const later = { verifies: true, recognizes: () => false, identify: async () => actor() };
    const credential = await credentialOf(await attacker.sign(claims()));
    expect(reasonOf(await identify(credential, [createSource().listed, later]))).toBe("invalid_credential");
  });

  it("never treats a recognized token as a provider key, in any header", async () => {
    const token = await issuer.sign(claims());
    const headers = { authorization: `Bearer ${token}`, "x-coder-ai-governance-token": "gov" };
    expect(accepted(await readCredential(new Headers(headers), [createSource().listed]))).toMatchObject({
      ownKey: null,
    });
  });
});

/** Expects 401 and no fetch of another URL than the key set's. Returns the detail, which holds no part of the token. */
async function expectRejected(
  token: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<string | null> {
  const { identifyToken, requests } = createSource(options);
  const refusal = await identifyToken(token);
  expect(reasonOf(refusal)).toBe("invalid_credential");
  expect(statusOf(refusal)).toBe(401);
  expect(requests.filter(({ url }) => url !== JWKS_URL)).toEqual([]);
  const detail = (refusal as Refusal).data.detail ?? null;
  expect(token.split(".").filter((part) => part.length > 3 && detail?.includes(part))).toEqual([]);
  return detail;
}

describe("source jwt: C12 tokens that the issuer did not sign", () => {
  // The attack: a token whose alg says that it needs no signature (RFC 7515 appendix A.5).
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
  ])("rejects alg %j", async (alg) => {
    const kid = issuer.jwks().keys[0]?.kid;
    expect(await expectRejected(craftJwt({ alg, kid }, claims()))).toMatch(/algorithm/);
    expect(await expectRejected(craftJwt({ alg, kid }, claims(), "c2lnbmF0dXJl"))).toMatch(/algorithm/);
  });

  it.each<[string, unknown]>([
    ["absent", {}],
    ["null", { alg: null }],
    ["a list", { alg: ["RS256"] }],
    ["a number", { alg: 256 }],
  ])("rejects an alg that is %s", async (_, header) => {
    await expectRejected(craftJwt(header, claims(), "c2ln"));
  });

  // The attack: the public key is public. With its text as an HMAC secret, any caller can write a "signature".
  it("rejects HS256 with the text of the RSA key as the secret", async () => {
    const pem = await issuer.publicPem();
    const [jwk] = issuer.jwks().keys;
    for (const secret of [pem, pem.trim(), JSON.stringify(jwk), String(jwk?.n)]) {
      await expectRejected(await craftHmacJwt({ alg: "HS256", kid: jwk?.kid }, claims(), secret));
      // The same signature under an allowed alg.
      await expectRejected(await craftHmacJwt({ alg: "RS256", kid: jwk?.kid }, claims(), secret));
    }
  });

  it("rejects an attacker's signature under the kid of a key", async () => {
    expect(await expectRejected(await attacker.sign(claims()))).toBe(
      "token: ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
    );
  });

  it("rejects changed claims under a valid signature", async () => {
    await expectRejected(replaceClaims(await issuer.sign(claims()), claims({ sub: "root" })));
  });

  it("rejects a valid signature that is truncated, removed, doubled, or from another algorithm's key", async () => {
    const token = await issuer.sign(claims());
    const [header, payload, signature] = token.split(".");
    await expectRejected(`${header}.${payload}.`);
    await expectRejected(`${header}.${payload}.${signature?.slice(0, -4)}`);
    await expectRejected(`${header}.${payload}.${signature}${signature}`);
    const [rsa, ec] = issuer.jwks().keys;
    await expectRejected(await issuer.sign(claims(), { alg: "RS256", header: { kid: ec?.kid } }));
    await expectRejected(await issuer.sign(claims(), { alg: "ES256", header: { kid: rsa?.kid } }));
  });

  it("rejects a valid signature by an algorithm that is not configured", async () => {
    await expectRejected(await issuer.sign(claims(), { alg: "ES256" }), { algorithms: ["RS256"] });
  });

  it("rejects a header that is not JSON or not an object", async () => {
    for (const header of ["{", "[]", "null", '"RS256"'])
      await expectRejected(craftJwt(header, claims(), "c2ln"));
  });
});

describe("source jwt: C13 tokens that supply or locate their own key", () => {
  const [evil, file] = ["https://evil.example/keys", "file:///dev/null"];
  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["a kid with a path traversal", { kid: "../../../../../dev/null" }],
    ["a kid that is a URL", { kid: evil }],
    ["a kid with SQL", { kid: "x' UNION SELECT 'k" }],
    ["a kid of 300 characters", { kid: "k".repeat(300) }],
    ["a kid that is a number", { kid: 1 }],
    ["a kid that is an object", { kid: { $ne: null } }],
    ["the kid __proto__", { kid: "__proto__" }],
    ["jku", { jku: evil }],
    ["a jku of a file", { jku: file }],
    ["x5u", { x5u: evil }],
    ["x5c", { x5c: ["MIIB"] }],
  ])("rejects %s with 401, whether the attacker or the issuer signed it", async (_, header) => {
    await expectRejected(await attacker.sign(claims(), { header }));
    await expectRejected(await issuer.sign(claims(), { header }));
  });

  it.each(["jku", "x5u", "x5c", "jwk"])(
    "rejects the header %s even if the issuer signed it",
    async (name) => {
      const token = await issuer.sign(claims(), { header: { [name]: issuer.jwks().keys[0] } });
      expect(await expectRejected(token)).toBe(`token: the header contains ${name}`);
    },
  );

  it("rejects a token that contains the attacker's key", async () => {
    const [jwk] = attacker.jwks().keys;
    await expectRejected(await attacker.sign(claims(), { header: { jwk } }));
    await expectRejected(await attacker.sign(claims(), { header: { jwk, kid: undefined } }));
  });

  it("rejects crit, for extensions that jose knows and for unknown ones", async () => {
    const kid = issuer.jwks().keys[0]?.kid;
    for (const crit of [["exp"], ["b64"], [], ["x"], "exp"]) {
      const header = { alg: "RS256", kid, crit, exp: 1, x: 1 };
      expect(await expectRejected(craftJwt(header, claims(), "c2ln"))).toContain("crit");
    }
  });

  it("uses no symmetric key of a key set", async () => {
    const secret = "0123456789abcdef0123456789abcdef";
    const oct = { kty: "oct", k: btoa(secret), kid: "shared", alg: "HS256" };
    const { identifyToken } = createSource({}, async () =>
      Response.json({ keys: [oct, ...issuer.jwks().keys] }),
    );
    const token = await craftHmacJwt({ alg: "HS256", kid: "shared" }, claims(), secret);
    expect(reasonOf(await identifyToken(token))).toBe("invalid_credential");
  });
});

describe("source jwt: C14 verifying claims", () => {
  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["another audience", { aud: "other" }],
    ["an audience with the configured one as its prefix", { aud: `${AUDIENCE}-2` }],
    ["several other audiences", { aud: ["x", "y"] }],
    ["no audience", { aud: undefined }],
    ["an audience that is an object", { aud: { [AUDIENCE]: true } }],
    ["an exp 31 s ago", { exp: NOW - 31 }],
    ["an exp exactly at the end of the tolerance", { exp: NOW - 30 }],
    ["an exp that is a string", { exp: String(NOW + 3600) }],
    ["an exp that is a date", { exp: "2030-01-01T00:00:00Z" }],
    ["an exp that is true", { exp: true }],
    ["an exp that is null", { exp: null }],
    ["no exp", { exp: undefined }],
    ["an nbf in 31 s", { nbf: NOW + 31 }],
    ["an nbf that is a string", { nbf: String(NOW) }],
    ["an iat that is a string", { iat: "now" }],
  ])("rejects %s with 401", async (_, over) => {
    await expectRejected(await issuer.sign(claims(over)));
  });

  // The attack: a stolen token of ten years, from an issuer that revokes none.
  it.each([
    ["an exp in ten years", { exp: NOW + 10 * 365 * 86_400 }],
    ["an exp beyond a day and the tolerance", { exp: NOW + 86_400 + 31 }],
  ])("Finding L3: rejects %s with 401", async (_, over) => {
    await expectRejected(await issuer.sign(claims(over)));
  });

  it.each<[string, RegExp, string]>([
    // JSON.parse reads it as Infinity: a token that never expires.
    ["an exp of 1e400", /"exp":\d+/, '"exp":1e400'],
    ["two exp, the last of them a string", /"exp":\d+/, `"exp":${NOW + 60},"exp":"never"`],
    ["two audiences, the last of them another", /"aud":"[^"]*"/, `"aud":"${AUDIENCE}","aud":"other"`],
    ["text after the claims", /$/, "{}"],
  ])("does not accept %s under a valid signature", async (_, pattern, replacement) => {
    const { identifyToken } = createSource();
    const text = JSON.stringify(claims());
    expect(await identifyToken(await issuer.signText(text))).toMatchObject({ id: "alice" });
    const result = await identifyToken(await issuer.signText(text.replace(pattern, replacement)));
    expect(result === null || reasonOf(result) === "invalid_credential").toBe(true);
  });

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["an exp 29 s ago", { exp: NOW - 29 }],
    ["an nbf in 30 s", { nbf: NOW + 30 }],
  ])("accepts %s, which is within the tolerance", async (_, over) => {
    expect(await createSource().identifyToken(await issuer.sign(claims(over)))).toMatchObject({
      id: "alice",
    });
  });

  it("limits a token's age by iat with max_age_s, and requires iat", async () => {
    const options = { max_age_s: 600, clock_tolerance_s: 0 };
    expect(
      await createSource(options).identifyToken(await issuer.sign(claims({ iat: NOW - 600 }))),
    ).toMatchObject({
      id: "alice",
    });
    await expectRejected(await issuer.sign(claims({ iat: NOW - 601 })), options);
    await expectRejected(await issuer.sign(claims({ iat: undefined })), options);
    await expectRejected(await issuer.sign(claims({ iat: NOW + 1 })), options);
  });

  it.each([
    ["exp", { exp: NOW + 20 }, {}, 50_000],
    ["its maximum age", { iat: NOW }, { max_age_s: 20 }, 50_000],
    ["a minute, after which it is verified again", {}, {}, 60_000],
  ])("caches a verified token no longer than %s", async (_, over, options, ms) => {
    const { identifyToken, requests, clock } = createSource(options);
    const token = await issuer.sign(claims(over));
    await identifyToken(token);
    clock.at += ms - 1;
    expect(await identifyToken(token)).toMatchObject({ id: "alice" });
    clock.at += 1001;
    const after = await identifyToken(token);
    expect(reasonOf(after)).toBe(ms === 60_000 ? null : "invalid_credential");
    expect(requests).toHaveLength(1);
  });

  it("C7 verifies a token that differs from a cached one only in its last character", async () => {
    const { identifyToken } = createSource();
    const token = await issuer.sign(claims(), { alg: "ES256" });
    await identifyToken(token);
    const last = token.endsWith("A") ? "Q" : "A";
    expect(reasonOf(await identifyToken(token.slice(0, -1) + last))).toBe("invalid_credential");
  });

  // The attack: very many valid tokens of 8 KiB, each a list of 150 groups. 10,000 of them held 98 MB in an isolate of 128.
  it("holds the claims of at most a thousand tokens", async () => {
    const { identifyToken } = createSource();
    const tokens = [];
    for (let at = 0; at <= 1000; at++)
      tokens.push(await issuer.sign(claims({ jti: String(at) }), { alg: "ES256" }));
    for (const token of tokens) await identifyToken(token);
    const verify = vi.spyOn(crypto.subtle, "verify");
    const countOf = async (token = ""): Promise<number> => {
      verify.mockClear();
      await identifyToken(token);
      return verify.mock.calls.length;
    };
    expect([await countOf(tokens[1]), await countOf(tokens[1000]), await countOf(tokens[0])]).toEqual([
      0, 0, 1,
    ]);
    verify.mockRestore();
  });
});

const unknownKid = (at: number): Promise<string> =>
  attacker.sign(claims(), { header: { kid: `unknown-${at}` } });

describe("source jwt: fetching the issuer's keys", () => {
  it("C15 fetches the key set once per cool-down for a thousand unknown kids", async () => {
    const { identifyToken, requests, clock } = createSource();
    await identifyToken(await issuer.sign(claims()));
    const token = await unknownKid(0);
    const [, payload, signature] = token.split(".");
    const withKid = (kid: string): string =>
      craftJwt({ alg: "RS256", kid }, {}).split(".")[0] + `.${payload}.${signature}`;
    for (let at = 0; at < 1000; at += 1)
      expect(reasonOf(await identifyToken(withKid(`k${at}`)))).toBe("invalid_credential");
    expect(requests).toHaveLength(1);
    clock.at += 30_000;
    for (let at = 0; at < 1000; at += 1) await identifyToken(withKid(`k${at}`));
    expect(requests).toHaveLength(2);
  });

  it("C15 fetches the key set once for a thousand concurrent requests without keys", async () => {
    const { identifyToken, requests } = createSource();
    const token = await unknownKid(0);
    const results = await Promise.all(Array.from({ length: 1000 }, () => identifyToken(token)));
    expect(new Set(results.map(reasonOf))).toEqual(new Set(["invalid_credential"]));
    expect(requests).toHaveLength(1);
  });

  it("accepts a new key once the cool-down is over", async () => {
    const rotating = await createIssuer("rotating");
    const { identifyToken, requests, clock } = createSource({ cooldown_s: 5 }, async () =>
      Response.json(rotating.jwks()),
    );
    expect(await identifyToken(await rotating.sign(claims()))).toMatchObject({ id: "alice" });
    await rotating.rotate();
    const token = await rotating.sign(claims());
    expect(reasonOf(await identifyToken(token))).toBe("invalid_credential");
    clock.at += 5000;
    expect(await identifyToken(token)).toMatchObject({ id: "alice" });
    expect(requests).toHaveLength(2);
  });

  it("rejects a withdrawn key after at most ten minutes", async () => {
    const rotating = await createIssuer("rotating");
    const { identifyToken, clock } = createSource({}, async () => Response.json(rotating.jwks()));
    const token = await rotating.sign(claims(), { alg: "RS256" });
    expect(await identifyToken(token)).toMatchObject({ id: "alice" });
    rotating.withdraw();
    clock.at += 10 * 60_000 - 1;
    expect(await identifyToken(token)).toMatchObject({ id: "alice" });
    clock.at += 60_001;
    expect(reasonOf(await identifyToken(token))).toBe("invalid_credential");
  });

  it("accepts a token without kid only if exactly one key matches", async () => {
    const rotating = await createIssuer("rotating");
    const withoutKid = await rotating.sign(claims(), { header: { kid: undefined } });
    expect(
      await createSource({}, async () => Response.json(rotating.jwks())).identifyToken(withoutKid),
    ).toMatchObject({
      id: "alice",
    });
    await rotating.rotate();
    expect(
      await createSource({}, async () => Response.json(rotating.jwks())).identifyToken(withoutKid),
    ).toMatchObject({
      code: "invalid_credential",
      data: { detail: "jwks: several keys match the token's header" },
    });
  });

  const failures: readonly (readonly [string, Respond])[] = [
    ["500", async () => new Response(null, { status: 500 })],
    ["404", async () => new Response(null, { status: 404 })],
    [
      "a redirect",
      async () => new Response(null, { status: 302, headers: { location: "https://evil.example" } }),
    ],
    ["text that is not JSON", async () => new Response("<html>")],
    ["JSON that is not a key set", async () => Response.json({ keys: "none" })],
    ["null", async () => Response.json(null)],
    ["a response over 256 KB", async () => Response.json({ keys: [], padding: "x".repeat(256 * 1024) })],
    ["no network", () => Promise.reject(new TypeError("Network connection lost."))],
    ["no response", () => Promise.withResolvers<Response>().promise],
  ];

  it.each(failures)(
    "C16 returns 503 for valid and invalid tokens on %s if there are no keys",
    async (_, respond) => {
      const { identifyToken } = createSource({ timeout_ms: 20 }, respond);
      expect(statusOf(await identifyToken(await issuer.sign(claims())))).toBe(503);
      expect(statusOf(await identifyToken(await attacker.sign(claims())))).toBe(503);
    },
  );

  it.each(failures)(
    "C16 continues to use cached keys on %s, and returns 503 for an unknown kid",
    async (_, respond) => {
      let failing = false;
      const { identifyToken, clock } = createSource(
        { timeout_ms: 20, clock_tolerance_s: 300 },
        async (request) => (failing ? respond(request) : respondWithKeys(request)),
      );
      const longLived = { exp: NOW + 86_400 };
      await identifyToken(await issuer.sign(claims(longLived)));
      failing = true;
      clock.at += 11 * 60_000;
      expect(await identifyToken(await issuer.sign(claims({ ...longLived, jti: "2" })))).toMatchObject({
        id: "alice",
      });
      expect(reasonOf(await identifyToken(await attacker.sign(claims(longLived))))).toBe(
        "invalid_credential",
      );
      expect(reasonOf(await identifyToken(await unknownKid(1)))).toBe("identity_unavailable");
      clock.at += 31_000;
      expect(reasonOf(await identifyToken(await unknownKid(1)))).toBe("identity_unavailable");
    },
  );

  it("C16 stops using cached keys if the issuer has not responded for a day", async () => {
    let failing = false;
    const { identifyToken, clock } = createSource({ clock_tolerance_s: 300 }, async (request) =>
      failing ? new Response(null, { status: 500 }) : respondWithKeys(request),
    );
    // Valid at the end of the day by the tolerance.
    const token = await issuer.sign(claims({ exp: NOW + 86_400 + 300 }));
    await identifyToken(token);
    failing = true;
    clock.at += 86_400_000 - 1;
    expect(await identifyToken(token)).toMatchObject({ id: "alice" });
    clock.at += 60_001;
    expect(reasonOf(await identifyToken(token))).toBe("identity_unavailable");
  });

  it("C16 lets only one request per cool-down wait for an issuer that hangs", async () => {
    let failing = false;
    const { identifyToken, requests, clock } = createSource({ timeout_ms: 40 }, async (request) =>
      failing ? Promise.withResolvers<Response>().promise : respondWithKeys(request),
    );
    await identifyToken(await issuer.sign(claims()));
    failing = true;
    clock.at += 10 * 60_000;
    const tokens = await Promise.all([1, 2, 3].map((jti) => issuer.sign(claims({ jti }))));
    const order: number[] = [];
    await Promise.all(tokens.map(async (token, at) => (await identifyToken(token), order.push(at))));
    expect(order).toEqual([1, 2, 0]);
    expect(requests).toHaveLength(2);
  });

  // N7: each caller with a good token got 401, and a made-up kid could trigger the fetch.
  it.each([
    ["no key", []],
    ["only a symmetric key", [{ kty: "oct", kid: "x", k: "AAAA" }]],
    ["only a key for encryption", [{ kty: "RSA", kid: "x", use: "enc", n: "AQ", e: "AQAB" }]],
    ["a key without a type", [{ kid: "x" }]],
  ])("Finding N7: continues to use cached keys on a key set with %s", async (_, keys) => {
    let failing = false;
    const { identifyToken, clock } = createSource({}, async (request) =>
      failing ? Response.json({ keys }) : respondWithKeys(request),
    );
    await identifyToken(await issuer.sign(claims()));
    failing = true;
    clock.at += 11 * 60_000;
    expect(await identifyToken(await issuer.sign(claims({ jti: "2" })))).toMatchObject({ id: "alice" });
    expect(reasonOf(await identifyToken(await unknownKid(1)))).toBe("identity_unavailable");
  });

  it("returns 503 for a key that cannot be used", async () => {
    const kid = issuer.jwks().keys[0]?.kid ?? "";
    const { identifyToken } = createSource({}, async () =>
      Response.json({ keys: [{ kty: "RSA", kid, alg: "RS256", n: "AQ", e: "AQAB" }] }),
    );
    expect(statusOf(await identifyToken(await issuer.sign(claims())))).toBe(503);
  });
});

const GITHUB = "https://token.actions.githubusercontent.com";

const required = (
  require: object,
  over: Readonly<Record<string, unknown>>,
): Promise<Actor | Refusal | null> =>
  issuer.sign(claims(over)).then((token) => createSource({ require }).identifyToken(token));

// H5: at an issuer that many tenants share, any caller gets a signed token, and chooses its audience.
describe("source jwt: required claims", () => {
  it.each([
    ["a text", { repository_owner: "acme" }, { repository_owner: "acme" }],
    ["one of several texts", { repository_owner: ["acme", "acme-labs"] }, { repository_owner: "acme-labs" }],
    ["a flag", { email_verified: true }, { email_verified: true }],
    ["a number", { project: 7 }, { project: 7 }],
    ["an entry of a list", { groups: "ai" }, { groups: ["dev", "ai"] }],
    ["several claims", { hd: "acme.com", email_verified: true }, { hd: "acme.com", email_verified: true }],
  ])("accepts a token whose claims have %s", async (_, require, over) => {
    expect(await required(require, over)).toMatchObject({ id: "alice" });
  });

  it.each([
    ["another value", { repository_owner: "acme" }, { repository_owner: "mallory" }],
    ["the value in another case", { repository_owner: "acme" }, { repository_owner: "Acme" }],
    ["the value with a suffix", { repository_owner: "acme" }, { repository_owner: "acme-evil" }],
    ["no such claim", { repository_owner: "acme" }, {}],
    ["a claim that objects inherit", { toString: "x", constructor: "y" }, {}],
    ["the flag as a text", { email_verified: true }, { email_verified: "true" }],
    ["an object", { hd: "acme.com" }, { hd: { "acme.com": true } }],
    ["an empty list", { groups: ["ai"] }, { groups: [] }],
    ["only one of two claims", { hd: "acme.com", email_verified: true }, { hd: "acme.com" }],
  ])("Finding H5: rejects a token whose claims have %s", async (_, require, over) => {
    expect(reasonOf(await required(require, over))).toBe("invalid_credential");
  });

  it.each([
    GITHUB,
    `${GITHUB}/acme-enterprise`,
    "https://gitlab.com",
    "https://accounts.google.com",
    "accounts.google.com",
    "https://login.microsoftonline.com/common/v2.0",
    "https://login.microsoftonline.com/organizations/v2.0",
    "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
    "https://sts.windows.net/common/",
    "https://oidc.vercel.com",
    "https://agent.buildkite.com",
    "https://app.terraform.io",
  ])("are required for the shared issuer %s", (shared) => {
    const issuesOf = (options: object): readonly string[] =>
      createSource({ issuer: shared, ...options }).issues;
    expect(issuesOf({}).join()).toMatch(/^require is required for an issuer that many organizations share/);
    // A claim that does not name the organization is not enough.
    expect(issuesOf({ require: { email_verified: true } })).toHaveLength(1);
    expect(issuesOf({ require: { sub: "repo:acme/app:ref:refs/heads/main" } }).length).toBeLessThanOrEqual(
      shared.includes("microsoft") || shared.includes("sts") ? 1 : 0,
    );
  });

  it.each([
    "https://gitlab.acme.com",
    "https://login.microsoftonline.com/6f1c7a52-0c0f-4b6b-9a55-3d3b3f6f1f11/v2.0",
    "https://oidc.vercel.com/acme",
    "https://acme.okta.com",
  ])("are optional for the organization's own issuer %s", (own) => {
    expect(createSource({ issuer: own }).issues).toEqual([]);
  });

  it("let a CI token of the own organization in under its sub, which has slashes", async () => {
    const sub = "repo:acme/app:ref:refs/heads/main";
    const token = await issuer.sign(claims({ sub, repository_owner: "acme" }));
    const { identifyToken } = createSource({ require: { repository_owner: "acme" }, kind: "service" });
    expect(await identifyToken(token)).toMatchObject({ id: sub, kind: "service" });
  });
});

describe("source jwt: options", () => {
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
    [{ require: "acme" }, ["require"]],
    [{ require: { hd: "" } }, ["require.hd"]],
    [{ require: { hd: "<your-domain>" } }, ["require.hd"]],
    [{ require: { hd: [] } }, ["require.hd"]],
    [{ require: { hd: ["acme.com", null] } }, ["require.hd"]],
    [{ require: { hd: { a: 1 } } }, ["require.hd"]],
    [{ service_value: "app" }, ["service_value"]],
    [{ max_age_s: 0 }, ["max_age_s"]],
    [{ clock_tolerance_s: 301 }, ["clock_tolerance_s"]],
    [{ cooldown_s: 0 }, ["cooldown_s"]],
    [{ timeout_ms: "5000" }, ["timeout_ms"]],
    [{ secret: "s" }, ["secret"]],
  ])("J2 J3 J4 J6 C12 rejects %j by name, never by value", (options, names) => {
    const { issues } = createSource(options);
    expect([...new Set(issues.map((issue) => issue.split(" ")[0]))]).toEqual(names);
    expect(issues.join()).not.toContain("hunter2");
  });
});
