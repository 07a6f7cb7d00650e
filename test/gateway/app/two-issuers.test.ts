/** Two issuers in one configuration: a user of one is never the other's user of the same id. */
import { beforeAll, describe, expect, it } from "vitest";
import { createIssuer, type Issuer } from "../../support/issuer-tokens.ts";
import { BODY, CENTRAL_CHAT, chatResponse, only, post } from "../../support/in-workerd/calls.ts";
import { configOf, openGateway, T0, type Gateway } from "../../support/in-workerd/gateway-harness.ts";
import { CODER_AGENTS_UA, OWNER } from "../../support/in-workerd/values.ts";

const COMPANY = "https://login.company.example";
const PARTNER = "https://login.partner.example";

let company: Issuer;
let partner: Issuer;
beforeAll(async () => {
  [company, partner] = [await createIssuer("company"), await createIssuer("partner")];
});

const entry = (issuer: string, further: Readonly<Record<string, unknown>> = {}) => ({
  source: "jwt",
  issuer,
  jwks_url: `${issuer}/keys`,
  audience: "us",
  ...further,
});
const NAMED = [entry(COMPANY), entry(PARTNER, { name: "jwt-partner" })];

const open = (rules: Readonly<Record<string, unknown>> = {}): Promise<Gateway> =>
  openGateway({
    vars: { IDENTITY: NAMED, OWNER_ASSERTION: rules },
    provider: ({ url }) => {
      if (url === `${COMPANY}/keys`) return Response.json(company.jwks());
      return url === `${PARTNER}/keys` ? Response.json(partner.jwks()) : chatResponse();
    },
  });

async function send(gateway: Gateway, iss: string, headers: Readonly<Record<string, string>> = {}) {
  const [issuer, iat] = [iss === COMPANY ? company : partner, T0 / 1000];
  const token = await issuer.sign({ iss, aud: "us", sub: "alice", iat, exp: iat + 600 });
  return gateway.exchange(CENTRAL_CHAT, post(BODY, { authorization: `Bearer ${token}`, ...headers }));
}

describe("two issuers", () => {
  // The attack: at the partner's issuer, where users choose their names, sign up as the company's `alice`.
  it("give one id to two principals", async () => {
    const gateway = await open();
    const starts = [];
    for (const iss of [COMPANY, PARTNER])
      starts.push(only((await send(gateway, iss)).events, "interception_start"));
    expect(starts).toMatchObject([
      { actor_id: "alice", identity_source: "jwt", initiator_source: "jwt", attribution: "authenticated" },
      { actor_id: "alice", identity_source: "jwt-partner", initiator_source: "jwt-partner" },
    ]);
  });

  // The attack: the same, to name owners with the permission of the company's `alice`.
  it("share no permission that names the source", async () => {
    const gateway = await open({ allow: "listed", actors: ["jwt:alice"] });
    const headers = { "user-agent": CODER_AGENTS_UA, "x-coder-owner-id": OWNER };
    const initiators = [];
    for (const iss of [COMPANY, PARTNER])
      initiators.push(only((await send(gateway, iss, headers)).events, "interception_start").initiator_id);
    expect(initiators).toEqual([OWNER, "alice"]);
  });

  it.each([
    ["without a name", [entry(COMPANY), entry(PARTNER)], {}],
    ["with one name", [entry(COMPANY, { name: "jwt-a" }), entry(PARTNER, { name: "jwt-a" })], {}],
    ["with the name of another source", [entry(COMPANY, { name: "coder" })], {}],
    ["with a name that is no text", [entry(COMPANY, { name: 7 })], {}],
    ["with owners of an unknown source", NAMED, { source: "jwt-other" }],
  ])("are rejected %s", async (_, IDENTITY, OWNER_ASSERTION) => {
    await expect(configOf({ IDENTITY, OWNER_ASSERTION })).rejects.toThrow(
      /IDENTITY\[|OWNER_ASSERTION.source/,
    );
  });

  it("can each be the source of owners and listed actors", async () => {
    const rules = { source: "jwt-partner", allow: "listed", actors: ["jwt-partner:alice"] };
    const { assertion } = await configOf({ IDENTITY: NAMED, OWNER_ASSERTION: rules });
    expect(assertion).toMatchObject({
      source: "jwt-partner",
      actors: [{ id: "alice", source: "jwt-partner" }],
    });
  });
});
