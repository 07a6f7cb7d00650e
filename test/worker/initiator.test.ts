import { describe, expect, it } from "vitest";
import { detectClient } from "../../src/client/client.ts";
import { CODER_AGENTS } from "../../src/client/clients.ts";
import type { Actor } from "../../src/identity/identity.ts";
import { decideInitiator, type Initiator } from "../../src/initiator/initiator.ts";
import type { AssertionRules } from "../../src/initiator/owner-assertion.ts";
import { actor, CODER_AGENTS_UA, fingerprint, OWNER, rules } from "./support/values.ts";

const BOT = actor();

function decide(
  owner: string | null,
  {
    userAgent = CODER_AGENTS_UA,
    by = BOT,
    under = rules(),
  }: { userAgent?: string; by?: Actor; under?: AssertionRules } = {},
): Initiator {
  const client = detectClient(new Headers({ "user-agent": userAgent }));
  return decideInitiator(by, client.name === CODER_AGENTS, owner, under);
}

const ITSELF: Initiator = { id: BOT.id, attribution: "authenticated", owner: "none" };

describe("the upstream proposal's four cases", () => {
  it("1: Coder Agents and a valid id make the owner the initiator", () => {
    expect(decide(OWNER)).toEqual({ id: OWNER, attribution: "asserted", owner: "overrides" });
  });

  it("2: Coder Agents without the header leave the actor the initiator", () => {
    expect(decide(null)).toEqual(ITSELF);
  });

  it("3: Coder Agents and not-a-uuid leave the actor the initiator", () => {
    expect(decide("not-a-uuid")).toEqual({ ...ITSELF, owner: { rejected: "form" } });
  });

  it("4: another client's valid id leaves the actor the initiator", () => {
    expect(decide(OWNER, { userAgent: "claude-code/1.0.0" })).toEqual({
      ...ITSELF,
      owner: { rejected: "client" },
    });
  });
});

describe("on whose account", () => {
  it.each([OWNER.toUpperCase(), ` ${OWNER}\t`])("A1 A2 A13 %j is one and the same owner", (sent) => {
    expect(decide(sent)).toEqual({ id: OWNER, attribution: "asserted", owner: "overrides" });
  });

  it.each([null, "", "  \t"])(
    "A3 A4 without an owner (%j) it is the actor, and there is nothing to tell",
    (sent) => {
      expect(decide(sent)).toEqual(ITSELF);
      expect(decide(sent, { userAgent: "curl/8" })).toEqual(ITSELF);
      expect(decide(sent, { under: rules({ allow: "off" }) })).toEqual(ITSELF);
    },
  );

  it.each([
    ["off", BOT],
    ["listed", BOT],
    ["any", actor({ mayAssert: false })],
  ] as const)("A5 under allow=%s an actor that may not assert stays the initiator", (allow, by) => {
    expect(decide(OWNER, { by, under: rules({ allow, actors: new Set(["someone-else"]) }) })).toEqual({
      ...ITSELF,
      owner: { rejected: "not_permitted" },
    });
  });

  it("A5 J5 an empty list of actors lets none assert", () => {
    expect(decide(OWNER, { under: rules({ allow: "listed" }) }).owner).toEqual({ rejected: "not_permitted" });
  });

  it("A5 a listed actor may", () => {
    expect(decide(OWNER, { under: rules({ allow: "listed", actors: new Set([BOT.id]) }) }).id).toBe(OWNER);
  });

  it.each(["curl/8.5.0", "", "coder-agents", "coder-agents/v2, curl", "Mozilla coder-agents/v2"])(
    "A6 the client %j cannot name an owner",
    (userAgent) => {
      expect(decide(OWNER, { userAgent })).toEqual({ ...ITSELF, owner: { rejected: "client" } });
    },
  );

  it("A6 another client's header counts for nothing, so nothing more is said of its value", () => {
    expect(decide("not-a-uuid", { userAgent: "curl/8" }).owner).toEqual({ rejected: "client" });
  });

  it("A19 the actor's own id is no override", () => {
    const user = actor({ id: OWNER, kind: "user" });
    const itself = { id: OWNER, attribution: "authenticated", owner: "none" };
    expect(decide(OWNER, { by: user })).toEqual(itself);
    expect(decide(OWNER.toUpperCase(), { by: user })).toEqual(itself);
  });

  it("a fingerprint's own requests are unverified", () => {
    expect(decide(null, { by: fingerprint })).toEqual({
      id: fingerprint.id,
      attribution: "unverified",
      owner: "none",
    });
  });

  it("a rejected owner leaves a fingerprint unverified", () => {
    expect(decide("not-a-uuid", { by: fingerprint })).toEqual({
      id: fingerprint.id,
      attribution: "unverified",
      owner: { rejected: "form" },
    });
  });

  it("an owner is asserted, whoever asserts: never authenticated", () => {
    expect(decide(OWNER, { by: fingerprint }).attribution).toBe("asserted");
    expect(decide(OWNER, { by: actor({ kind: "user" }) }).attribution).toBe("asserted");
  });
});
