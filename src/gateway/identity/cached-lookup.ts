/**
 * Asks a backend about a credential, once for many requests: who is known stays known for a while, also while the
 * backend is down, and never for longer; who is refused stays refused for a shorter one; no answer is nobody's.
 */
import { Refusal } from "../../shared/refusal.ts";
import { createFlights, LATE } from "./single-flight.ts";
import type { Actor } from "./identity.ts";
import { createMemory } from "./ttl-cache.ts";

export type LookUpRules = {
  /** How long an actor is taken for known: what was revoked is refused within this time. */
  readonly knownMs: number;
  readonly refusedMs: number;
  readonly timeoutMs: number;
};

export type Verdict = Actor | Refusal;

/** `ask` never rejects. Refuses what it refuses, and `identity_unavailable` where it does not answer in time. */
export type LookUp = (sha256: string, ask: () => Promise<Verdict>) => Verdict | Promise<Verdict>;

export function createLookUps({ knownMs, refusedMs, timeoutMs }: LookUpRules, now: () => number): LookUp {
  // Apart, so that strangers displace only strangers.
  const known = createMemory<Actor>(now);
  const refused = createMemory<Refusal>(now);
  const fly = createFlights<Verdict>(timeoutMs, now);

  const find = async (sha256: string, ask: () => Promise<Verdict>): Promise<Verdict> => {
    // What is revoked while we ask may still be in the answer: its time runs from the question.
    const asked = now();
    const verdict = await ask();
    if (!(verdict instanceof Refusal)) known.keep(sha256, verdict, asked + knownMs);
    else if (verdict.reason !== "identity_unavailable") refused.keep(sha256, verdict, asked + refusedMs);
    return verdict;
  };

  return (sha256, ask) =>
    known.recall(sha256) ??
    refused.recall(sha256) ??
    fly(sha256, () => find(sha256, ask)).then((verdict) =>
      verdict === LATE ? new Refusal("identity_unavailable", `no answer within ${timeoutMs} ms`) : verdict,
    );
}
