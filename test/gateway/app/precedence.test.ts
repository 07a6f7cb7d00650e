/**
 * Precedence of identity sources and credentials: random orders of `IDENTITY` and random credentials in random headers,
 * compared with an independent implementation of the rules. The attacks: a credential that its own source rejects and the
 * next source accepts; an identity credential forwarded to a provider as if it were a key; a central key used by a caller
 * without an identity.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { createIssuer, replaceClaims } from "../../support/issuer-tokens.ts";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import {
  CANARIES,
  openGateway,
  T0,
  type Gateway,
  type Sent,
} from "../../support/in-workerd/gateway-harness.ts";
import { BODY, json, only } from "../../support/in-workerd/calls.ts";
import { OWNER } from "../../support/in-workerd/values.ts";

const ISSUER = "https://issuer.example";
const TEAM = "https://team.example";
const SOURCES = ["keys", "coder", "jwt", "access", "byok"] as const;
type Source = (typeof SOURCES)[number];

/** A credential, the source that its form belongs to, and whether that source accepts it. */
type Token = { readonly value: string; readonly kind: Source; readonly good: boolean };

const CODER_TOKEN = "aBcDeF0123-aBcDeFgHiJkLmNoPqRsTuV";
const TOKENS: Token[] = [
  { value: CANARIES.clientKey, kind: "keys", good: true },
  { value: "aei_CANARY-unknown-client-key", kind: "keys", good: false },
  { value: CODER_TOKEN, kind: "coder", good: true },
  { value: "zZyYxX9876-aBcDeFgHiJkLmNoPqRsTuV", kind: "coder", good: false },
  { value: CANARIES.ownKey, kind: "byok", good: true },
];

let jwks: object;
beforeAll(async () => {
  const issuer = await createIssuer();
  jwks = issuer.jwks();
  const at = Math.floor(T0 / 1000);
  const claims = (iss: string) => ({ iss, aud: "us", sub: OWNER, iat: at, exp: at + 3600 });
  for (const [kind, iss] of [
    ["jwt", ISSUER],
    ["access", TEAM],
  ] as const) {
    const value = await issuer.sign(claims(iss));
    TOKENS.push({ value, kind, good: true });
    const forged = replaceClaims(value, { ...claims(iss), sub: "4f0c5f6e-8a1b-4c3d-9e2f-5a6b7c8d9e0f" });
    TOKENS.push({ value: forged, kind, good: false });
  }
});

const IDENTITY: Readonly<Record<Source, object>> = {
  keys: { source: "keys" },
  coder: { source: "coder", url: "https://coder.example" },
  jwt: { source: "jwt", issuer: ISSUER, jwks_url: `${ISSUER}/keys`, audience: "us" },
  access: { source: "access", team_domain: TEAM, audience: "us" },
  byok: { source: "byok" },
};

/** Coder, the issuer, the Access team and the providers. */
function backends({ url, headers }: Sent): Response {
  if (url === `${ISSUER}/keys` || url === `${TEAM}/cdn-cgi/access/certs`) return json(JSON.stringify(jwks));
  if (!url.startsWith("https://coder.example/api/v2/users/me")) return json("{}");
  if (headers.get("coder-session-token") !== CODER_TOKEN) return new Response(null, { status: 401 });
  if (url.includes("/keys/")) return Response.json({ scopes: ["coder:all"] });
  return Response.json({ id: OWNER, username: "alice", status: "active", is_service_account: false });
}

/** The credential in each header; null where the header is absent. */
type Case = {
  readonly governance: Token | null;
  readonly authorization: Token | null;
  readonly apiKey: Token | null;
  readonly assertion: Token | null;
};

type Outcome = { readonly refused: string } | { readonly source: Source; readonly key: "central" | "own" };

/** Whether it is an identity credential, which no provider may receive. A client key always is, regardless of the sources. */
const isIdentity = (order: readonly Source[], kind: Source): boolean =>
  kind === "keys" || (kind !== "byok" && order.includes(kind));

/** The rules, implemented again from docs/clients.md "Credentials" and docs/threat-model.md "Trust in identities". */
function expected(order: readonly Source[], central: boolean, sent: Case): Outcome {
  const assertion = order.includes("access") ? sent.assertion : null;
  const key = sent.authorization ?? sent.apiKey;
  const identity = sent.governance ?? key;
  if (!identity && !assertion) return { refused: "credential_missing" };
  const own = key && !isIdentity(order, key.kind) && key.value !== sent.governance?.value ? key : null;
  const apart = sent.governance !== null || assertion !== null;
  const consulted = order.filter(
    (one) => one !== "byok" || !apart || order.every((other) => other === "byok"),
  );
  const source = consulted.find((one) => {
    if (one === "access") return assertion !== null && sent.governance === null;
    return one === "byok" ? own !== null : identity?.kind === one;
  });
  if (!source) return { refused: "invalid_credential" };
  if (source === "byok") return central ? { refused: "byok_not_accepted" } : { source, key: "own" };
  const token = source === "access" ? assertion : identity;
  if (!token?.good || token.kind !== source) return { refused: "invalid_credential" };
  const yields = sent.governance === null && central;
  if (apart && own && !yields) return { source, key: "own" };
  return central ? { source, key: "central" } : { refused: "provider_key_missing" };
}

function headersOf({ governance, authorization, apiKey, assertion }: Case): Record<string, string> {
  return {
    ...(governance && { "x-coder-ai-governance-token": governance.value }),
    ...(authorization && { authorization: `Bearer ${authorization.value}` }),
    ...(apiKey && { "x-api-key": apiKey.value }),
    ...(assertion && { "cf-access-jwt-assertion": assertion.value }),
  };
}

const PROVIDER = /^https:\/\/(?:central|api\.openai)\.example\//;

/** The actual outcome: the refusal, or the recorded source and the key that the provider got. */
async function actual(
  gateway: Gateway,
  { order, central, sent }: { order: readonly Source[]; central: boolean; sent: Case },
): Promise<Outcome> {
  const before = gateway.sent.length;
  const path = `/${central ? "central" : "openai"}/v1/chat/completions`;
  const { response, events } = await gateway.exchange(path, {
    method: "POST",
    body: BODY,
    headers: { "content-type": "application/json", ...headersOf(sent) },
  });
  const forwarded = gateway.sent.slice(before).filter(({ url }) => PROVIDER.test(url));
  const forwardedHeaders = forwarded.map(({ headers }) => [...headers.values()].join("\n")).join("\n");
  const leaked = TOKENS.filter(
    ({ kind, value }) => forwardedHeaders.includes(value) && isIdentity(order, kind),
  );
  expect(leaked).toEqual([]);
  const reason = response.headers.get("x-interceptor-error");
  expect(forwarded).toHaveLength(reason === null ? 1 : 0);
  if (reason !== null) return { refused: reason };
  const key =
    forwarded[0]?.headers.get("authorization") === `Bearer ${CANARIES.centralKey}` ? "central" : "own";
  return { source: only(events, "interception_start").identity_source as Source, key };
}

describe("precedence of credentials", () => {
  it("follows the rules for every order of sources and combination of credentials", async () => {
    const seen = new Set<string>();
    await forSeedsAsync(150, async (seed) => {
      const random = seededRandom(seed);
      const chosen = SOURCES.filter(() => random() < 0.6).toSorted(() => random() - 0.5);
      const order = chosen.length > 0 ? chosen : SOURCES;
      const central = order.some((one) => one !== "byok") && random() < 0.5;
      const vars = {
        IDENTITY: order.map((one) => IDENTITY[one]),
        PROVIDERS: {
          openai: { type: "openai", base_url: "https://api.openai.example/v1" },
          ...(central && {
            central: { type: "openai", base_url: "https://central.example/v1", keys: ["CENTRAL_KEY"] },
          }),
        },
      };
      const gateway = await openGateway({ vars, provider: backends });
      const maybe = (): Token | null =>
        random() < 0.5 ? (TOKENS[between(random, 0, TOKENS.length - 1)] ?? null) : null;
      for (let nth = 0; nth < 20; nth += 1) {
        const sent = { governance: maybe(), authorization: maybe(), apiKey: maybe(), assertion: maybe() };
        const outcome = await actual(gateway, { order, central, sent });
        expect({ order, central, sent, outcome }).toEqual({
          order,
          central,
          sent,
          outcome: expected(order, central, sent),
        });
        seen.add("refused" in outcome ? outcome.refused : `${outcome.source} ${outcome.key}`);
      }
    });
    // Every outcome occurred.
    expect([...seen].toSorted()).toEqual(
      [
        ...["access", "coder", "jwt", "keys"].flatMap((source) => [`${source} central`, `${source} own`]),
        "byok own",
        "byok_not_accepted",
        "credential_missing",
        "invalid_credential",
        "provider_key_missing",
      ].toSorted(),
    );
  }, 60_000);
});
