import { beforeAll, describe, expect, it } from "vitest";
import { access } from "../../../src/gateway/identity/sources/access.ts";
import { byok } from "../../../src/gateway/identity/sources/byok.ts";
import { readCredential } from "../../../src/gateway/identity/credential.ts";
import { identify, type Actor } from "../../../src/gateway/identity/identity.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { craftJwt, createIssuer, type Issuer } from "../../support/issuer-tokens.ts";
import { configure, NOON, recordingFetch, type TestSource } from "../../support/in-workerd/identity.ts";
import { accepted, actor, OWNER, reasonOf, statusOf } from "../../support/in-workerd/values.ts";

const TEAM = "https://team.cloudflareaccess.example";
const AUD = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
const NOW = NOON / 1000;

let team: Issuer;
let attacker: Issuer;
beforeAll(async () => {
  team = await createIssuer("team");
  attacker = await createIssuer("team");
});

/** The claims that Access writes for a user, including those that the gateway does not use. */
const userClaims = (over: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  aud: [AUD],
  email: "alice@example.com",
  exp: NOW + 86_400,
  iat: NOW,
  nbf: NOW,
  iss: TEAM,
  type: "app",
  identity_nonce: "6ei69kawdKzMIAPF",
  sub: OWNER,
  country: "DE",
  ...over,
});
/** The claims that Access writes for a service token. */
const serviceClaims = (over: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  type: "app",
  aud: AUD,
  exp: NOW + 86_400,
  iss: TEAM,
  common_name: "e367826f93b8d71185e03fe518aff3b4.access",
  iat: NOW,
  sub: "",
  ...over,
});

type AccessSource = TestSource & {
  readonly requests: readonly Request[];
  readonly identifyAssertion: (
    assertion: string,
    otherHeaders?: Record<string, string>,
  ) => Promise<Actor | Refusal | null>;
};

/** Access publishes, in addition to the key set, its certificates in two further forms. */
const certs = (): unknown => ({
  ...team.jwks(),
  public_cert: { kid: "team-1", cert: "…" },
  public_certs: [],
});

function behindAccess(options: Readonly<Record<string, unknown>> = {}): AccessSource {
  const { fetch, requests } = recordingFetch(async () => Response.json(certs()));
  const source = configure(access, { options: { team_domain: TEAM, audience: AUD, ...options }, fetch });
  const identifyAssertion = async (
    assertion: string,
    otherHeaders: Record<string, string> = {},
  ): Promise<Actor | Refusal | null> => {
    const headers = new Headers({ "cf-access-jwt-assertion": assertion, ...otherHeaders });
    const credential = await readCredential(headers, [source]);
    return credential instanceof Refusal ? credential : source.identify(credential);
  };
  return { ...source, requests, identifyAssertion };
}

describe("source access: identifying the caller", () => {
  it("returns a user with the UUID that Access assigned", async () => {
    const { identifyAssertion, requests, issues } = behindAccess();
    expect(issues).toEqual([]);
    expect(await identifyAssertion(await team.sign(userClaims()))).toEqual({
      id: OWNER,
      kind: "user",
      name: "alice@example.com",
      source: "access",
      verified: true,
      keyId: expect.stringMatching(/^[0-9a-f]{16}$/),
      mayAssert: null,
    });
    expect(requests.map(({ url }) => url)).toEqual([`${TEAM}/cdn-cgi/access/certs`]);
  });

  it("returns a service token with its client id", async () => {
    expect(await behindAccess().identifyAssertion(await team.sign(serviceClaims()))).toMatchObject({
      id: "e367826f93b8d71185e03fe518aff3b4.access",
      kind: "service",
      name: null,
    });
  });

  // M14: a policy for client certificates puts a laptop's common name there.
  it.each(["laptop-of-mallory", "CN=laptop", "e367826f93b8d71185e03fe518aff3b4.access.evil", "x.access"])(
    "Finding M14: rejects the common name %j, which is no client id of a service token",
    async (name) => {
      const token = await team.sign(serviceClaims({ common_name: name }));
      expect(reasonOf(await behindAccess().identifyAssertion(token))).toBe("invalid_credential");
      const listing = behindAccess({ services: ["other"] });
      expect(reasonOf(await listing.identifyAssertion(token))).toBe("invalid_credential");
    },
  );

  it("returns only services that are listed, where a list is set", async () => {
    const services = ["laptop-7"];
    expect(
      await behindAccess({ services }).identifyAssertion(
        await team.sign(serviceClaims({ common_name: "laptop-7" })),
      ),
    ).toMatchObject({ id: "laptop-7", kind: "service" });
    expect(
      reasonOf(await behindAccess({ services }).identifyAssertion(await team.sign(serviceClaims()))),
    ).toBe("invalid_credential");
    expect(await behindAccess({ services }).identifyAssertion(await team.sign(userClaims()))).toMatchObject({
      kind: "user",
    });
  });

  // M16: a governance token that no source knows undid own_keys = "ignore", and nothing rejected it.
  it("Finding M16: leaves the decision to the other sources where a governance token is sent too", async () => {
    const source = behindAccess();
    const assertion = await team.sign(userClaims());
    const junk = { "x-coder-ai-governance-token": "junk", authorization: "Bearer sk-own-key-0123456789" };
    expect(await source.identifyAssertion(assertion, junk)).toBeNull();
    const headers = new Headers({ "cf-access-jwt-assertion": assertion, ...junk });
    const credential = accepted(await readCredential(headers, [source]));
    const unverified = { verifies: false, recognizes: () => false, identify: async () => actor() };
    expect(reasonOf(await identify(credential, [source.listed, unverified]))).toBe("invalid_credential");
  });

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["neither sub nor common_name", { sub: "", common_name: undefined }],
    ["an empty common_name", { sub: undefined, common_name: "" }],
    ["a common_name that is a list", { common_name: ["x"] }],
    ["a sub that is null", { sub: null }],
    ["a sub that is a number", { sub: 7 }],
    ["a sub with a space", { sub: "a b" }],
  ])("rejects %s with 401", async (_, over) => {
    const refusal = await behindAccess().identifyAssertion(await team.sign(serviceClaims(over)));
    expect(refusal).toMatchObject({
      code: "invalid_credential",
      data: { detail: "access: the token names no valid actor id" },
    });
  });
});

describe("source access: rejecting an assertion without trying another source", () => {
  it.each<[string, () => Promise<string>]>([
    ["C12 an unsigned token", async () => craftJwt({ alg: "none" }, userClaims())],
    ["C12 a token signed by an attacker", () => attacker.sign(userClaims())],
    [
      "C12 a token signed with ES256, which Access does not use",
      () => team.sign(userClaims(), { alg: "ES256" }),
    ],
    [
      "C13 a token that contains its key",
      () => attacker.sign(userClaims(), { header: { jwk: attacker.jwks().keys[0] } }),
    ],
    ["C14 a token for another application", () => team.sign(userClaims({ aud: ["0".repeat(64)] }))],
    ["C14 a token without an audience", () => team.sign(userClaims({ aud: undefined }))],
    [
      "C14 a token of another team",
      () => team.sign(userClaims({ iss: "https://other.cloudflareaccess.example" })),
    ],
    ["C14 an expired token", () => team.sign(userClaims({ exp: NOW - 31 }))],
    ["C14 a token that is not yet valid", () => team.sign(userClaims({ nbf: NOW + 31 }))],
    ["C14 a token without exp", () => team.sign(userClaims({ exp: undefined }))],
    ["text that is not a JWT", async () => "letmein"],
    ["a client key", async () => "aei_0123456789abcdefghijklmnopqrstuvwxyz"],
  ])("%s: 401", async (_, make) => {
    const { listed } = behindAccess();
    const headers = { "cf-access-jwt-assertion": await make(), authorization: "Bearer sk-own" };
    const sources = [listed, { verifies: true, recognizes: () => false, identify: async () => actor() }];
    const credential = await readCredential(new Headers(headers), sources);
    if (credential instanceof Refusal) throw new Error("the credential must be readable");
    const refusal = await identify(credential, sources);
    expect(reasonOf(refusal)).toBe("invalid_credential");
    expect(statusOf(refusal)).toBe(401);
  });

  it("C4 rejects two assertions", async () => {
    const token = await team.sign(userClaims());
    expect(reasonOf(await behindAccess().identifyAssertion(`${token}, ${token}`))).toBe(
      "credential_malformed",
    );
  });

  it("C16 returns 503 while the team's keys cannot be fetched", async () => {
    const { fetch } = recordingFetch(async () => new Response(null, { status: 500 }));
    const source = configure(access, { options: { team_domain: TEAM, audience: AUD }, fetch });
    const headers = new Headers({ "cf-access-jwt-assertion": await team.sign(userClaims()) });
    const credential = await readCredential(headers, [source]);
    expect(statusOf(credential instanceof Refusal ? null : await source.identify(credential))).toBe(503);
  });
});

describe("source access with other sources", () => {
  it("returns null for an Access token in any other header", async () => {
    const source = behindAccess();
    const token = await team.sign(userClaims());
    for (const headers of [{ authorization: `Bearer ${token}` }, { "x-coder-ai-governance-token": token }]) {
      const credential = await readCredential(new Headers(headers as HeadersInit), [source]);
      expect(credential instanceof Refusal ? credential : await source.identify(credential)).toBeNull();
    }
    expect(source.requests).toEqual([]);
  });

  it("never treats an Access token in Authorization as a provider key", async () => {
    const source = behindAccess();
    const token = await team.sign(userClaims());
    const both = { "cf-access-jwt-assertion": token, authorization: `Bearer ${token}` };
    expect(await readCredential(new Headers(both), [source])).toMatchObject({ ownKey: null });
    const alone = await readCredential(new Headers({ authorization: `Bearer ${token}` }), [source]);
    expect(alone).toMatchObject({ ownKey: null });
  });

  it("lets byok identify a request without the header, and not one with an invalid assertion", async () => {
    const sources = [behindAccess().listed, configure(byok).listed];
    const identifyHeaders = async (headers: Record<string, string>): Promise<unknown> => {
      const credential = await readCredential(new Headers(headers), sources);
      return credential instanceof Refusal ? credential : identify(credential, sources);
    };
    const own = { authorization: "Bearer sk-own" };
    expect(await identifyHeaders(own)).toMatchObject({ source: "byok", verified: false });
    expect(reasonOf(await identifyHeaders({ ...own, "cf-access-jwt-assertion": "x.y.z" }))).toBe(
      "invalid_credential",
    );
    expect(
      await identifyHeaders({ ...own, "cf-access-jwt-assertion": await team.sign(userClaims()) }),
    ).toMatchObject({
      id: OWNER,
    });
  });

  it.each([
    [{}, true],
    [{ own_keys: "ignore" }, true],
    [{ own_keys: "forward" }, false],
  ])("with %j sets prefersCentralKey to %s", (options, prefersCentralKey) => {
    expect(behindAccess(options).accessToken).toEqual({ prefersCentralKey });
  });
});

describe("source access: options", () => {
  it.each<[Readonly<Record<string, unknown>>, string]>([
    [{ team_domain: undefined }, "team_domain"],
    [{ team_domain: "team.cloudflareaccess.com" }, "team_domain"],
    [{ team_domain: "https://<team>.cloudflareaccess.com" }, "team_domain"],
    [{ team_domain: "http://team.cloudflareaccess.com" }, "team_domain"],
    [{ team_domain: `${TEAM}/cdn-cgi/access/certs` }, "team_domain"],
    [{ audience: undefined }, "audience"],
    [{ audience: "<aud tag>" }, "audience"],
    [{ own_keys: true }, "own_keys"],
    [{ algorithms: ["none"] }, "algorithms"],
  ])("J2 J3 J4 J6 rejects %j by name", (options, name) => {
    const named = behindAccess(options).issues.map((issue) => issue.split(" ")[0]);
    expect([...new Set(named)]).toEqual([name]);
  });

  it("accepts several audiences, because several applications may share one gateway", async () => {
    const { identifyAssertion } = behindAccess({ audience: ["0".repeat(64), AUD] });
    expect(await identifyAssertion(await team.sign(userClaims()))).toMatchObject({ id: OWNER });
  });
});

describe("source access: a request that a web page made", () => {
  const CROSS_SITE: readonly Record<string, string>[] = [
    { origin: "https://evil.example" },
    { origin: "https://app.example" },
    { origin: "null" },
    { origin: "" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "cross-site, none" },
    { origin: "https://gateway.example", "sec-fetch-site": "same-origin" },
    { "sec-fetch-site": "none, none" },
    { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" },
    { "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate" },
    { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    { "sec-fetch-mode": "cors, navigate" },
  ];

  // The attack: a page that the victim opens sends a simple request to the gateway. The browser adds the cookie of Access,
  // Access the assertion, and the gateway would spend its key on the victim's account.
  it.each(CROSS_SITE)("is refused with 403, regardless of the assertion: %j", async (headers) => {
    const { identifyAssertion, requests } = behindAccess();
    const refusal = await identifyAssertion(await team.sign(userClaims()), headers);
    expect([reasonOf(refusal), statusOf(refusal)]).toEqual(["cross_origin", 403]);
    expect(requests).toEqual([]);
  });

  it.each([
    {},
    { "sec-fetch-site": "none" },
    { "sec-fetch-site": "same-origin" },
    { "sec-fetch-mode": "cors" },
  ])(
    "is what no client outside of a browser sends: %j is accepted",
    async (headers: Record<string, string>) => {
      const { identifyAssertion } = behindAccess();
      expect(await identifyAssertion(await team.sign(userClaims()), headers)).toMatchObject({ id: OWNER });
    },
  );

  it("is accepted with a credential of its own that an earlier source recognizes", async () => {
    const own: TestSource["listed"] = {
      verifies: true,
      recognizes: ({ value }) => value === "aei_page",
      identify: async ({ identity }) => (identity?.value === "aei_page" ? actor() : null),
    };
    const sources = [own, behindAccess().listed];
    const headers = {
      origin: "https://app.example",
      "cf-access-jwt-assertion": await team.sign(userClaims()),
    };
    const read = async (further: Record<string, string>): Promise<unknown> => {
      const credential = await readCredential(new Headers({ ...headers, ...further }), sources);
      return credential instanceof Refusal ? credential : identify(credential, sources);
    };
    expect(await read({ authorization: "Bearer aei_page" })).toEqual(actor());
    expect(reasonOf(await read({ authorization: "Bearer aei_other" }))).toBe("cross_origin");
  });
});
