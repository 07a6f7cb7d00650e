/**
 * The contract of an identity source: who holds the credential. One file per source implements it; `wiring.ts` lists
 * them, `IDENTITY` in the config orders them.
 */
import { Refusal } from "../../shared/refusal.ts";
import type { Credential, Secret } from "./credential.ts";

export type ActorKind = "user" | "service" | "unknown";

/** Who really called: the holder of the credential. */
export type Actor = {
  /** One of its source's ids: another source may give the same to somebody else, so both are recorded. */
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

/**
 * null: the credential is none of this source's. A refusal: it is, and it is not accepted, or whether it is could not be
 * found out; no other source is asked.
 */
export type Identify = (credential: Credential) => Promise<Actor | Refusal | null> | Actor | Refusal | null;

/** Collects everything wrong with a config, each with the path of its key. */
export type ReportIssue = (path: string, problem: string) => void;

/** Reads the options of an entry in `IDENTITY`, each checked as it is read; those that nobody reads are refused. */
export type SourceOptions = {
  /** A text that must be there. */
  required(key: string): string | null;
  /** One text or several; there must be one. */
  requiredTexts(key: string): readonly string[];
  text(key: string): string | null;
  texts(key: string): readonly string[] | null;
  /** An address to call, without a slash at its end; it must be there. */
  url(key: string): string | null;
  oneOf<T extends string>(key: string, allowed: readonly T[], otherwise: T): T;
  /** A whole number from `least` to `most`. */
  count(key: string, least: number, most: number, otherwise: number): number;
};

/** What a source may touch of the world. */
export type SourceDeps = {
  readonly fetch: typeof fetch;
  readonly now: () => number;
  /** For what only the operator can mend. */
  readonly logError: (line: string) => void;
};

export type SourceSetup = {
  readonly options: SourceOptions;
  /** A secret; null where it is unusable, or missing (which is reported unless it is optional). */
  readonly secret: (name: string, whether?: "needed" | "optional") => string | null;
  /** The binding that an option names, known by a method that only its kind has; null after reporting what is wrong. */
  readonly binding: <T extends object>(name: string, method: keyof T & string, kind: string) => T | null;
  readonly report: ReportIssue;
  readonly deps: SourceDeps;
};

export type IdentitySource = {
  readonly source: string;
  /** Verifies the credential; without any that does, `byok` alone could spend a central key. */
  readonly verifies: boolean;
  /** Reads the options of its entry in `IDENTITY`, its secrets and bindings, reporting all that is wrong. */
  readonly configure: (setup: SourceSetup) => SourceInstance;
};

export type SourceInstance = {
  readonly identify: Identify;
  /** The secret is one that this source judges: nobody's provider key, and sent to none. */
  readonly recognizes: (secret: Secret) => boolean;
  /**
   * Judges what Cloudflare Access put before the request, which is trusted nowhere else. `ownKeyYields`: the client's own
   * provider key then goes upstream only where the gateway has none.
   */
  readonly assertion?: { readonly ownKeyYields: boolean };
};

/** A source with its options read. */
export type ConfiguredSource = SourceInstance & { readonly verifies: boolean };

/**
 * Asks the sources in their order; the first that knows the credential decides, and `invalid_credential` where none
 * does. A credential in a header of its own is for sources that verify: only where there is none of those is it left
 * aside, and the client's own key taken for what it is.
 */
export async function identify(
  credential: Credential,
  sources: readonly ConfiguredSource[],
): Promise<Actor | Refusal> {
  const verified = credential.hasIdentityHeader && sources.some((source) => source.verifies);
  for (const source of sources) {
    if (verified && !source.verifies) continue;
    const answer = await source.identify(credential);
    if (answer !== null) return answer;
  }
  return new Refusal("invalid_credential");
}
