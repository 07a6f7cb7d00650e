/**
 * The owner decision for a token with an `act` claim (RFC 8693 §4.1). The token names both sides: the subject is the
 * owner, and the acting party is the actor, which may act for others under the same rules as for an owner header.
 *
 * The client does not matter: the check for Coder Agents keeps other clients from setting a header, and only the issuer
 * can set a claim. Signature and directory are not consulted either, because the issuer has vouched for the subject.
 */
import type { Candidate, OwnerRejection } from "../../events/vocabulary.ts";
import type { OnBehalfOf } from "../identity/identity.ts";
import type { Decision } from "./decision.ts";
import type { OwnerClaim } from "./owner-claim.ts";
import { checkPermission, type AssertionRules } from "./rules.ts";

/**
 * - The subject is the initiator, `signed`, if the actor may act for it; else the actor itself, never the subject
 *   (`not_permitted`).
 * - An owner header with another value than the subject is rejected (`token_differs`). The token decides.
 */
export function decideDelegated(
  { actor, owner }: Pick<OwnerClaim, "actor" | "owner">,
  { subject, name, chain }: OnBehalfOf,
  rules: AssertionRules,
): Decision {
  const { permitted, rule } = checkPermission(actor, false, rules);
  const isSelf = subject === actor.id;
  const isAccepted = permitted && !isSelf;
  const differs = owner.kind !== "absent" && !(owner.kind === "owner" && owner.id === subject);
  const rejection: OwnerRejection | null =
    permitted || isSelf ? (differs ? "token_differs" : null) : "not_permitted";
  const candidates: Candidate[] = [];
  if (rejection !== null) candidates.push({ who: "owner", id: null, rejection_reason: rejection });
  if (isAccepted) candidates.push({ who: "owner", id: subject, rejection_reason: null });
  candidates.push({ who: "actor", id: actor.id, rejection_reason: isAccepted ? "overridden" : null });
  return {
    initiator: isAccepted
      ? { id: subject, source: actor.source, name, attribution: "signed" }
      : { id: actor.id, source: actor.source, name: null, attribution: "authenticated" },
    acceptedOwner: isAccepted ? subject : null,
    rejection,
    trace: { rule, signature: "token", directory: null, candidates, delegationChain: chain },
    needs: null,
  };
}

/** The value that was rejected, of which only length and hash are recorded: the token's subject, or the header. */
export function rejectedValue({ actor, sent }: OwnerClaim, rejection: OwnerRejection): string {
  const { onBehalfOf } = actor;
  return onBehalfOf && rejection !== "token_differs" ? onBehalfOf.subject : (sent.owner ?? "");
}
