/**
 * After the owner decision: whether a request whose owner was rejected is refused, or continues on the actor's account.
 */
import type { OwnerRejection } from "../../events/vocabulary.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { AssertionRules } from "./rules.ts";

const SIGNATURE_REJECTIONS: ReadonlySet<OwnerRejection> = new Set<OwnerRejection>([
  "signature_required",
  "signature_malformed",
  "signature_uncovered",
  "signature_expired",
  "signature_invalid",
  "replayed",
]);
/** Failures of the gateway's dependencies. The caller did nothing wrong, and a retry may succeed. */
const GATEWAY_FAILURES: ReadonlySet<OwnerRejection> = new Set<OwnerRejection>([
  "directory_down",
  "replay_unavailable",
]);

/**
 * Returns null if the request continues on the actor's account. With `on_invalid = "ignore"` it always does, except under
 * `signature = "require"` for a defect of the signature or a failing replay cache. Otherwise returns one of these refusals:
 * - `identity_unavailable` (503) if a dependency of the gateway failed.
 * - `signature_required` (401) if owners must be signed, for every defect of the signature.
 * - `owner_rejected` (400) for the other rejections.
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
