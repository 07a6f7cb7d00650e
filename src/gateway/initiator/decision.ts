/**
 * On whose account. Receives what a request claims and what has been found out about it; hands on the initiator, how
 * far it can be believed, and how that was decided. Asks nobody, logs nothing, refuses nothing.
 */
import type { OwnerClaim } from "./owner-claim.ts";
import type { DirectoryLookup } from "./directory.ts";
import type { OwnerRejection } from "./owner-header.ts";
import { checkPermission, type AssertionRules, type Rule } from "./rules.ts";
import { isFresh } from "./signature.ts";

/**
 * How far the initiator can be believed.
 * - `signed`: an owner header with a verified signature, from an actor that may assert.
 * - `asserted`: a valid owner header from an actor that may assert, unsigned: that actor's word.
 * - `authenticated`: the actor itself, verified by an identity source.
 * - `unverified`: the actor itself, known only by a fingerprint of its own provider key.
 */
export type Attribution = "signed" | "asserted" | "authenticated" | "unverified";

export type Initiator = {
  readonly id: string;
  /** The owner's user name, where the directory told it; never the actor's. */
  readonly name: string | null;
  readonly attribution: Attribution;
  /** What became of the owner header: there was none that says other than the actor, it counted, or it did not. */
  readonly owner: "none" | "overrides" | { readonly rejected: OwnerRejection };
};

/** How it was decided: what is null was not looked at, as something before it had decided. */
export type Trace = {
  readonly rule: Rule | null;
  readonly signature: "off" | "absent" | "valid" | OwnerRejection | null;
  readonly directory: "off" | DirectoryLookup["is"] | null;
  readonly candidates: readonly Candidate[];
};

/** Who it could have been. An owner that did not count has no id here: its value is recorded nowhere. */
export type Candidate = {
  readonly who: "owner" | "actor";
  readonly id: string | null;
  readonly rejection_reason: OwnerRejection | "overridden" | null;
};

/** What was found out beyond the headers, each as soon as somebody has asked. */
export type Proof = {
  readonly signature?: "valid" | "signature_expired" | "signature_invalid";
  readonly directory?: DirectoryLookup;
  readonly nonce?: "first" | "again" | "down";
};

export type Decision = {
  readonly initiator: Initiator;
  readonly trace: Trace;
  /** What has to be found out before this is the decision; until then the owner does not count. */
  readonly needs: keyof Proof | null;
};

type Checks = Pick<Trace, "rule" | "signature" | "directory">;
const NOT_CHECKED: Checks = { rule: null, signature: null, directory: null };

/** The decision as far as the evidence goes: asked again with what it `wants`, it goes on. */
export function decideInitiator(claim: OwnerClaim, rules: AssertionRules, evidence: Proof = {}): Decision {
  const { actor, owner, isCoderAgents, isDelegating } = claim;
  const lost = (reason: OwnerRejection, looked: Checks): Decision => keepActor(claim, reason, looked);
  if (owner.kind === "absent") return keepActor(claim, null, NOT_CHECKED);
  if (!isCoderAgents && !isDelegating) return lost("client", NOT_CHECKED);
  const { permitted, rule } = checkPermission(actor, isDelegating, rules);
  if (!permitted) return lost("not_permitted", { ...NOT_CHECKED, rule });
  if (owner.kind === "bad") return lost(owner.reason, { ...NOT_CHECKED, rule });
  if (owner.id === actor.id) return keepActor(claim, null, { ...NOT_CHECKED, rule });

  const signature = checkSignature(claim, rules, evidence);
  const signed: Checks = { rule, signature: signature.is, directory: null };
  if (signature.rejects) return { ...lost(signature.rejects, signed), needs: signature.needs ?? null };
  const directory = checkDirectory(rules, evidence);
  const looked: Checks = { ...signed, directory: directory.is };
  if (directory.rejects) return { ...lost(directory.rejects, looked), needs: directory.needs ?? null };
  // Last, so that a signature is used up only by a request that counts.
  const isSigned = signature.is === "valid";
  if (isSigned && rules.once && evidence.nonce !== "first") {
    const reason = evidence.nonce === "again" ? "replayed" : "replay_unavailable";
    return { ...lost(reason, looked), needs: evidence.nonce === undefined ? "nonce" : null };
  }
  const name = evidence.directory?.is === "active" ? evidence.directory.username : null;
  const attribution = isSigned ? "signed" : "asserted";
  return {
    initiator: { id: owner.id, name, attribution, owner: "overrides" },
    trace: {
      ...looked,
      candidates: [
        { who: "owner", id: owner.id, rejection_reason: null },
        { who: "actor", id: actor.id, rejection_reason: "overridden" },
      ],
    },
    needs: null,
  };
}

/** The actor is the initiator: nobody else was named, or `reason` is why the owner does not count. */
function keepActor({ actor }: OwnerClaim, reason: OwnerRejection | null, looked: Checks): Decision {
  const itself: Candidate = { who: "actor", id: actor.id, rejection_reason: null };
  return {
    initiator: {
      id: actor.id,
      name: null,
      attribution: actor.verified ? "authenticated" : "unverified",
      owner: reason === null ? "none" : { rejected: reason },
    },
    trace: {
      ...looked,
      candidates: reason === null ? [itself] : [{ who: "owner", id: null, rejection_reason: reason }, itself],
    },
    needs: null,
  };
}

/** What one thing looked at says; with `wants`, it rejects only until that is known. */
type CheckResult<Is> = { readonly is: Is; readonly rejects?: OwnerRejection; readonly needs?: keyof Proof };

const rejected = (reason: OwnerRejection): CheckResult<OwnerRejection> => ({ is: reason, rejects: reason });

function checkSignature(
  { signature, at }: OwnerClaim,
  { signature: wanted }: AssertionRules,
  evidence: Proof,
): CheckResult<Trace["signature"]> {
  if (wanted === "off") return { is: "off" };
  if (signature.kind === "malformed") return rejected("signature_malformed");
  if (signature.kind === "absent") {
    return wanted === "require" ? { is: "absent", rejects: "signature_required" } : { is: "absent" };
  }
  if (!isFresh(signature, at)) return rejected("signature_expired");
  if (evidence.signature === undefined) return { is: null, rejects: "signature_invalid", needs: "signature" };
  return evidence.signature === "valid" ? { is: "valid" } : rejected(evidence.signature);
}

function checkDirectory(
  { directory }: AssertionRules,
  { directory: answer }: Proof,
): CheckResult<Trace["directory"]> {
  if (directory === "off") return { is: "off" };
  if (answer === undefined) return { is: null, rejects: "directory_down", needs: "directory" };
  switch (answer.is) {
    case "active":
      return answer;
    case "unknown":
      return { is: "unknown", rejects: "directory_unknown" };
    case "inactive":
      return { is: "inactive", rejects: "directory_inactive" };
    case "down":
      return directory === "accept" ? { is: "down" } : { is: "down", rejects: "directory_down" };
  }
}
