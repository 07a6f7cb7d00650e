/**
 * The contract of an identity source: who holds the credential. One file per source implements it; `wiring.ts` lists
 * them, `IDENTITY` in the config orders them.
 */
import { Refusal } from "../refusal.ts";
import type { Credential } from "./credential.ts";

export type ActorKind = "user" | "service" | "unknown";

/** Who really called: the holder of the credential. */
export type Actor = {
  readonly id: string;
  readonly kind: ActorKind;
  readonly name: string | null;
  /** The source that vouches for it. */
  readonly source: string;
  /** Whether the source verified it; if not, the id is but a fingerprint of the key that was sent. */
  readonly verified: boolean;
  /** The credential's id: a prefix of its SHA-256. */
  readonly keyId: string;
  /** What the credential itself says of the right to assert owners; null leaves it to the config. */
  readonly mayAssert: boolean | null;
};

/** null: the credential is none of this source's. A refusal: it is, and it is not accepted; no other source is asked. */
export type Identify = (credential: Credential) => Promise<Actor | Refusal | null> | Actor | Refusal | null;

/** Collects everything wrong with a config, each with the path of its key. */
export type Problems = (path: string, problem: string) => void;

export type IdentitySource = {
  readonly source: string;
  /** Verifies the credential; without any that does, `byok` alone could spend a central key. */
  readonly verifies: boolean;
  /** Checks the options of its entry in `IDENTITY` and reads its secrets, reporting all that is wrong. */
  readonly configure: (
    options: Readonly<Record<string, unknown>>,
    secret: (name: string) => string | null,
    problems: Problems,
  ) => Identify;
};

/** A source with its options read. */
export type ConfiguredSource = { readonly verifies: boolean; readonly identify: Identify };

/**
 * Asks the sources in their order; the first that knows the credential decides, and `credential_unknown` where none
 * does. A governance token is for sources that verify: only where there is none of those is it left aside, and the
 * client's own key taken for what it is.
 */
export async function identify(
  credential: Credential,
  sources: readonly ConfiguredSource[],
): Promise<Actor | Refusal> {
  const verified = credential.governed && sources.some((source) => source.verifies);
  for (const source of sources) {
    if (verified && !source.verifies) continue;
    const answer = await source.identify(credential);
    if (answer !== null) return answer;
  }
  return new Refusal("credential_unknown");
}
