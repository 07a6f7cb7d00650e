import { beforeAll, describe, expect, it } from "vitest";
import { access } from "../../../src/gateway/identity/sources/access.ts";
import { byok } from "../../../src/gateway/identity/sources/byok.ts";
import { readCredential } from "../../../src/gateway/identity/credential.ts";
import { identify, type Actor } from "../../../src/gateway/identity/identity.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { byHand, createIssuer, type Issuer } from "../../support/issuer-tokens.ts";
import { configure, NOON, recordingFetch, type InItsWorld } from "../../support/in-workerd/identity.ts";
import { actor, OWNER, reasonOf, statusOf } from "../../support/in-workerd/values.ts";

const TEAM = "https://team.cloudflareaccess.example";
const AUD = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
const NOW = NOON / 1000;

let team: Issuer;
let stranger: Issuer;
beforeAll(async () => {
  team = await createIssuer("team");
  stranger = await createIssuer("team");
});

/** As Access writes them for a user, with what is of no use here. */
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
/** And for a service token. */
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

type Behind = InItsWorld & {
  readonly asked: readonly Request[];
  readonly ask: (assertion: string, beside?: Record<string, string>) => Promise<Actor | Refusal | null>;
};

/** Beside the key set Access publishes its certificates, in two further forms. */
const certs = (): unknown => ({
  ...team.jwks(),
  public_cert: { kid: "team-1", cert: "…" },
  public_certs: [],
});

function behindAccess(options: Readonly<Record<string, unknown>> = {}): Behind {
  const { fetch, asked } = recordingFetch(() => Response.json(certs()));
  const source = configure(access, { options: { team_domain: TEAM, audience: AUD, ...options }, fetch });
  const ask = async (
    assertion: string,
    beside: Record<string, string> = {},
  ): Promise<Actor | Refusal | null> => {
    const headers = new Headers({ "cf-access-jwt-assertion": assertion, ...beside });
    const credential = await readCredential(headers, [source]);
    return credential instanceof Refusal ? credential : source.identify(credential);
  };
  return { ...source, asked, ask };
}

describe("source access: whom Access let through", () => {
  it("a user, by the UUID that Access gave", async () => {
    const { ask, asked, problems } = behindAccess();
    expect(problems).toEqual([]);
    expect(await ask(await team.sign(userClaims()))).toEqual({
      id: OWNER,
      kind: "user",
      name: "alice@example.com",
      source: "access",
      verified: true,
      keyId: expect.stringMatching(/^[0-9a-f]{16}$/),
      mayAssert: null,
    });
    expect(asked.map(({ url }) => url)).toEqual([`${TEAM}/cdn-cgi/access/certs`]);
  });

  it("a service token, by its client id", async () => {
    expect(await behindAccess().ask(await team.sign(serviceClaims()))).toMatchObject({
      id: "e367826f93b8d71185e03fe518aff3b4.access",
      kind: "service",
      name: null,
    });
  });

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ["neither sub nor common_name", { sub: "", common_name: undefined }],
    ["an empty common_name", { sub: undefined, common_name: "" }],
    ["a common_name that is a list", { common_name: ["x"] }],
    ["a sub that is null", { sub: null }],
    ["a sub that is a number", { sub: 7 }],
    ["a sub with a blank", { sub: "a b" }],
  ])("%s is nobody: E401", async (_, over) => {
    const refusal = await behindAccess().ask(await team.sign(serviceClaims(over)));
    expect(refusal).toMatchObject({
      code: "invalid_credential",
      data: { detail: "access: it names nobody" },
    });
  });
});

describe("source access: an assertion that is wrong is refused, and no other source asked", () => {
  it.each<[string, () => string | Promise<string>]>([
    ["C12 unsigned", () => byHand({ alg: "none" }, userClaims())],
    ["C12 signed by a stranger", () => stranger.sign(userClaims())],
    ["C12 signed with ES256, which Access does not use", () => team.sign(userClaims(), { alg: "ES256" })],
    [
      "C13 with a key of its own",
      () => stranger.sign(userClaims(), { header: { jwk: stranger.jwks().keys[0] } }),
    ],
    ["C14 another application's", () => team.sign(userClaims({ aud: ["0".repeat(64)] }))],
    ["C14 of no application", () => team.sign(userClaims({ aud: undefined }))],
    ["C14 another team's", () => team.sign(userClaims({ iss: "https://other.cloudflareaccess.example" }))],
    ["C14 expired", () => team.sign(userClaims({ exp: NOW - 31 }))],
    ["C14 not yet valid", () => team.sign(userClaims({ nbf: NOW + 31 }))],
    ["C14 without an end", () => team.sign(userClaims({ exp: undefined }))],
    ["no JWT at all", () => "letmein"],
    ["a client key", () => "aei_0123456789abcdefghijklmnopqrstuvwxyz"],
  ])("%s", async (_, make) => {
    const { asListed } = behindAccess();
    const headers = { "cf-access-jwt-assertion": await make(), authorization: "Bearer sk-own" };
    const sources = [asListed, { verifies: true, recognizes: () => false, identify: () => actor() }];
    const credential = await readCredential(new Headers(headers), sources);
    if (credential instanceof Refusal) throw new Error("it can be read");
    const refusal = await identify(credential, sources);
    expect(reasonOf(refusal)).toBe("invalid_credential");
    expect(statusOf(refusal)).toBe(401);
  });

  it("C4 two of them", async () => {
    const token = await team.sign(userClaims());
    expect(reasonOf(await behindAccess().ask(`${token}, ${token}`))).toBe("credential_malformed");
  });

  it("C16 while the team's keys cannot be had: E503", async () => {
    const { fetch } = recordingFetch(() => new Response(null, { status: 500 }));
    const source = configure(access, { options: { team_domain: TEAM, audience: AUD }, fetch });
    const headers = new Headers({ "cf-access-jwt-assertion": await team.sign(userClaims()) });
    const credential = await readCredential(headers, [source]);
    expect(statusOf(credential instanceof Refusal ? null : await source.identify(credential))).toBe(503);
  });
});

describe("source access beside others", () => {
  it("without the header it knows nobody, wherever else such a token stands", async () => {
    const source = behindAccess();
    const token = await team.sign(userClaims());
    for (const headers of [{ authorization: `Bearer ${token}` }, { "x-coder-ai-governance-token": token }]) {
      const credential = await readCredential(new Headers(headers as HeadersInit), [source]);
      expect(credential instanceof Refusal ? credential : await source.identify(credential)).toBeNull();
    }
    expect(source.asked).toEqual([]);
  });

  it("its token in Authorization is nobody's provider key", async () => {
    const source = behindAccess();
    const token = await team.sign(userClaims());
    const beside = { "cf-access-jwt-assertion": token, authorization: `Bearer ${token}` };
    expect(await readCredential(new Headers(beside), [source])).toMatchObject({ ownKey: null });
    const alone = await readCredential(new Headers({ authorization: `Bearer ${token}` }), [source]);
    expect(alone).toMatchObject({ ownKey: null });
  });

  it("byok knows those without the header, and never those with a wrong one", async () => {
    const sources = [behindAccess().asListed, configure(byok).asListed];
    const who = async (headers: Record<string, string>): Promise<unknown> => {
      const credential = await readCredential(new Headers(headers), sources);
      return credential instanceof Refusal ? credential : identify(credential, sources);
    };
    const own = { authorization: "Bearer sk-own" };
    expect(await who(own)).toMatchObject({ source: "byok", verified: false });
    expect(reasonOf(await who({ ...own, "cf-access-jwt-assertion": "x.y.z" }))).toBe("invalid_credential");
    expect(await who({ ...own, "cf-access-jwt-assertion": await team.sign(userClaims()) })).toMatchObject({
      id: OWNER,
    });
  });

  it.each([
    [{}, true],
    [{ own_keys: "ignore" }, true],
    [{ own_keys: "forward" }, false],
  ])("with %j the client's own key yields to a central one: %s", (options, ownKeyYields) => {
    expect(behindAccess(options).assertion).toEqual({ ownKeyYields });
  });
});

describe("source access: its options", () => {
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
  ])("J2 J3 J4 J6 %j is refused by name", (options, name) => {
    const named = behindAccess(options).problems.map((problem) => problem.split(" ")[0]);
    expect([...new Set(named)]).toEqual([name]);
  });

  it("several audiences are taken: several applications may lead here", async () => {
    const { ask } = behindAccess({ audience: ["0".repeat(64), AUD] });
    expect(await ask(await team.sign(userClaims()))).toMatchObject({ id: OWNER });
  });
});
