/**
 * The owner decision, step 4 of 4: verify. Collects the proof that `decision.ts` still needs (is the signature valid,
 * is the owner an active user, is this the signature's first use) and repeats the decision with it. It runs no check
 * whose result cannot change the decision.
 */
import type { OwnerClaim } from "./owner-claim.ts";
import type { Directory } from "./directory.ts";
import { decideInitiator, type Decision, type Proof } from "./decision.ts";
import type { ReplayCache } from "./replay-cache-client.ts";
import type { AssertionRules } from "./rules.ts";
import { sha256Hex } from "../../shared/digest.ts";
import { isFresh, type PresentedSignature, type VerifySignature } from "./signature.ts";

/** A verifier is null if the configuration does not provide it. */
export type Verifiers = {
  readonly verify: VerifySignature | null;
  readonly directory: Directory | null;
  readonly replayCache: ReplayCache | null;
  readonly now: () => number;
};

/**
 * Returns the final decision. `bodySha256` is the SHA-256 of the request's body (64 hex digits), or null if it is not
 * known. If a proof cannot be collected, the decision's `needs` names it and the owner is rejected.
 */
export async function verifyAssertion(
  claim: OwnerClaim,
  rules: AssertionRules,
  verifiers: Verifiers,
  bodySha256: string | null,
): Promise<Decision> {
  const proof: Proof = {};
  for (;;) {
    const decision = decideInitiator(claim, rules, proof);
    if (decision.needs === null) return decision;
    const result = await collectProof(decision.needs, claim, verifiers, bodySha256);
    if (result === null) return decision;
    Object.assign(proof, result);
  }
}

/** Returns null if the proof cannot be collected. */
async function collectProof(
  needed: keyof Proof,
  { signature, owner }: OwnerClaim,
  { verify, directory, replayCache, now }: Verifiers,
  bodySha256: string | null,
): Promise<Proof | null> {
  switch (needed) {
    case "signature": {
      if (signature.kind !== "presented" || bodySha256 === null || verify === null) return null;
      // Checked again: the signature may have expired while a slow client was still sending the body.
      if (!isFresh(signature, now())) return { signature: "signature_expired" };
      return { signature: (await verify(signature, bodySha256)) ? "valid" : "signature_invalid" };
    }
    case "directory":
      return owner.kind === "owner" && directory ? { directory: await directory(owner.id) } : null;
    case "replay": {
      if (signature.kind !== "presented" || replayCache === null) return null;
      return { replay: await replayCache(await replayKey(signature), signature.until) };
    }
  }
}

/** By which a second use is recognized. A nonce is one of its key: another signer may choose the same. */
const replayKey = async (signature: PresentedSignature): Promise<string> =>
  signature.format === "coder" ? signature.mac : sha256Hex(`${signature.keyId}\n${signature.nonce}`);
