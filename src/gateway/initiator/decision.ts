/**
 * The owner decision, step 3 of 4: decide. A pure function of the claim (step 1), the rules (step 2) and the proof
 * collected so far (step 4). It returns the initiator, the attribution, how both were decided, and the proof that is
 * still needed. It performs no I/O, logs nothing and refuses nothing.
 */
import type {
  AssertionRule,
  Attribution,
  Candidate,
  DirectoryResult,
  OwnerRejection,
  SignatureResult,
} from "../../events/vocabulary.ts";
import type { Actor } from "../identity/identity.ts";
import type { OwnerClaim } from "./owner-claim.ts";
import { decideDelegated } from "./decide-delegated.ts";
import type { DirectoryLookup } from "./directory.ts";
import { checkPermission, type AssertionRules } from "./rules.ts";
import { isFresh } from "./signature.ts";

export type Initiator = {
  readonly id: string;
  /** Where the id is from. Two sources may give one id to two people. */
  readonly source: string;
  /** The owner's user name, if the directory returned one. Never the actor's. */
  readonly name: string | null;
  readonly attribution: Attribution;
};

/** How the decision was made. A check is null if an earlier check decided, or while its proof is missing (`needs`). */
export type Trace = {
  readonly rule: AssertionRule | null;
  readonly signature: SignatureResult | null;
  readonly directory: DirectoryResult | null;
  readonly candidates: readonly Candidate[];
  /** With a token that has an `act` claim: the ids of the acting parties. */
  readonly delegationChain?: readonly string[];
};

/** The results of the checks that need more than the headers. A result is absent until its check has run. */
export type Proof = {
  readonly signature?: "valid" | "signature_expired" | "signature_invalid";
  readonly directory?: DirectoryLookup;
  readonly replay?: "first" | "again" | "down";
};

export type Decision = {
  readonly initiator: Initiator;
  /**
   * The owner's canonical id if the assertion was accepted; it is then the initiator's id. Null if no owner was named,
   * if the owner is the actor itself, or if the owner was rejected.
   */
  readonly acceptedOwner: string | null;
  /** Why the owner header was not accepted; null if it was accepted, absent, or named the actor itself. */
  readonly rejection: OwnerRejection | null;
  readonly trace: Trace;
  /** The proof that is missing. Until it is collected, the owner is rejected. Null if the decision is final. */
  readonly needs: keyof Proof | null;
};

type Checks = Pick<Trace, "rule" | "signature" | "directory">;
const NOT_CHECKED: Checks = { rule: null, signature: null, directory: null };

/**
 * Decides with the proof collected so far. A token that names an acting party decides by itself (`decide-delegated.ts`).
 * Otherwise the first check that fails determines the rejection:
 * 1. Without an owner header, the actor is the initiator.
 * 2. The client must be Coder Agents, or the actor a delegating gateway (`client`).
 * 3. The actor must be permitted to assert owners (`not_permitted`).
 * 4. The header must hold one version 4 UUID (`multiple`, `form`, `version`, `variant`).
 * 5. An actor that names itself is the initiator as without the header: nothing is overridden.
 * 6. The signature must satisfy the rules (`signature_*`).
 * 7. The directory must know the owner as an active user (`directory_*`).
 * 8. A signature must not have been accepted before (`replayed`, `replay_unavailable`).
 */
export function decideInitiator(claim: OwnerClaim, rules: AssertionRules, proof: Proof = {}): Decision {
  const { actor, owner, isCoderAgents, isDelegating } = claim;
  if (actor.onBehalfOf) return decideDelegated(claim, actor.onBehalfOf, rules);
  const reject = (reason: OwnerRejection, checks: Checks): Decision => keepActor(claim, reason, checks);
  if (owner.kind === "absent") return keepActor(claim, null, NOT_CHECKED);
  if (!isCoderAgents && !isDelegating) return reject("client", NOT_CHECKED);
  const { permitted, rule } = checkPermission(actor, isDelegating, rules);
  if (!permitted) return reject("not_permitted", { ...NOT_CHECKED, rule });
  if (owner.kind === "bad") return reject(owner.reason, { ...NOT_CHECKED, rule });
  if (owner.id === actor.id) return keepActor(claim, null, { ...NOT_CHECKED, rule });

  const signature = checkSignature(claim, rules, proof);
  const signatureChecked: Checks = { rule, signature: signature.result, directory: null };
  if (signature.rejection)
    return { ...reject(signature.rejection, signatureChecked), needs: signature.needs ?? null };
  const directory = checkDirectory(rules, proof);
  const allChecked: Checks = { ...signatureChecked, directory: directory.result };
  if (directory.rejection)
    return { ...reject(directory.rejection, allChecked), needs: directory.needs ?? null };
  // The replay check comes last, so that only an owner that passes all other checks uses up its signature. A request that
  // is refused later (by its body, a policy, a failing provider) has used it up too.
  const isSigned = signature.result === "valid";
  if (isSigned && rules.once && proof.replay !== "first") {
    const reason = proof.replay === "again" ? "replayed" : "replay_unavailable";
    return { ...reject(reason, allChecked), needs: proof.replay === undefined ? "replay" : null };
  }
  const name = proof.directory?.status === "active" ? proof.directory.username : null;
  return acceptOwner(
    claim,
    { id: owner.id, source: rules.source, name, attribution: attributionOf(actor, isSigned) },
    allChecked,
  );
}

/**
 * Whether the chat, subchat and workspace that the request names are evidence, by the same conditions as an owner: a client
 * and an actor that may assert, the actor verified, the signature as required. A valid signature covers the ids too.
 */
export function areIdsEvidence(
  { actor, isCoderAgents, isDelegating }: OwnerClaim,
  rules: AssertionRules,
  { acceptedOwner, trace: { signature } }: Decision,
): boolean {
  if (!isCoderAgents && !isDelegating) return false;
  if (!checkPermission(actor, isDelegating, rules).permitted) return false;
  if (signature === "valid") return acceptedOwner !== null;
  const isUnsigned = signature === null || signature === "off" || signature === "absent";
  return actor.verified && rules.signature !== "require" && isUnsigned;
}

/** An owner is worth no more than the word of the actor that names it. */
function attributionOf({ verified }: Actor, isSigned: boolean): Attribution {
  if (isSigned) return "signed";
  return verified ? "asserted" : "claimed";
}

/** The owner is the initiator and overrides the actor. */
function acceptOwner({ actor }: OwnerClaim, initiator: Initiator, checks: Checks): Decision {
  return {
    initiator,
    acceptedOwner: initiator.id,
    rejection: null,
    trace: {
      ...checks,
      candidates: [
        { who: "owner", id: initiator.id, rejection_reason: null },
        { who: "actor", id: actor.id, rejection_reason: "overridden" },
      ],
    },
    needs: null,
  };
}

/** The actor is the initiator. `rejection` is null if no other principal was named. */
function keepActor({ actor }: OwnerClaim, rejection: OwnerRejection | null, checks: Checks): Decision {
  const kept: Candidate = { who: "actor", id: actor.id, rejection_reason: null };
  return {
    initiator: {
      id: actor.id,
      source: actor.source,
      name: null,
      attribution: actor.verified ? "authenticated" : "unverified",
    },
    acceptedOwner: null,
    rejection,
    trace: {
      ...checks,
      candidates:
        rejection === null ? [kept] : [{ who: "owner", id: null, rejection_reason: rejection }, kept],
    },
    needs: null,
  };
}

/** The result of one check. With `needs`, the rejection stands only until that proof is collected. */
type CheckResult<Result> = {
  readonly result: Result;
  readonly rejection?: OwnerRejection;
  readonly needs?: keyof Proof;
};

const rejected = (reason: OwnerRejection): CheckResult<OwnerRejection> => ({
  result: reason,
  rejection: reason,
});

function checkSignature(
  { signature, at }: OwnerClaim,
  { signature: mode }: AssertionRules,
  proof: Proof,
): CheckResult<Trace["signature"]> {
  if (mode === "off") return { result: "off" };
  if (signature.kind === "malformed") return rejected("signature_malformed");
  if (signature.kind === "uncovered") return rejected("signature_uncovered");
  if (signature.kind === "absent") {
    return mode === "require" ? { result: "absent", rejection: "signature_required" } : { result: "absent" };
  }
  if (!isFresh(signature, at)) return rejected("signature_expired");
  if (proof.signature === undefined)
    return { result: null, rejection: "signature_invalid", needs: "signature" };
  return proof.signature === "valid" ? { result: "valid" } : rejected(proof.signature);
}

function checkDirectory(
  { directory: mode }: AssertionRules,
  { directory: lookup }: Proof,
): CheckResult<Trace["directory"]> {
  if (mode === "off") return { result: "off" };
  if (lookup === undefined) return { result: null, rejection: "directory_down", needs: "directory" };
  switch (lookup.status) {
    case "active":
      return { result: "active" };
    case "unknown":
      return { result: "unknown", rejection: "directory_unknown" };
    case "inactive":
      return { result: "inactive", rejection: "directory_inactive" };
    case "down":
      return mode === "accept" ? { result: "down" } : { result: "down", rejection: "directory_down" };
  }
}
