/** What follows for the request where its owner does not count: nothing but the record, or a refusal. */
import { Refusal } from "../../shared/refusal.ts";
import type { OwnerRejection } from "./owner-header.ts";
import type { AssertionRules } from "./rules.ts";

const SIGNATURE_REJECTIONS: ReadonlySet<OwnerRejection> = new Set<OwnerRejection>([
  "signature_required",
  "signature_malformed",
  "signature_expired",
  "signature_invalid",
  "replayed",
]);
/** Not the caller's fault, and perhaps over in a moment. */
const GATEWAY_FAILURES: ReadonlySet<OwnerRejection> = new Set<OwnerRejection>([
  "directory_down",
  "replay_unavailable",
]);

/**
 * null: it goes on, on the actor's account. Refuses `owner_rejected` (400) where the rules say reject, and where owners
 * must be signed `signature_required` (401) whatever is wrong with the signature; `identity_unavailable` (503) in place
 * of either where it is a failure of ours.
 */
export function refusalOnInvalid(
  reason: OwnerRejection,
  { onInvalid, signature }: Pick<AssertionRules, "onInvalid" | "signature">,
): Refusal | null {
  const mustBeSigned =
    signature === "require" && (SIGNATURE_REJECTIONS.has(reason) || reason === "replay_unavailable");
  if (onInvalid === "ignore" && !mustBeSigned) return null;
  if (GATEWAY_FAILURES.has(reason)) return new Refusal("identity_unavailable", { detail: reason });
  return new Refusal(mustBeSigned ? "signature_required" : "owner_rejected", { detail: reason });
}
