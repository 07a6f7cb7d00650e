/**
 * Rate limits that the platform counts, near each of its locations and approximately: cheaper than an exact one.
 * https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/
 */
import { Refusal } from "../../../shared/refusal.ts";
import { subjectKey } from "./accounts.ts";
import type { RuleFilter, SubjectKind } from "./rule.ts";
import { isMatch, subjectOf, type LimitedCall } from "./subject.ts";

export type PlatformLimiter = {
  readonly name: string;
  readonly per: SubjectKind;
  readonly filter: RuleFilter;
  readonly minAttribution: Parameters<typeof subjectOf>[0]["minAttribution"];
  readonly limit: (options: { readonly key: string }) => Promise<{ readonly success: boolean }>;
};

/** Longer than any limit of the platform's has to wait. */
const RETRY_S = 10;

/** @returns the refusal `rate_limited` (429) of the first limit that is reached. A limit that fails refuses nothing. */
export async function checkPlatformLimits(
  limiters: readonly PlatformLimiter[],
  call: LimitedCall,
): Promise<Refusal | null> {
  for (const { name, per, filter, minAttribution, limit } of limiters) {
    if (!isMatch(filter, call)) continue;
    const subject = subjectOf({ per, minAttribution, below: "actor", account: name }, call);
    if (subject === null) continue;
    const { success } = await limit({ key: subjectKey(subject) }).catch(() => ({ success: true }));
    if (!success)
      return new Refusal("rate_limited", {
        detail: `rate:${name}`,
        note: `Limit "${name}".`,
        retryAfterS: RETRY_S,
      });
  }
  return null;
}
