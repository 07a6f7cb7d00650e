/**
 * On whose account. Receives the actor, the client and the owner header as it was sent; hands on the initiator, how far
 * it can be believed, and what became of the header. Logs nothing, refuses nothing: that is the caller's.
 */
import type { Actor } from "../identity/identity.ts";
import { mayAssert, readOwner, type AssertionRules, type OwnerRejection } from "./owner-assertion.ts";

/**
 * How far the initiator can be believed.
 * - `signed`: an owner header with a verified signature.
 * - `asserted`: a valid owner header from an actor that may assert, unsigned: that actor's word.
 * - `authenticated`: the actor itself, verified by an identity source.
 * - `unverified`: the actor itself, known only by a fingerprint of its own provider key.
 */
export type Attribution = "signed" | "asserted" | "authenticated" | "unverified";

export type Initiator = {
  readonly id: string;
  readonly attribution: Attribution;
  /** What became of the owner header: there was none that says other than the actor, it counted, or it did not. */
  readonly owner: "none" | "overrides" | { readonly rejected: OwnerRejection };
};

export function decideInitiator(
  actor: Actor,
  fromCoderAgents: boolean,
  sentOwner: string | null,
  rules: AssertionRules,
): Initiator {
  const itself: Initiator = {
    id: actor.id,
    attribution: actor.verified ? "authenticated" : "unverified",
    owner: "none",
  };
  const rejected = (reason: OwnerRejection): Initiator => ({ ...itself, owner: { rejected: reason } });

  const owner = readOwner(sentOwner);
  if (owner.kind === "absent") return itself;
  if (!fromCoderAgents) return rejected("client");
  if (!mayAssert(actor, rules)) return rejected("not_permitted");
  if (owner.kind === "bad") return rejected(owner.reason);
  if (owner.id === actor.id) return itself;
  return { id: owner.id, attribution: "asserted", owner: "overrides" };
}
