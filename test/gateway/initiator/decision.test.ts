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
import type { OwnerRejection } from "../../../src/events/vocabulary.ts";
import { checkPermission, type AssertionRules } from "../../../src/gateway/initiator/rules.ts";
import { verifyAssertion, type Verifiers } from "../../../src/gateway/initiator/verify-assertion.ts";
import { actor, claim, CODER_AGENTS_UA, fingerprint, OWNER, rules } from "../../support/in-workerd/values.ts";

const BOT = actor();

type Setting = {
  readonly userAgent?: string;
  readonly by?: Actor;
  readonly isDelegating?: boolean;
  readonly under?: AssertionRules;
  readonly proof?: Proof;
  readonly headers?: Readonly<Record<string, string>>;
};

function decideOn(
  owner: string | null,
  {
    userAgent = CODER_AGENTS_UA,
    by = BOT,
    isDelegating = false,
    under = rules(),
    proof,
    headers,
  }: Setting = {},
): Decision {
  const sent = new Headers({ "user-agent": userAgent, ...headers });
  if (owner !== null) sent.set("x-coder-owner-id", owner);
  const isCoderAgents = detectClient(sent).name === CODER_AGENTS;
  const request = { method: "POST", url: "https://gateway.test", uri: "/v1/chat/completions", headers: sent };
  return decideInitiator(
    readOwnerClaim({ actor: by, isCoderAgents, isDelegating }, request, NOW),
    under,
    proof,
  );
}

const NOW = 1_795_000_000_000;

/** The fields of a decision that these tests compare. */
type Result = Pick<Decision, "initiator" | "acceptedOwner" | "rejection">;
const resultOf = ({ initiator, acceptedOwner, rejection }: Decision): Result => ({
  initiator,
  acceptedOwner,
  rejection,
});
const decided = (owner: string | null, setting?: Setting): Result => resultOf(decideOn(owner, setting));

const ACTOR: Initiator = { id: BOT.id, source: BOT.source, name: null, attribution: "authenticated" };
/** The actor is the initiator, and no other principal was named. */
const UNCHANGED: Result = { initiator: ACTOR, acceptedOwner: null, rejection: null };
const accepted = (over: Partial<Initiator> = {}): Result => ({
  initiator: { id: OWNER, source: "coder", name: null, attribution: "asserted", ...over },
  acceptedOwner: OWNER,
  rejection: null,
});
const rejected = (reason: OwnerRejection): Result => ({ ...UNCHANGED, rejection: reason });

describe("the upstream proposal's four cases", () => {
  it("1: makes the owner the initiator if Coder Agents sends a valid id", () => {
    expect(decided(OWNER)).toEqual(accepted());
  });

  it("2: keeps the actor as the initiator if Coder Agents sends no header", () => {
    expect(decided(null)).toEqual(UNCHANGED);
  });

  it("3: keeps the actor as the initiator if Coder Agents sends not-a-uuid", () => {
    expect(decided("not-a-uuid")).toEqual(rejected("form"));
  });

  it("4: keeps the actor as the initiator if another client sends a valid id", () => {
    expect(decided(OWNER, { userAgent: "claude-code/1.0.0" })).toEqual(rejected("client"));
  });
});

describe("the owner decision", () => {
  it.each([OWNER.toUpperCase(), ` ${OWNER}\t`])("A1 A2 A13 reads %j as the same owner", (sent) => {
    expect(decided(sent)).toEqual(accepted());
  });

  it.each([null, "", "  \t"])(
    "A3 A4 keeps the actor and reports no rejection without an owner (%j)",
    (sent) => {
      expect(decided(sent)).toEqual(UNCHANGED);
      expect(decided(sent, { userAgent: "curl/8" })).toEqual(UNCHANGED);
      expect(decided(sent, { under: rules({ allow: "off", signature: "require" }) })).toEqual(UNCHANGED);
    },
  );

  it.each(["curl/8.5.0", "", "coder-agents", "coder-agents/v2, curl", "Mozilla coder-agents/v2"])(
    "A6 rejects the owner that the client %j names",
    (userAgent) => {
      expect(decided(OWNER, { userAgent })).toEqual(rejected("client"));
    },
  );

  it("A6 reports the client, not the malformed value, if another client sends one", () => {
    expect(decided("not-a-uuid", { userAgent: "curl/8" })).toEqual(rejected("client"));
  });

  it("A6 rejects another client's owner even with a valid signature: a signature is one more condition", () => {
    const under = rules({ signature: "accept" });
    const proof = { signature: "valid" } as const;
    const setting = { under, proof, headers: SIGNED, userAgent: "curl/8" };
    expect(decided(OWNER, setting)).toEqual(rejected("client"));
  });

  it("A19 overrides nothing if an actor names its own id", () => {
    const user = actor({ id: OWNER, kind: "user" });
    const unchanged = { ...UNCHANGED, initiator: { ...ACTOR, id: OWNER } };
    expect(decided(OWNER, { by: user })).toEqual(unchanged);
    expect(decided(OWNER.toUpperCase(), { by: user })).toEqual(unchanged);
  });

  it("attributes a fingerprint's own requests as unverified, also if its owner is rejected", () => {
    const initiator = { ...ACTOR, id: fingerprint.id, source: "byok", attribution: "unverified" };
    expect(decided(null, { by: fingerprint })).toEqual({ ...UNCHANGED, initiator });
    expect(decided("not-a-uuid", { by: fingerprint })).toEqual({ ...rejected("form"), initiator });
  });

  // M3: an owner and an actor of another source are two people, even where their ids are one text.
  it("gives an accepted owner the source of owners, and each actor its own", () => {
    expect(decided(OWNER, { under: rules({ source: "access" }) }).initiator.source).toBe("access");
    expect(decided(null, { under: rules({ source: "access" }) }).initiator.source).toBe(BOT.source);
    expect(decided("not-a-uuid", { under: rules({ source: "access" }) }).initiator.source).toBe(BOT.source);
  });

  it.each([
    ["asserted", actor()],
    ["asserted", actor({ kind: "user" })],
    // H4: without any credential of its own, an unverified caller must not raise its word above its own account's.
    ["claimed", fingerprint],
  ] as const)("attributes an owner as %s, never authenticated, for the actor %j", (attribution, by) => {
    expect(decided(OWNER, { by }).initiator.attribution).toBe(attribution);
  });

  it("accepts the owner that a delegating gateway names, regardless of the client's User-Agent", () => {
    const by = actor({ id: "coder-gateway", source: "delegation", mayAssert: true });
    const decision = decideOn(OWNER, { by, isDelegating: true, userAgent: "curl/8" });
    expect(resultOf(decision)).toEqual(accepted());
    expect(decision.trace.rule).toBe("delegation");
  });
});

describe("A5 the permission to assert", () => {
  const SERVICE = actor();
  const USER = actor({ kind: "user" });
  const BOUND = { id: SERVICE.id, source: "keys" };
  const UNBOUND = { id: SERVICE.id, source: null };
  const by = (mayAssert: boolean | null, sender: Actor = SERVICE): Actor => ({ ...sender, mayAssert });
  const SELF_MADE = { ...fingerprint, kind: "service", id: SERVICE.id } as const;
  it.each([
    // allow, sender, mayAssert of its credential, list entry → permitted, rule
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
    // The attack: another issuer gives its own user the id of the listed service account.
    ["listed", actor({ source: "jwt" }), null, BOUND, false, "listed"],
    ["listed", SERVICE, true, null, true, "credential"],
    ["listed", SERVICE, false, BOUND, false, "credential"],
    ["listed", fingerprint, null, { id: fingerprint.id, source: "byok" }, true, "listed"],
    // The attack: a verified actor has the id of a listed fingerprint, and the reverse.
    ["listed", actor({ id: fingerprint.id }), null, { id: fingerprint.id, source: "byok" }, false, "listed"],
    ["listed", SELF_MADE, null, UNBOUND, false, "listed"],
    ["off", SERVICE, null, UNBOUND, false, "off"],
    ["off", SERVICE, true, BOUND, false, "off"],
    ["off", SERVICE, false, BOUND, false, "off"],
  ] as const)("decides for allow=%s, sender %o, mayAssert=%s, list entry %o: %s (%s)", (...row) => {
    const [allow, sender, mayAssert, entry, permitted, rule] = row;
    const under = rules({ allow, actors: entry ? [{ id: "another", source: null }, entry] : [] });
    expect(checkPermission(by(mayAssert, sender), false, under)).toEqual({ permitted, rule });
    const { acceptedOwner, rejection, trace } = decideOn(OWNER, { by: by(mayAssert, sender), under });
    expect([acceptedOwner, rejection]).toEqual(permitted ? [OWNER, null] : [null, "not_permitted"]);
    expect(trace.rule).toBe(rule);
  });

  it("J5 permits no actor if the list of actors is empty", () => {
    expect(decided(OWNER, { under: rules({ allow: "listed" }) })).toEqual(rejected("not_permitted"));
  });

  it.each([
    ["any", true, "delegation"],
    ["service", true, "delegation"],
    ["listed", true, "delegation"],
    ["off", false, "off"],
  ] as const)("decides for a delegating gateway and allow=%s: %s (%s)", (allow, permitted, rule) => {
    const gateway = actor({ source: "delegation", mayAssert: true });
    expect(checkPermission(gateway, true, rules({ allow }))).toEqual({ permitted, rule });
  });

  it("reports only the missing permission, and needs no proof, if the actor may not assert", () => {
    const under = rules({ allow: "off", signature: "require", directory: "reject" });
    for (const sent of [OWNER, "not-a-uuid"]) {
      const decision = decideOn(sent, { under, headers: SIGNED });
      expect(resultOf(decision)).toEqual(rejected("not_permitted"));
      const { trace, needs } = decision;
      expect([trace.signature, trace.directory, needs]).toEqual([null, null, null]);
    }
  });
});

/** Well-formed headers. The proof says whether the signature is valid. */
const SIGNED = {
  "x-coder-signature": `v1=${"0".repeat(64)}`,
  "x-coder-signature-timestamp": String(NOW / 1000),
};
const at = (seconds: number) => ({ ...SIGNED, "x-coder-signature-timestamp": String(NOW / 1000 + seconds) });

describe("A22 signed owners", () => {
  it.each([
    ["off", {}, undefined, "asserted"],
    ["off", SIGNED, "signature_invalid", "asserted"],
    ["accept", {}, undefined, "asserted"],
    ["accept", SIGNED, "valid", "signed"],
    ["accept", at(-300), "valid", "signed"],
    ["accept", at(300), "valid", "signed"],
    ["require", SIGNED, "valid", "signed"],
  ] as const)("accepts the owner for signature=%s, headers %o, proof %s: %s", (...row) => {
    const [signature, headers, result, attribution] = row;
    const proof = result ? { signature: result } : {};
    const decision = decideOn(OWNER, { under: rules({ signature }), headers, proof });
    expect(resultOf(decision)).toEqual(accepted({ attribution }));
    expect(decision.needs).toBeNull();
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
  ] as const)(
    "rejects the owner, never as asserted, for signature=%s, headers %o, proof %s: %s",
    (...row) => {
      const [signature, headers, result, reason] = row;
      const setting = { under: rules({ signature }), headers, proof: { signature: result } };
      expect(decided(OWNER, setting)).toEqual(rejected(reason));
    },
  );

  it("needs the signature's proof, and so the body, only if the headers do not decide", () => {
    const needs = (setting: Setting): unknown => decideOn(OWNER, setting).needs;
    const under = rules({ signature: "accept" });
    expect(needs({ under, headers: SIGNED })).toBe("signature");
    expect(needs({ under })).toBeNull();
    expect(needs({ headers: SIGNED })).toBeNull();
    expect(needs({ under: rules({ signature: "require" }) })).toBeNull();
    expect(needs({ under, headers: at(-301) })).toBeNull();
    expect(needs({ under, headers: SIGNED, userAgent: "curl/8" })).toBeNull();
    expect(needs({ under, headers: SIGNED, by: actor({ mayAssert: false }) })).toBeNull();
    expect(needs({ under, headers: SIGNED, by: actor({ id: OWNER }) })).toBeNull();
    expect(decideOn("not-a-uuid", { under, headers: SIGNED }).needs).toBeNull();
    expect(decideOn(null, { under, headers: SIGNED }).needs).toBeNull();
  });

  it("keeps the actor until the signature's proof is collected", () => {
    const setting = { under: rules({ signature: "accept" }), headers: SIGNED };
    const { initiator, acceptedOwner } = decided(OWNER, setting);
    expect([initiator.id, acceptedOwner]).toEqual([BOT.id, null]);
  });
});

const lookedUp = (directory: AssertionRules["directory"], lookup?: DirectoryLookup): Decision =>
  decideOn(OWNER, { under: rules({ directory }), ...(lookup && { proof: { directory: lookup } }) });

describe("owners and the directory", () => {
  it("accepts an active user, with its user name", () => {
    const decision = lookedUp("reject", { status: "active", username: "alice" });
    expect(resultOf(decision)).toEqual(accepted({ name: "alice" }));
    expect(decision.trace.directory).toBe("active");
  });

  it.each(["unknown", "inactive", "down"] as const)("rejects an owner whose lookup is %s", (status) => {
    const decision = lookedUp("reject", { status });
    expect(resultOf(decision)).toEqual(rejected(`directory_${status}`));
    expect([decision.trace.directory, decision.needs]).toEqual([status, null]);
  });

  it("accepts an owner without a name, and traces it, if on_down is accept and the directory is down", () => {
    const decision = lookedUp("accept", { status: "down" });
    expect(resultOf(decision)).toEqual(accepted());
    expect(decision.trace.directory).toBe("down");
    for (const status of ["unknown", "inactive"] as const)
      expect(resultOf(lookedUp("accept", { status }))).toEqual(rejected(`directory_${status}`));
  });

  it("keeps the actor until the directory is queried, even if on_down is accept", () => {
    for (const directory of ["accept", "reject"] as const) {
      const { initiator, acceptedOwner, needs } = lookedUp(directory);
      expect([initiator.id, acceptedOwner, needs]).toEqual([BOT.id, null, "directory"]);
    }
  });

  it("needs the directory only after the signature: a sender that cannot sign causes no lookup", () => {
    const under = rules({ directory: "reject", signature: "require" });
    expect(decideOn(OWNER, { under }).needs).toBeNull();
    expect(decideOn(OWNER, { under, headers: SIGNED }).needs).toBe("signature");
    const proof = { signature: "valid" } as const;
    expect(decideOn(OWNER, { under, headers: SIGNED, proof }).needs).toBe("directory");
  });
});

describe("A23 signed owners and the replay cache", () => {
  const under = rules({ signature: "accept", once: true });
  const decideAfter = (replay?: Proof["replay"]): Decision =>
    decideOn(OWNER, {
      under,
      headers: SIGNED,
      proof: { signature: "valid", ...(replay && { replay }) },
    });

  it("accepts the first use of a signature", () => {
    expect(resultOf(decideAfter("first"))).toEqual(accepted({ attribution: "signed" }));
  });

  it("rejects a later use, any use while the cache is down, and any use before the cache is queried", () => {
    expect(resultOf(decideAfter("again"))).toEqual(rejected("replayed"));
    expect(resultOf(decideAfter("down"))).toEqual(rejected("replay_unavailable"));
    expect([decideAfter().initiator.id, decideAfter().needs]).toEqual([BOT.id, "replay"]);
  });

  it("accepts an unsigned owner without the cache", () => {
    expect(decideOn(OWNER, { under })).toMatchObject({ ...accepted(), needs: null });
  });

  it("does not use up a signature whose owner another check rejects", () => {
    const both = rules({ signature: "accept", once: true, directory: "reject" });
    const proof = { signature: "valid", directory: { status: "down" } } as const;
    const { rejection, needs } = decideOn(OWNER, { under: both, headers: SIGNED, proof });
    expect([rejection, needs]).toEqual(["directory_down", null]);
  });
});

describe("the trace of a decision", () => {
  it("names both candidates, and why the actor was not chosen", () => {
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

  it("A14 omits the value of a rejected owner, even if it is well-formed", () => {
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

  it("names only the actor if the request has no owner header", () => {
    expect(decideOn(null).trace.candidates).toEqual([{ who: "actor", id: BOT.id, rejection_reason: null }]);
  });
});

describe("the refusal of a request whose owner was rejected", () => {
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
  ] as const)(
    "maps %s with on_invalid=%s and signature=%s to %s",
    (reason, onInvalid, signature, refusal) => {
      expect(refusalOnInvalid(reason, { onInvalid, signature })?.code ?? null).toBe(refusal);
    },
  );

  it("puts the reason into the operator's detail only, not into the client's message", () => {
    const refusal = refusalOnInvalid("signature_expired", { onInvalid: "ignore", signature: "require" });
    expect([refusal?.status, refusal?.data.detail]).toEqual([401, "signature_expired"]);
    expect(refusal?.message).not.toContain("expired");
  });
});

/** Verifiers that return the given results (by default, successes) and record their calls. */
function fakeVerifiers(results: Partial<Record<"verify" | "directory" | "replay", unknown>> = {}) {
  const calls: unknown[] = [];
  const verifiers: Verifiers = {
    verify: async (presented, bodySha256) => {
      calls.push(["verify", presented.format === "coder" ? presented.mac : null, bodySha256]);
      return (results.verify ?? true) as boolean;
    },
    directory: async (id) => {
      calls.push(["directory", id]);
      return (results.directory ?? { status: "active", username: "alice" }) as DirectoryLookup;
    },
    replayCache: async (mac, until) => {
      calls.push(["replay", mac, until]);
      return (results.replay ?? "first") as "first";
    },
    now: () => NOW,
  };
  return { verifiers, calls };
}

describe("the verifiers", () => {
  const ALL = rules({ signature: "require", directory: "reject", once: true });
  const signed = claim({ "x-coder-owner-id": OWNER, ...SIGNED }, { at: NOW });
  const body = "b".repeat(64);
  const mac = "0".repeat(64);

  it("run in order: signature, directory, replay cache", async () => {
    const { verifiers, calls } = fakeVerifiers();
    const decision = await verifyAssertion(signed, ALL, verifiers, body);
    expect(resultOf(decision)).toEqual(accepted({ name: "alice", attribution: "signed" }));
    expect(decision.needs).toBeNull();
    // The MAC is remembered until the window around its timestamp has passed.
    const until = NOW + 300_000;
    expect(calls).toEqual([
      ["verify", mac, body],
      ["directory", OWNER],
      ["replay", mac, until],
    ]);
  });

  it.each([
    [{ verify: false }, "signature_invalid", ["verify"]],
    [{ directory: { status: "unknown" } }, "directory_unknown", ["verify", "directory"]],
    [{ replay: "again" }, "replayed", ["verify", "directory", "replay"]],
  ] as const)("with %o stop at the verifier that rejects (%s)", async (results, reason, names) => {
    const { verifiers, calls } = fakeVerifiers(results);
    const decision = await verifyAssertion(signed, ALL, verifiers, body);
    expect(resultOf(decision)).toEqual(rejected(reason));
    expect(calls.map((call) => (call as string[])[0])).toEqual(names);
  });

  it("do not run if the headers decide", async () => {
    const { verifiers, calls } = fakeVerifiers();
    await verifyAssertion(claim({ "x-coder-owner-id": OWNER }), rules(), verifiers, null);
    await verifyAssertion(claim({}), ALL, verifiers, null);
    await verifyAssertion(claim({ "x-coder-owner-id": OWNER }), ALL, verifiers, null);
    expect(calls).toEqual([]);
  });

  it("leave the proof missing, and keep the actor, without the body's hash or without a verifier", async () => {
    const { verifiers } = fakeVerifiers();
    const none = { ...verifiers, verify: null, directory: null, replayCache: null };
    for (const [bodySha256, available, needs] of [
      [null, verifiers, "signature"],
      [body, none, "signature"],
      [body, { ...verifiers, directory: null }, "directory"],
      [body, { ...verifiers, replayCache: null }, "replay"],
    ] as const) {
      const decision = await verifyAssertion(signed, ALL, available, bodySha256);
      expect([decision.needs, decision.initiator.id]).toEqual([needs, BOT.id]);
      expect(decision.acceptedOwner).toBeNull();
    }
  });

  it("A22 A23 reject a signature that expires while the body is being sent", async () => {
    // The attack: many connections send the same signed headers in time and their bodies an hour later, when the replay
    // cache has deleted the first signature.
    const { verifiers, calls } = fakeVerifiers();
    const late = { ...verifiers, now: () => NOW + 300_001 };
    const decision = await verifyAssertion(signed, ALL, late, body);
    expect(resultOf(decision)).toEqual(rejected("signature_expired"));
    expect(calls).toEqual([]);
  });

  it("use a body hash that covers the exact bytes", async () => {
    expect(await sha256Hex(new Uint8Array())).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    expect(await sha256Hex(Uint8Array.of(0xff, 0x00))).toBe(
      "ea5dbf9596d187e9500f23e9a680109475341cf4e81f7e043f7d97152c10772f",
    );
  });
});
