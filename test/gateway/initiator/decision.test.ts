import { describe, expect, it } from "vitest";
import { detectClient } from "../../../src/gateway/client/client.ts";
import { CODER_AGENTS } from "../../../src/gateway/client/clients.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import type { Actor } from "../../../src/gateway/identity/identity.ts";
import { readOwnerClaim } from "../../../src/gateway/initiator/owner-claim.ts";
import { refusalOnInvalid } from "../../../src/gateway/initiator/on-invalid.ts";
import type { DirectoryLookup } from "../../../src/gateway/initiator/directory.ts";
import {
  decideInitiator,
  type Decision,
  type Proof,
  type Initiator,
} from "../../../src/gateway/initiator/decision.ts";
import type { OwnerRejection } from "../../../src/gateway/initiator/owner-header.ts";
import { checkPermission, type AssertionRules } from "../../../src/gateway/initiator/rules.ts";
import { verifyAssertion, type Verifiers } from "../../../src/gateway/initiator/verify-assertion.ts";
import { actor, claim, CODER_AGENTS_UA, fingerprint, OWNER, rules } from "../../support/in-workerd/values.ts";

const BOT = actor();

type Setting = {
  readonly userAgent?: string;
  readonly by?: Actor;
  readonly isDelegating?: boolean;
  readonly under?: AssertionRules;
  readonly evidence?: Proof;
  readonly headers?: Readonly<Record<string, string>>;
};

function decideOn(
  owner: string | null,
  {
    userAgent = CODER_AGENTS_UA,
    by = BOT,
    isDelegating = false,
    under = rules(),
    evidence,
    headers,
  }: Setting = {},
): Decision {
  const sent = new Headers({ "user-agent": userAgent, ...headers });
  if (owner !== null) sent.set("x-coder-owner-id", owner);
  const isCoderAgents = detectClient(sent).name === CODER_AGENTS;
  const request = { method: "POST", uri: "/v1/chat/completions", headers: sent };
  return decideInitiator(
    readOwnerClaim({ actor: by, isCoderAgents, isDelegating }, request, NOW),
    under,
    evidence,
  );
}

const NOW = 1_795_000_000_000;
const initiatorOf = (owner: string | null, setting?: Setting): Initiator =>
  decideOn(owner, setting).initiator;

const ITSELF: Initiator = { id: BOT.id, name: null, attribution: "authenticated", owner: "none" };
const ASSERTED: Initiator = { id: OWNER, name: null, attribution: "asserted", owner: "overrides" };
const lost = (reason: OwnerRejection): Initiator => ({ ...ITSELF, owner: { rejected: reason } });

describe("the upstream proposal's four cases", () => {
  it("1: Coder Agents and a valid id make the owner the initiator", () => {
    expect(initiatorOf(OWNER)).toEqual(ASSERTED);
  });

  it("2: Coder Agents without the header leave the actor the initiator", () => {
    expect(initiatorOf(null)).toEqual(ITSELF);
  });

  it("3: Coder Agents and not-a-uuid leave the actor the initiator", () => {
    expect(initiatorOf("not-a-uuid")).toEqual(lost("form"));
  });

  it("4: another client's valid id leaves the actor the initiator", () => {
    expect(initiatorOf(OWNER, { userAgent: "claude-code/1.0.0" })).toEqual(lost("client"));
  });
});

describe("on whose account", () => {
  it.each([OWNER.toUpperCase(), ` ${OWNER}\t`])("A1 A2 A13 %j is one and the same owner", (sent) => {
    expect(initiatorOf(sent)).toEqual(ASSERTED);
  });

  it.each([null, "", "  \t"])(
    "A3 A4 without an owner (%j) it is the actor, and there is nothing to tell",
    (sent) => {
      expect(initiatorOf(sent)).toEqual(ITSELF);
      expect(initiatorOf(sent, { userAgent: "curl/8" })).toEqual(ITSELF);
      expect(initiatorOf(sent, { under: rules({ allow: "off", signature: "require" }) })).toEqual(ITSELF);
    },
  );

  it.each(["curl/8.5.0", "", "coder-agents", "coder-agents/v2, curl", "Mozilla coder-agents/v2"])(
    "A6 the client %j cannot name an owner",
    (userAgent) => {
      expect(initiatorOf(OWNER, { userAgent })).toEqual(lost("client"));
    },
  );

  it("A6 another client's header counts for nothing, so nothing more is said of its value", () => {
    expect(initiatorOf("not-a-uuid", { userAgent: "curl/8" })).toEqual(lost("client"));
  });

  it("A6 not even a good signature makes another client's owner count: it adds a condition, and widens none", () => {
    const under = rules({ signature: "accept" });
    const evidence = { signature: "valid" } as const;
    const setting = { under, evidence, headers: SIGNED, userAgent: "curl/8" };
    expect(initiatorOf(OWNER, setting)).toEqual(lost("client"));
  });

  it("A19 the actor's own id is no override", () => {
    const user = actor({ id: OWNER, kind: "user" });
    const itself = { ...ITSELF, id: OWNER };
    expect(initiatorOf(OWNER, { by: user })).toEqual(itself);
    expect(initiatorOf(OWNER.toUpperCase(), { by: user })).toEqual(itself);
  });

  it("a fingerprint's own requests are unverified, also where its owner is rejected", () => {
    const itself = { ...ITSELF, id: fingerprint.id, attribution: "unverified" };
    expect(initiatorOf(null, { by: fingerprint })).toEqual(itself);
    expect(initiatorOf("not-a-uuid", { by: fingerprint })).toEqual({
      ...itself,
      owner: { rejected: "form" },
    });
  });

  it("an owner is asserted, whoever asserts: never authenticated", () => {
    expect(initiatorOf(OWNER, { by: fingerprint }).attribution).toBe("asserted");
    expect(initiatorOf(OWNER, { by: actor({ kind: "user" }) }).attribution).toBe("asserted");
  });

  it("a gateway that delegates names its user whatever the client calls itself", () => {
    const by = actor({ id: "coder-gateway", source: "delegation", mayAssert: true });
    const { initiator, trace } = decideOn(OWNER, { by, isDelegating: true, userAgent: "curl/8" });
    expect(initiator).toEqual(ASSERTED);
    expect(trace.rule).toBe("delegation");
  });
});

describe("A5 who may assert", () => {
  const SERVICE = actor();
  const USER = actor({ kind: "user" });
  const BOUND = { id: SERVICE.id, source: "keys" };
  const UNBOUND = { id: SERVICE.id, source: null };
  const by = (own: boolean | null, who: Actor = SERVICE): Actor => ({ ...who, mayAssert: own });
  const SELF_MADE = { ...fingerprint, kind: "service", id: SERVICE.id } as const;
  it.each([
    // allow, who, what the credential says, listed as → may, by which rule
    ["any", SERVICE, null, null, true, "any"],
    ["any", USER, true, null, true, "any"],
    ["any", SERVICE, false, UNBOUND, false, "credential"],
    ["any", fingerprint, null, null, true, "any"],
    ["service", SERVICE, null, null, true, "service"],
    ["service", SERVICE, true, null, true, "service"],
    ["service", SERVICE, false, null, false, "credential"],
    ["service", USER, null, null, false, "service"],
    ["service", USER, true, UNBOUND, false, "service"],
    ["service", fingerprint, null, null, false, "service"],
    ["service", SELF_MADE, null, null, false, "service"],
    ["listed", SERVICE, null, null, false, "listed"],
    ["listed", SERVICE, null, UNBOUND, true, "listed"],
    ["listed", SERVICE, null, BOUND, true, "listed"],
    ["listed", USER, null, BOUND, true, "listed"],
    ["listed", actor({ source: "jwt" }), null, UNBOUND, true, "listed"],
    // The attack: another issuer that gives its own user the id of the listed service account.
    ["listed", actor({ source: "jwt" }), null, BOUND, false, "listed"],
    ["listed", SERVICE, true, null, true, "credential"],
    ["listed", SERVICE, false, BOUND, false, "credential"],
    ["listed", fingerprint, null, { id: fingerprint.id, source: "byok" }, true, "listed"],
    // The attack: a verified actor that is called like a listed fingerprint, and the reverse.
    ["listed", actor({ id: fingerprint.id }), null, { id: fingerprint.id, source: "byok" }, false, "listed"],
    ["listed", SELF_MADE, null, UNBOUND, false, "listed"],
    ["off", SERVICE, null, UNBOUND, false, "off"],
    ["off", SERVICE, true, BOUND, false, "off"],
    ["off", SERVICE, false, BOUND, false, "off"],
  ] as const)("allow=%s by %o, assert=%s in the credential, listed as %o: %s (%s)", (...row) => {
    const [allow, who, own, entry, may, rule] = row;
    const under = rules({ allow, actors: entry ? [{ id: "another", source: null }, entry] : [] });
    expect(checkPermission(by(own, who), false, under)).toEqual({ permitted: may, rule });
    const { initiator, trace } = decideOn(OWNER, { by: by(own, who), under });
    expect(initiator.owner).toEqual(may ? "overrides" : { rejected: "not_permitted" });
    expect(trace.rule).toBe(rule);
  });

  it("J5 an empty list of actors lets none assert", () => {
    expect(initiatorOf(OWNER, { under: rules({ allow: "listed" }) })).toEqual(lost("not_permitted"));
  });

  it.each([
    ["any", true, "delegation"],
    ["service", true, "delegation"],
    ["listed", true, "delegation"],
    ["off", false, "off"],
  ] as const)("under allow=%s a gateway that delegates may: %s (%s)", (allow, permitted, rule) => {
    const gateway = actor({ source: "delegation", mayAssert: true });
    expect(checkPermission(gateway, true, rules({ allow }))).toEqual({ permitted, rule });
  });

  it("who may not assert is not told what is wrong with the value, nor is anything else asked", () => {
    const under = rules({ allow: "off", signature: "require", directory: "reject" });
    for (const sent of [OWNER, "not-a-uuid"]) {
      const { initiator, trace, needs: wants } = decideOn(sent, { under, headers: SIGNED });
      expect(initiator).toEqual(lost("not_permitted"));
      expect([trace.signature, trace.directory, wants]).toEqual([null, null, null]);
    }
  });
});

/** In form: whether it is good is for the evidence to say. */
const SIGNED = {
  "x-coder-signature": `v1=${"0".repeat(64)}`,
  "x-coder-signature-timestamp": String(NOW / 1000),
};
const at = (seconds: number) => ({ ...SIGNED, "x-coder-signature-timestamp": String(NOW / 1000 + seconds) });

describe("A22 what a signature does to an owner", () => {
  it.each([
    ["off", {}, undefined, "asserted"],
    ["off", SIGNED, "signature_invalid", "asserted"],
    ["accept", {}, undefined, "asserted"],
    ["accept", SIGNED, "valid", "signed"],
    ["accept", at(-300), "valid", "signed"],
    ["accept", at(300), "valid", "signed"],
    ["require", SIGNED, "valid", "signed"],
  ] as const)("signature=%s, sent %o, found %s: %s", (signature, headers, found, attribution) => {
    const evidence = found ? { signature: found } : {};
    const { initiator, needs: wants } = decideOn(OWNER, { under: rules({ signature }), headers, evidence });
    expect(initiator).toEqual({ ...ASSERTED, attribution });
    expect(wants).toBeNull();
  });

  it.each([
    ["accept", SIGNED, "signature_invalid", "signature_invalid"],
    ["accept", SIGNED, "signature_expired", "signature_expired"],
    ["accept", at(-301), "valid", "signature_expired"],
    ["accept", at(301), "valid", "signature_expired"],
    ["accept", { "x-coder-signature": "v1=0" }, "valid", "signature_malformed"],
    ["require", {}, "valid", "signature_required"],
    ["require", SIGNED, "signature_invalid", "signature_invalid"],
    ["require", { "x-coder-signature-timestamp": "1" }, "valid", "signature_malformed"],
  ] as const)("signature=%s, sent %o, found %s: rejected (%s), never merely asserted", (...row) => {
    const [signature, headers, found, reason] = row;
    const setting = { under: rules({ signature }), headers, evidence: { signature: found } };
    expect(initiatorOf(OWNER, setting)).toEqual(lost(reason));
  });

  it("is asked for only where the headers leave it open: no body is read for what they decide", () => {
    const wants = (setting: Setting): unknown => decideOn(OWNER, setting).needs;
    const under = rules({ signature: "accept" });
    expect(wants({ under, headers: SIGNED })).toBe("signature");
    expect(wants({ under })).toBeNull();
    expect(wants({ headers: SIGNED })).toBeNull();
    expect(wants({ under: rules({ signature: "require" }) })).toBeNull();
    expect(wants({ under, headers: at(-301) })).toBeNull();
    expect(wants({ under, headers: SIGNED, userAgent: "curl/8" })).toBeNull();
    expect(wants({ under, headers: SIGNED, by: actor({ mayAssert: false }) })).toBeNull();
    expect(wants({ under, headers: SIGNED, by: actor({ id: OWNER }) })).toBeNull();
    expect(decideOn("not-a-uuid", { under, headers: SIGNED }).needs).toBeNull();
    expect(decideOn(null, { under, headers: SIGNED }).needs).toBeNull();
  });

  it("as long as it is not known, the owner does not count", () => {
    const setting = { under: rules({ signature: "accept" }), headers: SIGNED };
    expect(initiatorOf(OWNER, setting).id).toBe(BOT.id);
  });
});

const lookedUp = (directory: AssertionRules["directory"], answer?: DirectoryLookup): Decision =>
  decideOn(OWNER, { under: rules({ directory }), ...(answer && { evidence: { directory: answer } }) });

describe("what the directory does to an owner", () => {
  it("an active user is the initiator, under its name", () => {
    const { initiator, trace } = lookedUp("reject", { is: "active", username: "alice" });
    expect(initiator).toEqual({ ...ASSERTED, name: "alice" });
    expect(trace.directory).toBe("active");
  });

  it.each(["unknown", "inactive", "down"] as const)("%s: rejected", (is) => {
    const { initiator, trace, needs: wants } = lookedUp("reject", { is });
    expect(initiator).toEqual(lost(`directory_${is}`));
    expect([trace.directory, wants]).toEqual([is, null]);
  });

  it("where it may be down the owner counts all the same, without a name, and the trace says so", () => {
    const { initiator, trace } = lookedUp("accept", { is: "down" });
    expect(initiator).toEqual(ASSERTED);
    expect(trace.directory).toBe("down");
    for (const is of ["unknown", "inactive"] as const)
      expect(lookedUp("accept", { is }).initiator).toEqual(lost(`directory_${is}`));
  });

  it("until it is asked, the owner does not count, even where it may be down", () => {
    for (const directory of ["accept", "reject"] as const) {
      const { initiator, needs: wants } = lookedUp(directory);
      expect([initiator.id, wants]).toEqual([BOT.id, "directory"]);
    }
  });

  it("is asked after the signature: whoever cannot sign asks nothing of it", () => {
    const under = rules({ directory: "reject", signature: "require" });
    expect(decideOn(OWNER, { under }).needs).toBeNull();
    expect(decideOn(OWNER, { under, headers: SIGNED }).needs).toBe("signature");
    const good = { signature: "valid" } as const;
    expect(decideOn(OWNER, { under, headers: SIGNED, evidence: good }).needs).toBe("directory");
  });
});

describe("A23 what the replay cache does to a signed owner", () => {
  const under = rules({ signature: "accept", once: true });
  const asked = (nonce?: Proof["nonce"]): Decision =>
    decideOn(OWNER, {
      under,
      headers: SIGNED,
      evidence: { signature: "valid", ...(nonce && { nonce }) },
    });

  it("the first time it counts", () => {
    expect(asked("first").initiator).toEqual({ ...ASSERTED, attribution: "signed" });
  });

  it("again it does not, nor where nobody can say, nor until somebody was asked", () => {
    expect(asked("again").initiator).toEqual(lost("replayed"));
    expect(asked("down").initiator).toEqual(lost("replay_unavailable"));
    expect([asked().initiator.id, asked().needs]).toEqual([BOT.id, "nonce"]);
  });

  it("no unsigned owner is a matter of it", () => {
    expect(decideOn(OWNER, { under })).toMatchObject({ initiator: ASSERTED, needs: null });
  });

  it("nobody asks it before all else is good: a signature whose owner does not count otherwise is not used up", () => {
    const both = rules({ signature: "accept", once: true, directory: "reject" });
    const evidence = { signature: "valid", directory: { is: "down" } } as const;
    const { initiator, needs: wants } = decideOn(OWNER, { under: both, headers: SIGNED, evidence });
    expect([initiator.owner, wants]).toEqual([{ rejected: "directory_down" }, null]);
  });
});

describe("the trace of a decision", () => {
  it("names both candidates: who won, and why the other lost", () => {
    expect(decideOn(OWNER).trace).toEqual({
      rule: "any",
      signature: "off",
      directory: "off",
      candidates: [
        { who: "owner", id: OWNER, rejection_reason: null },
        { who: "actor", id: BOT.id, rejection_reason: "overridden" },
      ],
    });
  });

  it("A14 has no value of an owner that did not count, however well-formed", () => {
    const { trace } = decideOn(OWNER, { under: rules({ allow: "off" }) });
    expect(trace).toEqual({
      rule: "off",
      signature: null,
      directory: null,
      candidates: [
        { who: "owner", id: null, rejection_reason: "not_permitted" },
        { who: "actor", id: BOT.id, rejection_reason: null },
      ],
    });
  });

  it("of a request that names nobody has but the actor", () => {
    expect(decideOn(null).trace.candidates).toEqual([{ who: "actor", id: BOT.id, rejection_reason: null }]);
  });
});

describe("what follows where an owner does not count", () => {
  it.each([
    // reason, on_invalid, signature → refusal
    ["form", "ignore", "off", null],
    ["form", "reject", "off", "owner_rejected"],
    ["client", "ignore", "require", null],
    ["not_permitted", "reject", "require", "owner_rejected"],
    ["signature_invalid", "ignore", "accept", null],
    ["signature_invalid", "reject", "accept", "owner_rejected"],
    ["signature_required", "ignore", "require", "signature_required"],
    ["signature_malformed", "ignore", "require", "signature_required"],
    ["signature_expired", "reject", "require", "signature_required"],
    ["signature_invalid", "ignore", "require", "signature_required"],
    ["replayed", "ignore", "require", "signature_required"],
    ["replayed", "ignore", "accept", null],
    ["replay_unavailable", "ignore", "require", "identity_unavailable"],
    ["replay_unavailable", "reject", "accept", "identity_unavailable"],
    ["replay_unavailable", "ignore", "accept", null],
    ["directory_unknown", "reject", "off", "owner_rejected"],
    ["directory_down", "reject", "off", "identity_unavailable"],
    ["directory_down", "ignore", "require", null],
  ] as const)("%s with on_invalid=%s and signature=%s: %s", (reason, onInvalid, signature, refusal) => {
    expect(refusalOnInvalid(reason, { onInvalid, signature })?.code ?? null).toBe(refusal);
  });

  it("tells the operator the reason, the client none", () => {
    const refusal = refusalOnInvalid("signature_expired", { onInvalid: "ignore", signature: "require" });
    expect([refusal?.status, refusal?.data.detail]).toEqual([401, "signature_expired"]);
    expect(refusal?.message).not.toContain("expired");
  });
});

/** Witnesses that say what they are told to, and keep what they were asked. */
function stand(said: Partial<Record<"verify" | "directory" | "nonce", unknown>> = {}) {
  const asked: unknown[] = [];
  const verifiers: Verifiers = {
    verify: async ({ mac }, bodySha256) => {
      asked.push(["verify", mac, bodySha256]);
      return (said.verify ?? true) as boolean;
    },
    directory: async (id) => {
      asked.push(["directory", id]);
      return (said.directory ?? { is: "active", username: "alice" }) as DirectoryLookup;
    },
    replayCache: async (mac, until) => {
      asked.push(["nonce", mac, until]);
      return (said.nonce ?? "first") as "first";
    },
    now: () => NOW,
  };
  return { verifiers, asked };
}

describe("the verifiers", () => {
  const ALL = rules({ signature: "require", directory: "reject", once: true });
  const signed = claim({ "x-coder-owner-id": OWNER, ...SIGNED }, { at: NOW });
  const body = "b".repeat(64);
  const mac = "0".repeat(64);

  it("are asked in turn, each for what it knows, and the decision follows", async () => {
    const { verifiers, asked } = stand();
    const { initiator, needs: wants } = await verifyAssertion(signed, ALL, verifiers, body);
    expect(initiator).toEqual({ ...ASSERTED, name: "alice", attribution: "signed" });
    expect(wants).toBeNull();
    // Until the window that began with its timestamp has passed.
    const until = NOW + 300_000;
    expect(asked).toEqual([
      ["verify", mac, body],
      ["directory", OWNER],
      ["nonce", mac, until],
    ]);
  });

  it.each([
    [{ verify: false }, "signature_invalid", ["verify"]],
    [{ directory: { is: "unknown" } }, "directory_unknown", ["verify", "directory"]],
    [{ nonce: "again" }, "replayed", ["verify", "directory", "nonce"]],
  ] as const)("with %o nobody is asked after the one that decides (%s)", async (said, reason, names) => {
    const { verifiers, asked } = stand(said);
    const { initiator } = await verifyAssertion(signed, ALL, verifiers, body);
    expect(initiator).toEqual(lost(reason));
    expect(asked.map((one) => (one as string[])[0])).toEqual(names);
  });

  it("nobody is asked where the headers decide", async () => {
    const { verifiers, asked } = stand();
    await verifyAssertion(claim({ "x-coder-owner-id": OWNER }), rules(), verifiers, null);
    await verifyAssertion(claim({}), ALL, verifiers, null);
    await verifyAssertion(claim({ "x-coder-owner-id": OWNER }), ALL, verifiers, null);
    expect(asked).toEqual([]);
  });

  it("without the body's hash, or without a witness, the question stays, and the owner does not count", async () => {
    const { verifiers } = stand();
    const none = { ...verifiers, verify: null, directory: null, replayCache: null };
    for (const [bodySha256, one, wants] of [
      [null, verifiers, "signature"],
      [body, none, "signature"],
      [body, { ...verifiers, directory: null }, "directory"],
      [body, { ...verifiers, replayCache: null }, "nonce"],
    ] as const) {
      const decision = await verifyAssertion(signed, ALL, one, bodySha256);
      expect([decision.needs, decision.initiator.id]).toEqual([wants, BOT.id]);
    }
  });

  it("A22 A23 a body that comes so slowly that its signature expires on the way is one too late", async () => {
    // The attack: many connections that send the same signed headers in time and their body an hour later, when the
    // replay cache has forgotten the first.
    const { verifiers, asked } = stand();
    const late = { ...verifiers, now: () => NOW + 300_001 };
    expect((await verifyAssertion(signed, ALL, late, body)).initiator).toEqual(lost("signature_expired"));
    expect(asked).toEqual([]);
  });

  it("the body's hash is that of its bytes", async () => {
    expect(await sha256Hex(new Uint8Array())).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    expect(await sha256Hex(Uint8Array.of(0xff, 0x00))).toBe(
      "ea5dbf9596d187e9500f23e9a680109475341cf4e81f7e043f7d97152c10772f",
    );
  });
});
