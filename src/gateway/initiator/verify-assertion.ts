/**
 * Asks whoever can say more about a claim than its headers do, and only what the decision wants to know: whether the
 * signature is good, whether the owner is a user, whether this signature has counted before.
 */
import type { OwnerClaim } from "./owner-claim.ts";
import type { Directory } from "./directory.ts";
import { decideInitiator, type Decision, type Proof } from "./decision.ts";
import type { ReplayCache } from "./replay-cache.ts";
import type { AssertionRules } from "./rules.ts";
import { isFresh, WINDOW_MS, type VerifySignature } from "./signature.ts";

/** Who can be asked; null where the rules never want it. */
export type Verifiers = {
  readonly verify: VerifySignature | null;
  readonly directory: Directory | null;
  readonly replayCache: ReplayCache | null;
  readonly now: () => number;
};

/**
 * The whole decision. `bodySha256`: of the request's body, 64 hex digits; null where nobody knows it. What cannot be
 * found out stays wanted, and the owner does not count.
 */
export async function verifyAssertion(
  claim: OwnerClaim,
  rules: AssertionRules,
  witnesses: Verifiers,
  bodySha256: string | null,
): Promise<Decision> {
  const evidence: Proof = {};
  for (;;) {
    const decision = decideInitiator(claim, rules, evidence);
    if (decision.needs === null) return decision;
    const found = await collectProof(decision.needs, claim, witnesses, bodySha256);
    if (found === null) return decision;
    Object.assign(evidence, found);
  }
}

async function collectProof(
  wanted: keyof Proof,
  { signature, owner }: OwnerClaim,
  { verify, directory, replayCache: nonces, now }: Verifiers,
  bodySha256: string | null,
): Promise<Proof | null> {
  switch (wanted) {
    case "signature": {
      if (signature.kind !== "presented" || bodySha256 === null || verify === null) return null;
      // Once more: a body may come so slowly that what was fresh with its headers is not any more.
      if (!isFresh(signature, now())) return { signature: "signature_expired" };
      return { signature: (await verify(signature, bodySha256)) ? "valid" : "signature_invalid" };
    }
    case "directory":
      return owner.kind === "owner" && directory ? { directory: await directory(owner.id) } : null;
    case "nonce": {
      if (signature.kind !== "presented" || nonces === null) return null;
      return { nonce: await nonces(signature.mac, signature.timestamp * 1000 + WINDOW_MS) };
    }
  }
}
