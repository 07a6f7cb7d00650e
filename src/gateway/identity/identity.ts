/**
 * The contract of an identity source, which verifies a credential and returns the actor that holds it. Each source is
 * one file; `wiring.ts` lists them, and `IDENTITY` in the configuration sets their order.
 */
import type { ActorKind } from "../../events/vocabulary.ts";
import type { Claims } from "../../shared/claims.ts";
import type { ReportIssue, Table } from "../../shared/config/fields.ts";
import type { LogOperatorEvent } from "../../shared/operator-log.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { AcceptedCredentials, Credential } from "./credential.ts";

/** The holder of the credential that authenticated the request. */
export type Actor = {
  /** Unique within its source only. Two sources may use one id for different actors, so both fields are recorded. */
  readonly id: string;
  readonly kind: ActorKind;
  readonly name: string | null;
  /** The source that identified the actor. */
  readonly source: string;
  /** Whether the source verified the credential. If not, the id is only a fingerprint of the key that was sent. */
  readonly verified: boolean;
  /** The credential's id: a prefix of its SHA-256. */
  readonly keyId: string;
  /** Whether the credential itself allows or denies owner assertions; null leaves the decision to the configuration. */
  readonly mayAssert: boolean | null;
  /** The claims of the verified token, of a source that has them. */
  readonly claims?: Claims;
  /** Where the credential itself says for whom the actor acts: a token with an `act` claim. */
  readonly onBehalfOf?: OnBehalfOf;
};

export type OnBehalfOf = {
  /** The id of the one that the actor acts for, in the actor's source. */
  readonly subject: string;
  readonly name: string | null;
  /** The acting parties' ids, at most five: the actor, then the party that acted before it, and so on. */
  readonly chain: readonly string[];
};

/**
 * Identifies the holder of a credential.
 * @returns the actor; null if the source does not recognize the credential; a `Refusal` if the source rejects it or
 * cannot verify it now. After a `Refusal`, later sources are not tried.
 */
export type Identify = (credential: Credential) => Promise<Actor | Refusal | null>;

/** Reads and checks the options of an entry in `IDENTITY`. Options that no reader requests are reported as unknown. */
export type SourceOptions = {
  /** A required string. */
  required(key: string): string | null;
  /** A required string, or a list of at least one. */
  requiredTexts(key: string): readonly string[];
  text(key: string): string | null;
  texts(key: string): readonly string[] | null;
  /** A required URL, returned without a trailing slash. */
  url(key: string): string | null;
  oneOf<T extends string>(key: string, allowed: readonly T[], fallback: T): T;
  /** A table within this one; null if it is absent or is not a table. */
  nested(key: string): { readonly table: Table } | null;
  /** An integer from `min` to `max`. */
  count(key: string, min: number, max: number, fallback: number): number;
};

/** Everything outside of a source that it may use. */
export type SourceDeps = {
  readonly fetch: typeof fetch;
  readonly now: () => number;
  /** For errors that only the operator can fix. */
  readonly logError: LogOperatorEvent;
};

export type SourceSetup = {
  readonly options: SourceOptions;
  /** A secret; null if it is unusable or missing. A missing secret is reported unless it is optional. */
  readonly secret: (name: string, need?: "needed" | "optional") => string | null;
  /** A binding, recognized by a method that only its kind has; null after reporting what is wrong with it. */
  readonly binding: <T extends object>(name: string, method: keyof T & string, kind: string) => T | null;
  readonly report: ReportIssue;
  readonly deps: SourceDeps;
};

export type IdentitySource = {
  readonly source: string;
  /** Whether it verifies credentials. Central keys require a source that does, because `byok` accepts any key. */
  readonly verifies: boolean;
  /** Reads the options of the source's entry in `IDENTITY`, its secrets and bindings, and reports every issue. */
  readonly configure: (setup: SourceSetup) => SourceInstance;
};

/** A source with its options read. */
export type SourceInstance = AcceptedCredentials & { readonly identify: Identify };

/** The same with whether it verifies, as the app uses it. */
export type ConfiguredSource = SourceInstance & { readonly verifies: boolean };

/**
 * Tries the sources in their order. The first one that recognizes the credential decides.
 *
 * If an identity header is present, sources that do not verify are skipped, so that an invalid token cannot fall back to
 * the provider key sent with it. If no source verifies, the header is ignored.
 * @returns `invalid_credential` if no source recognizes the credential.
 */
export async function identify(
  credential: Credential,
  sources: readonly ConfiguredSource[],
): Promise<Actor | Refusal> {
  const mustVerify = credential.hasIdentityHeader && sources.some((source) => source.verifies);
  for (const source of sources) {
    if (mustVerify && !source.verifies) continue;
    const result = await source.identify(credential);
    if (result !== null) return result;
  }
  return new Refusal("invalid_credential");
}
