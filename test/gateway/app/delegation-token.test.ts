/** Tokens with an `act` claim (RFC 8693 §4.1) through the whole app: who is the actor, who the initiator. */
import { beforeAll, describe, expect, it } from "vitest";
import { createIssuer, type Issuer } from "../../support/issuer-tokens.ts";
import { BODY, CENTRAL_CHAT, chatResponse, only, post, typesOf } from "../../support/in-workerd/calls.ts";
import { openGateway, T0, type Exchange } from "../../support/in-workerd/gateway-harness.ts";
import { CODER_AGENTS_UA, OWNER } from "../../support/in-workerd/values.ts";

const ISSUER = "https://issuer.example";
const IDP = "https://idp.example";

let issuer: Issuer;
beforeAll(async () => void (issuer = await createIssuer()));

type Call = {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly identity?: Readonly<Record<string, unknown>>;
  readonly rules?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Sends a token with these claims, as a client that is not Coder Agents. */
async function send({ claims = {}, identity = {}, rules = {}, headers = {} }: Call): Promise<Exchange> {
  const at = Math.floor(T0 / 1000);
  const token = await issuer.sign({
    iss: ISSUER,
    aud: "us",
    sub: "alice",
    iat: at,
    exp: at + 600,
    act: { sub: "agent-1" },
    ...claims,
  });
  const source = { source: "jwt", issuer: ISSUER, jwks_url: `${ISSUER}/keys`, audience: "us", ...identity };
  const gateway = await openGateway({
    provider: ({ url }) => (url === `${ISSUER}/keys` ? Response.json(issuer.jwks()) : chatResponse()),
    vars: { IDENTITY: [source], OWNER_ASSERTION: rules },
  });
  return gateway.exchange(CENTRAL_CHAT, post(BODY, { authorization: `Bearer ${token}`, ...headers }));
}

const principals = ({ events }: Exchange): unknown[] => {
  const { initiator_id, actor_id, attribution } = only(events, "interception_start");
  return [initiator_id, actor_id, attribution];
};
const DELEGATED = ["alice", "agent-1", "signed"];
const KEPT = ["agent-1", "agent-1", "authenticated"];

describe("A27 a token with an act claim", () => {
  it("names the initiator by sub and the actor by act.sub, for any client", async () => {
    const exchange = await send({});
    expect(exchange.response.status).toBe(200);
    expect(principals(exchange)).toEqual(DELEGATED);
    expect(only(exchange.events, "initiator_override")).toMatchObject({
      owner_id: "alice",
      identity_source: "jwt",
      rule: "any",
      signature: "token",
      directory: null,
      delegation_chain: ["agent-1"],
      candidates: [
        { who: "owner", id: "alice", rejection_reason: null },
        { who: "actor", id: "agent-1", rejection_reason: "overridden" },
      ],
    });
    expect(only(exchange.events, "interception_start").delegation_chain).toEqual(["agent-1"]);
  });

  it("names the initiator by actor_claim, and both names by name_claim", async () => {
    const act = { sub: "agent-1", email: "agent@example.com", name: "Agent" };
    const claims = { email: "alice@example.com", name: "Alice", act };
    const exchange = await send({ claims, identity: { actor_claim: "email", name_claim: "name" } });
    expect(principals(exchange)).toEqual(["alice@example.com", "agent-1", "signed"]);
    const { initiator_name, metadata } = only(exchange.events, "interception_start");
    expect([initiator_name, metadata]).toEqual(["Alice", { actor_name: "Agent" }]);
  });

  it("records a chain of up to five acting parties, the current one first", async () => {
    const act = {
      sub: "a1",
      act: { sub: "a2", iss: IDP, act: { sub: "a3", act: { sub: "a4", act: { sub: "a5" } } } },
    };
    const exchange = await send({ claims: { act } });
    expect(principals(exchange)).toEqual(["alice", "a1", "signed"]);
    expect(only(exchange.events, "interception_start").delegation_chain).toEqual([
      "a1",
      `a2@${IDP}`,
      "a3",
      "a4",
      "a5",
    ]);
  });

  it.each<[string, unknown]>([
    ["null", null],
    ["a text", "agent-1"],
    ["true", true],
    ["a list", [{ sub: "agent-1" }]],
    ["no sub", {}],
    ["a sub that is no text", { sub: 7 }],
    ["an empty sub", { sub: "" }],
    ["a sub with a blank", { sub: "agent 1" }],
    ["a sub that looks like a provider key's fingerprint", { sub: "byok:0123" }],
    ["a sub of more than 96 characters", { sub: "a".repeat(97) }],
    ["an iss that is no text", { sub: "agent-1", iss: 7 }],
    ["an empty iss", { sub: "agent-1", iss: "" }],
    ["an iss that is no https URL", { sub: "agent-1", iss: "idp" }],
    ["an iss with an @", { sub: "agent-1", iss: "https://x@idp.example" }],
    ["a sub in the form of another issuer's party", { sub: `svc@${IDP}` }],
    ["a malformed inner act", { sub: "agent-1", act: "agent-2" }],
    ["an inner act of null", { sub: "agent-1", act: null }],
    ["an inner act without sub", { sub: "agent-1", act: { iss: IDP } }],
    [
      "six parties",
      {
        sub: "1",
        act: { sub: "2", act: { sub: "3", act: { sub: "4", act: { sub: "5", act: { sub: "6" } } } } },
      },
    ],
  ])("is 401 with %s", async (_, act) => {
    const { response, events } = await send({ claims: { act } });
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
      401,
      "invalid_credential",
    ]);
    expect(only(events, "refusal").detail).toBe("token: act is malformed");
  });

  it("is 401 with an act nested a thousand times", async () => {
    let act: object = { sub: "a" };
    for (let depth = 0; depth < 1000; depth += 1) act = { sub: "a", act };
    expect((await send({ claims: { act } })).response.status).toBe(401);
  });

  it("is 401 with a valid act and no valid sub", async () => {
    expect((await send({ claims: { sub: "" } })).response.status).toBe(401);
  });

  it("does not make the subject's own tokens those of the actor: a token without act is the subject's", async () => {
    expect(principals(await send({ claims: { act: undefined } }))).toEqual([
      "alice",
      "alice",
      "authenticated",
    ]);
  });
});

describe("A27 the rules for owner assertions apply to the acting party", () => {
  it.each<[string, Call, boolean]>([
    ["allow = any", {}, true],
    ["allow = off", { rules: { allow: "off" } }, false],
    ["allow = service and a user", { rules: { allow: "service" } }, false],
    // The attack: a person's token that calls its subject a service, so that the person's agent counts as one.
    [
      "allow = service and a service as the subject",
      { rules: { allow: "service" }, identity: { service_claim: "svc" }, claims: { svc: true } },
      false,
    ],
    [
      "allow = service and a service as the acting party",
      {
        rules: { allow: "service" },
        identity: { service_claim: "svc" },
        claims: { act: { sub: "agent-1", svc: true } },
      },
      true,
    ],
    [
      "allow = service and kind = service",
      { rules: { allow: "service" }, identity: { kind: "service" } },
      true,
    ],
    ["the list", { rules: { allow: "listed", actors: ["jwt:agent-1"] } }, true],
    ["a list of others", { rules: { allow: "listed", actors: ["jwt:agent-2", "alice"] } }, false],
    // The attack: a party of another issuer with the name of a listed one.
    [
      "the list, and the same name at another issuer",
      { rules: { allow: "listed", actors: ["jwt:agent-1"] }, claims: { act: { sub: "agent-1", iss: IDP } } },
      false,
    ],
    // The attack: a listed party that acted before, but is not the one that acts now.
    [
      "the list, and a listed party further in",
      {
        rules: { allow: "listed", actors: ["jwt:agent-2"] },
        claims: { act: { sub: "agent-1", act: { sub: "agent-2" } } },
      },
      false,
    ],
    [
      "the token's own issuer named in act",
      {
        rules: { allow: "listed", actors: ["jwt:agent-1"] },
        claims: { act: { sub: "agent-1", iss: ISSUER } },
      },
      true,
    ],
  ])("%s", async (_, call, isPermitted) => {
    const exchange = await send(call);
    const actor =
      call.claims?.["act"] && JSON.stringify(call.claims).includes(IDP) ? `agent-1@${IDP}` : "agent-1";
    // If it is not permitted, the initiator is never the subject.
    expect(principals(exchange)).toEqual(isPermitted ? DELEGATED : [actor, actor, "authenticated"]);
    if (isPermitted) return;
    expect(only(exchange.events, "initiator_override_rejected")).toMatchObject({
      reason: "not_permitted",
      value_length: "alice".length,
      delegation_chain: expect.arrayContaining([actor]),
    });
    expect(typesOf(exchange.events)).not.toContain("initiator_override");
    expect(JSON.stringify(exchange.events)).not.toContain("alice");
  });

  it("a party of another issuer is permitted by its whole id", async () => {
    const rules = { allow: "listed", actors: [`jwt:svc@${IDP}`] };
    const exchange = await send({ rules, claims: { act: { sub: "svc", iss: IDP } } });
    expect(principals(exchange)).toEqual(["alice", `svc@${IDP}`, "signed"]);
  });

  it("a subject in the form of another issuer's party is 401", async () => {
    // The attack: an account whose sub is spelled like a listed party of another issuer.
    expect((await send({ claims: { sub: `svc@${IDP}`, act: undefined } })).response.status).toBe(401);
  });

  it("refuses with on_invalid = reject", async () => {
    const { response, events } = await send({ rules: { allow: "off", on_invalid: "reject" } });
    expect([response.status, ...typesOf(events)]).toEqual([400, "initiator_override_rejected", "refusal"]);
  });

  it("overrides nothing where the subject acts for itself", async () => {
    const exchange = await send({ claims: { act: { sub: "alice" } }, rules: { allow: "off" } });
    expect(principals(exchange)).toEqual(["alice", "alice", "authenticated"]);
    expect(typesOf(exchange.events).filter((type) => type.startsWith("initiator"))).toEqual([]);
  });
});

describe("A27 an owner header beside such a token", () => {
  const headers = { "user-agent": CODER_AGENTS_UA, "x-coder-owner-id": OWNER };

  it.each<[string, Record<string, string>]>([
    ["another owner", headers],
    ["a malformed owner", { ...headers, "x-coder-owner-id": "alice" }],
    ["another owner, from another client", { "x-coder-owner-id": OWNER }],
  ])("is rejected with %s: the token decides", async (_, sent) => {
    const exchange = await send({ headers: sent });
    expect(principals(exchange)).toEqual(DELEGATED);
    expect(only(exchange.events, "initiator_override").owner_id).toBe("alice");
    expect(only(exchange.events, "initiator_override_rejected")).toMatchObject({
      reason: "token_differs",
      value_length: sent["x-coder-owner-id"]?.length,
    });
    expect(only(exchange.events, "interception_start").flags).toEqual(["owner_rejected"]);
  });

  it("is refused with on_invalid = reject", async () => {
    expect((await send({ headers, rules: { on_invalid: "reject" } })).response.status).toBe(400);
  });

  it("is no second owner where it names the subject", async () => {
    const exchange = await send({ headers, claims: { sub: OWNER } });
    expect(principals(exchange)).toEqual([OWNER, "agent-1", "signed"]);
    expect(typesOf(exchange.events)).not.toContain("initiator_override_rejected");
  });

  it("does not make up for a token that is not permitted", async () => {
    // The attack: the rejected subject is named again, in the header.
    const exchange = await send({
      headers: { ...headers, "x-coder-owner-id": OWNER },
      claims: { sub: OWNER },
      rules: { allow: "listed", actors: ["jwt:other"] },
    });
    expect(principals(exchange)).toEqual(KEPT);
    expect(only(exchange.events, "initiator_override_rejected").reason).toBe("not_permitted");
  });
});
