/** The config's `OWNER_ASSERTION` and `DELEGATION`, validated. */
import { ACTOR_ID, readActorId } from "../../shared/actor-id.ts";
import type { Fields } from "../../shared/config/fields.ts";
import { canonicalId } from "../../shared/uuid.ts";
import type { DelegationRules } from "../initiator/delegation.ts";
import type { DirectoryOptions } from "../initiator/directory.ts";
import type { HttpSignatureKey } from "../initiator/http-signature/keys.ts";
import type { AssertionRules, ListedActor } from "../initiator/rules.ts";
import { readHttpKeys } from "./http-signature-keys.ts";

/** The options of everything that verifies an owner assertion. */
export type VerifierOptions = {
  /** Secrets of signatures in Coder's format; several for rotation. */
  readonly signingKeys: readonly string[];
  /** Keys of HTTP message signatures. */
  readonly httpKeys: readonly HttpSignatureKey[];
  readonly directory: DirectoryOptions | null;
  /** The replay cache's namespace. */
  readonly nonces: DurableObjectNamespace | null;
};

type AssertionContext = {
  /** The value of the secret of that name; null after reporting the issue. */
  readonly secret: (secretName: string) => string | null;
  /** The configured identity sources: the prefixes that an actor's id may have. */
  readonly sources: readonly string[];
  /** The identity sources that verify: those whose ids owners may have. */
  readonly ownerSources: readonly string[];
  readonly nonces: DurableObjectNamespace | null;
};

export type AssertionConfig = { readonly rules: AssertionRules; readonly verifiers: VerifierOptions };

export function readAssertion(fields: Fields, context: AssertionContext): AssertionConfig {
  const allow = fields.oneOf("allow", ["any", "service", "listed", "off"], "any");
  const actors = (fields.texts("actors") ?? []).map((entry) => readListedActor(entry, context.sources));
  if ((allow === "any" || allow === "service") && actors.length > 0)
    fields.reject("actors", 'applies only with allow = "listed"');
  const onInvalid = fields.oneOf("on_invalid", ["ignore", "reject"], "ignore");

  const signature = fields.oneOf("signature", ["off", "accept", "require"], "off");
  const names = fields.texts("signing_keys");
  const signingKeys = fields.secrets("signing_keys", longSecret(context.secret, fields));
  const http = fields.tables("http_signature_keys");
  const httpKeys = readHttpKeys(http, longSecret(context.secret, fields));
  if (signature === "off" && names) fields.reject("signing_keys", "applies only where signature is not off");
  if (signature === "off" && http.length > 0)
    fields.reject("http_signature_keys", "applies only where signature is not off");
  if (signature !== "off" && !names?.length && http.length === 0)
    fields.reject("signing_keys", 'is required unless signature is "off"');
  const once = readReplayCache(fields, signature, context);

  const source = fields.oneOf("source", context.ownerSources, "coder");
  const nested = fields.nested("directory");
  const directory = nested && readDirectory(nested, context.secret);
  fields.rejectUnknown();
  const onDown = directory?.onDown ?? "off";
  const rules = { source, allow, actors, onInvalid, signature, once, directory: onDown } as const;
  const verifiers = { signingKeys, httpKeys, directory: directory?.options ?? null, nonces: context.nonces };
  return { rules, verifiers };
}

/**
 * Without the cache a signature counts again while it is fresh, also with another credential than its own, so signatures
 * that are required are accepted once.
 */
function readReplayCache(
  fields: Fields,
  signature: AssertionRules["signature"],
  { nonces }: AssertionContext,
): boolean {
  const isRequired = signature === "require";
  const once = fields.flag("replay_cache", isRequired);
  if (isRequired && !once) fields.reject("replay_cache", 'must not be false with signature = "require"');
  if (once && signature === "off") fields.reject("replay_cache", "applies only where signature is not off");
  if (once && !nonces)
    fields.reject(
      isRequired ? "signature" : "replay_cache",
      `${isRequired ? '"require" ' : ""}requires NONCES: a Durable Object namespace`,
    );
  return once;
}

type DirectoryRules = { readonly options: DirectoryOptions; readonly onDown: "reject" | "accept" };

function readDirectory(fields: Fields, secret: AssertionContext["secret"]): DirectoryRules | null {
  const url = fields.url("url");
  const token = fields.secret("token", secret);
  const cacheMs = 1000 * fields.count("cache_ttl_s", 0, 86_400, 300);
  const negativeMs = 1000 * fields.count("negative_ttl_s", 0, 86_400, 30);
  const timeoutMs = fields.count("timeout_ms", 1, 60_000, 3000);
  const onDown = fields.oneOf("on_down", ["reject", "accept"], "reject");
  fields.rejectUnknown();
  if (url === null || token === null) return null;
  return { options: { url, token, cacheMs, negativeMs, timeoutMs }, onDown };
}

export function readDelegation(fields: Fields, secret: AssertionContext["secret"]): DelegationRules | null {
  const names = fields.texts("keys");
  if (!names?.length) fields.reject("keys", "is required: no gateway can be verified without it");
  const keys = fields.secrets("keys", headerSecret(secret, fields));
  const text = fields.text("actor") ?? "coder-gateway";
  const actor = readActorId(text);
  if (actor === null) fields.reject("actor", `must match ${ACTOR_ID.source} and must not start with "byok:"`);
  fields.rejectUnknown();
  return actor === null ? null : { keys, actor };
}

/** 128 bits in hexadecimal: a shorter secret could be guessed. */
const MIN_SECRET = 32;
/** 32 random hexadecimal digits have as many but for once in a billion times. */
const MIN_DISTINCT = 6;

export function longSecret(
  secret: AssertionContext["secret"],
  { report }: Fields,
): AssertionContext["secret"] {
  return (name) => {
    const value = secret(name);
    if (value === null) return null;
    if (value.length < MIN_SECRET) report(name, `must have at least ${MIN_SECRET} characters`);
    else if (new Set(value).size < MIN_DISTINCT)
      report(name, "must be random: it has too few different characters");
    else return value;
    return null;
  };
}

/** A secret that is sent in a header, where a comma would separate two values. */
function headerSecret(secret: AssertionContext["secret"], fields: Fields): AssertionContext["secret"] {
  const long = longSecret(secret, fields);
  return (name) => {
    const value = long(name);
    if (value === null || /^[\x21-\x2b\x2d-\x7e]{1,1024}$/.test(value)) return value;
    fields.report(name, "must be at most 1,024 visible ASCII characters without commas");
    return null;
  };
}

/**
 * One entry of `OWNER_ASSERTION.actors`: an id, or a source's name, a colon and an id. Ids may hold colons themselves, so
 * only the name of a configured source counts as a prefix. The fingerprint form (`byok:…`) belongs to its source: the same text
 * from another source does not match.
 */
function readListedActor(entry: string, sources: readonly string[]): ListedActor {
  const colon = entry.indexOf(":");
  const prefix = entry.slice(0, Math.max(0, colon));
  if (prefix === "byok") return { id: entry, source: prefix };
  if (sources.includes(prefix)) return { id: canonicalId(entry.slice(colon + 1)), source: prefix };
  return { id: canonicalId(entry), source: null };
}
