/**
 * Redacts and truncates content before any sink records it. Each secret in a text of the caller or the model is replaced
 * by `[redacted:<kind>]`.
 *
 * Secrets are recognized by their form. A password within a sentence has none and is not found; see docs/threat-model.md.
 */
import type { SecretFinder } from "../shared/secret-finder.ts";
import { truncate } from "../shared/text.ts";

export type Redact = (text: string) => string;

/** The maximum number of characters recorded of one prompt, input, thought or message. */
export const MAX_CONTENT = 16_384;
/** A secret that begins before the cut is found if it ends within this many characters after it. */
const MARGIN = 4096;
/** Characters that are searched. A text of this length may be truncated already (`MAX_TEXT`, bounded-text.ts). */
const TAKEN = MAX_CONTENT + MARGIN;

/**
 * A secret does not follow a letter or digit, unless that ends an escape. A tool's input is JSON as the model wrote it: a
 * key at the start of a line follows the `n` of a `\n`, and in a URL a key can follow a `%3D`.
 */
const APART = String.raw`(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt]|\\u[\da-fA-F]{4}|%[\da-fA-F]{2}))`;

/** The blanks between a scheme and its token in a header, in JSON or in a URL. */
const BLANKS = String.raw`(?:[ \t]|\\t|%20)+`;
/** The same in a folded line, a form or a settings file. The token must then hold a digit. */
const WIDE = String.raw`(?:[\s:=+]|\\[nrt]|%20|%3[ADad])+(?=[\w.~+/-]{0,64}\d)`;

/** OpenAI, Anthropic, OpenRouter (sk-…), this gateway (aei_…), GitHub, GitLab, Slack, AWS, Google, xAI, Groq, Hugging Face. */
const PROVIDER_KEYS = [
  // A key has an early digit or capital, or is longer than words are: `sk-learn-contrib-extras` is not one.
  String.raw`sk-(?=[\w-]{0,80}[\dA-Z]|\w{24})[\w-]{16,}`,
  String.raw`aei_[\w-]{16,}`,
  String.raw`gh[pousr]_\w{20,}`,
  String.raw`github_pat_\w{20,}`,
  String.raw`glpat-[\w-]{16,}`,
  String.raw`xox[a-z]-[\w-]{10,}`,
  String.raw`(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])`,
  String.raw`AIza[\w-]{30,}`,
  String.raw`xai-[A-Za-z0-9]{20,}`,
  // Without `_`: names of functions have the same prefixes.
  String.raw`(?:gsk|hf)_[A-Za-z0-9]{20,}`,
];

/** Vercel, NVIDIA, Perplexity, Google's access tokens. Within the list above they would make it ten times slower. */
const FURTHER_KEYS = String.raw`(?:vck_|nvapi-|pplx-|ya29\.)[\w.-]{20,}`;

/**
 * A key without a form of its own (Azure's keys, AWS's secret key) is recognized by the name `before` it. The pattern begins
 * with the name: a lookbehind from every possible start of a key is ten times slower.
 */
const NAMED_KEY =
  /(?<before>(?:(?:api|access|subscription)[-_ ]?key|(?:access|auth)[-_ ]?token)(?:\\{0,3}["'])?(?:\s{0,8}[:=]\s{0,8}|\s{1,8})(?:\\{0,3}["'])?)(?=[\w.~+/-]{0,64}\d)[\w.~+/-]{20,}=*/gi;

/**
 * A kind of secret. A text without `needle` cannot match `form`, which saves the search. `keeps` is the part of the match
 * that stays in the text.
 */
export type SecretPattern = {
  readonly kind: string;
  readonly form: RegExp;
  readonly needle?: string;
  readonly keeps?: string;
};

/**
 * The patterns that are always redacted; `npm run secrets` searches this repository for the same. Each takes time linear in
 * the text's length: a form that scans to the end of a run of characters begins only once in that run.
 */
export const BUILT_IN_PATTERNS: readonly SecretPattern[] = [
  // PEM (RFC 7468) and SSH2's variant, up to the end line or, where that was cut off, the end of the text.
  {
    kind: "private_key",
    form: /-----? ?BEGIN (?:[A-Z\d]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)? ?-----?[^]*?(?:-----? ?END (?:[A-Z\d]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)? ?-----?|$)/g,
  },
  // Three parts, or five where it is encrypted (RFC 7519 §3). A match begins at the start of a run of characters or after
  // an escape. If it could begin at each `eyJ`, a run of `eyJ-eyJ-…` would take quadratic time.
  {
    kind: "jwt",
    needle: "eyJ",
    form: /(?:(?<![\w\\-])|(?<=\\[bfnrt"/\\]|\\u[\da-fA-F]{4}))(?=[\w-]+\.[\w-]*\.)[\w-]*?eyJ[\w-]{8,}\.[\w-]*\.[\w-]*(?:\.[\w-]+){0,2}/g,
  },
  // After `token` a digit or a capital is required: "token internationalization" is prose.
  {
    kind: "bearer",
    form: new RegExp(
      String.raw`${APART}(?:[Bb][Ee][Aa][Rr][Ee][Rr](?:${BLANKS}|${WIDE})|[Tt][Oo][Kk][Ee][Nn]${BLANKS}(?=[\w.~+/-]*[\dA-Z]))[\w.~+/-]{16,}=*`,
      "g",
    ),
  },
  { kind: "provider_key", form: new RegExp(`${APART}(?:${PROVIDER_KEYS.join("|")})`, "g") },
  { kind: "provider_key", form: new RegExp(`${APART}${FURTHER_KEYS}`, "g") },
  { kind: "provider_key", form: NAMED_KEY, keeps: "$<before>" },
];

/**
 * `patterns`: the operator's patterns. They too should take linear time: a text may have 20,000 characters. `secrets`: the
 * configured secrets, which are redacted whatever their form.
 */
export function createRedactor(patterns: readonly RegExp[], secrets: SecretFinder | null = null): Redact {
  const own = patterns.map((form) => ({ kind: "pattern", form: new RegExp(form.source, withG(form.flags)) }));
  const forms: readonly SecretPattern[] = [...BUILT_IN_PATTERNS, ...own];
  return (text) => forms.reduce(without, secrets?.redact(text) ?? text);
}

function without(text: string, { kind, form, needle, keeps = "" }: SecretPattern): string {
  if (needle !== undefined && !text.includes(needle)) return text;
  return text.replace(form, `${keeps}[redacted:${kind}]`);
}

function withG(flags: string): string {
  return flags.includes("g") ? flags : `${flags}g`;
}

/** Redacts the text, then truncates it between characters. */
export function toRecordedContent(
  text: string,
  redact: Redact,
): { readonly text: string; readonly truncated: boolean } {
  const clean = redact(text.slice(0, TAKEN));
  const wasCut = text.length >= TAKEN;
  const end = Math.min(MAX_CONTENT, wasCut ? knownLength(clean) : clean.length);
  if (end === clean.length) return { text: clean, truncated: wasCut };
  return { text: truncate(clean, end), truncated: true };
}

/**
 * The length of a truncated text's beginning that is known to be clean. A piece of a secret at the end of the searched text
 * no longer has a recognizable form. Long redactions before it would move that piece in front of the recording limit.
 */
function knownLength(clean: string): number {
  const marker = clean.lastIndexOf("[redacted:");
  const markerEnd = marker < 0 ? 0 : clean.indexOf("]", marker) + 1;
  return Math.max(markerEnd, clean.length - MARGIN);
}
