/** The config's `OWNER_ASSERTION` and `DELEGATION`, checked: whose word counts for an owner, and what else is asked. */
import type { Fields } from "../../shared/config-fields.ts";
import type { DelegationRules } from "../initiator/delegation.ts";
import type { DirectoryOptions } from "../initiator/directory.ts";
import type { AssertionRules, ListedActor } from "../initiator/rules.ts";
import { canonicalId } from "../../shared/uuid.ts";

/** What those who can be asked about an owner are made of. */
export type VerifierOptions = {
  /** Secrets of signatures; several for rotation. */
  readonly signingKeys: readonly string[];
  readonly directory: DirectoryOptions | null;
  /** The replay cache. */
  readonly nonces: DurableObjectNamespace | null;
};

type AssertionContext = {
  /** The value of the secret of that name; null after reporting what is wrong with it. */
  readonly secret: (secretName: string) => string | null;
  /** Sources that vouch for actors here: what may stand before an actor's id. */
  readonly sources: readonly string[];
  readonly nonces: DurableObjectNamespace | null;
};

export type AssertionConfig = { readonly rules: AssertionRules; readonly verifiers: VerifierOptions };

export function readAssertion(fields: Fields, given: AssertionContext): AssertionConfig {
  const wrong = (key: string, problem: string): void => fields.report(`${fields.path}.${key}`, problem);
  const allow = fields.oneOf("allow", ["any", "service", "listed", "off"], "any");
  const actors = (fields.texts("actors") ?? []).map((entry) => readListedActor(entry, given.sources));
  if ((allow === "any" || allow === "service") && actors.length > 0)
    wrong("actors", 'counts only with allow = "listed"');
  const onInvalid = fields.oneOf("on_invalid", ["ignore", "reject"], "ignore");

  const signature = fields.oneOf("signature", ["off", "accept", "require"], "off");
  const names = fields.texts("signing_keys");
  const signingKeys = fields.secrets("signing_keys", longSecret(given.secret, fields));
  if (signature === "off" && names) wrong("signing_keys", "counts only where signature is not off");
  if (signature !== "off" && !names?.length) wrong("signing_keys", "is missing: no signature could be good");
  const once = fields.flag("replay_cache", false);
  if (once && signature === "off") wrong("replay_cache", "counts only where signature is not off");
  if (once && !given.nonces) wrong("replay_cache", "needs NONCES: a Durable Object namespace");

  const inner = fields.nested("directory");
  const directory = inner && readDirectory(inner, given.secret);
  fields.rejectUnknown();
  const rules = { allow, actors, onInvalid, signature, once, directory: directory?.onDown ?? "off" } as const;
  return { rules, verifiers: { signingKeys, directory: directory?.options ?? null, nonces: given.nonces } };
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

/** At most 96 bytes, so that every id fits an Analytics Engine index whole. */
const ACTOR_ID = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,95}$/;

/** null after reporting what is wrong. */
export function readDelegation(fields: Fields, secret: AssertionContext["secret"]): DelegationRules | null {
  const wrong = (key: string, problem: string): void => fields.report(`${fields.path}.${key}`, problem);
  const names = fields.texts("keys");
  if (!names?.length) wrong("keys", "is missing: no gateway could be known");
  const keys = fields.secrets("keys", headerSecret(secret, fields));
  const actor = fields.text("actor") ?? "coder-gateway";
  if (!ACTOR_ID.test(actor) || /^byok:/i.test(actor)) wrong("actor", `is not an id (${ACTOR_ID.source})`);
  fields.rejectUnknown();
  return { keys, actor: canonicalId(actor) };
}

/** As many characters as 128 bits have in hexadecimal: what is shorter could be guessed. */
const MIN_SECRET = 32;

function longSecret(
  secret: AssertionContext["secret"],
  { report: problems }: Fields,
): AssertionContext["secret"] {
  return (name) => {
    const value = secret(name);
    if (value === null || value.length >= MIN_SECRET) return value;
    problems(name, `is shorter than ${MIN_SECRET} characters`);
    return null;
  };
}

/** One that is sent in a header, where a comma would make two of it. */
function headerSecret(secret: AssertionContext["secret"], fields: Fields): AssertionContext["secret"] {
  const long = longSecret(secret, fields);
  return (name) => {
    const value = long(name);
    if (value === null || /^[\x21-\x2b\x2d-\x7e]{1,1024}$/.test(value)) return value;
    fields.report(name, "holds a comma, blanks or other characters that no such key has, or too many");
    return null;
  };
}

/**
 * One entry of `OWNER_ASSERTION.actors`: an id, or a source's name, a colon and an id. Ids may hold colons themselves, so
 * only a source that is configured is taken for one. A fingerprint (`byok:…`) is its source's by its very form: the same
 * text from another source is not it.
 */
function readListedActor(entry: string, sources: readonly string[]): ListedActor {
  const colon = entry.indexOf(":");
  const prefix = entry.slice(0, Math.max(0, colon));
  if (prefix === "byok") return { id: entry, source: prefix };
  if (sources.includes(prefix)) return { id: canonicalId(entry.slice(colon + 1)), source: prefix };
  return { id: canonicalId(entry), source: null };
}
