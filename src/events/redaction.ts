/**
 * What stands between content and every record: secrets are taken out of a text before it is recorded anywhere, then it
 * is cut. Receives text that a caller or a model wrote, hands on text with each secret replaced by `[redacted:<kind>]`.
 *
 * It finds what looks like a secret by its form. A password in a sentence has no form; see SECURITY.md.
 */

export type Redact = (text: string) => string;

/** So many characters of one prompt, input, thought or message are recorded. */
export const MAX_CONTENT = 16_384;
/** A secret that begins before the cut is found if it ends within so many characters after it. */
const MARGIN = 4096;
/** So many are looked at; a text of this length may have been cut already (`MAX_TEXT` in `provider/answer.ts`). */
const TAKEN = MAX_CONTENT + MARGIN;

/**
 * Before a secret stands no letter or digit, unless it belongs to an escape: a tool's input is JSON as the model wrote it,
 * where a key on a line of its own follows the `n` of a `\n`, and in a URL it follows a `%3D`.
 */
const APART = String.raw`(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt]|\\u[\da-fA-F]{4}|%[\da-fA-F]{2}))`;

/** Between a scheme and its token, in a header, in JSON, in a URL. */
const BLANKS = String.raw`(?:[ \t]|\\t|%20)+`;
/** The same over a folded line, in a form, in settings: only before what holds a digit. */
const WIDE = String.raw`(?:[\s:=+]|\\[nrt]|%20|%3[ADad])+(?=[\w.~+/-]{0,64}\d)`;

/** OpenAI, Anthropic, OpenRouter (sk-…), this gateway (aei_…), GitHub, GitLab, Slack, AWS, Google, xAI, Groq, Hugging Face. */
const PROVIDER_KEYS = [
  // Not `sk-learn-contrib-extras`: a key has a digit or a capital, and soon, or is longer than words are.
  String.raw`sk-(?=[\w-]{0,80}[\dA-Z]|\w{24})[\w-]{16,}`,
  String.raw`aei_[\w-]{16,}`,
  String.raw`gh[pousr]_\w{20,}`,
  String.raw`github_pat_\w{20,}`,
  String.raw`glpat-[\w-]{16,}`,
  String.raw`xox[a-z]-[\w-]{10,}`,
  String.raw`(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])`,
  String.raw`AIza[\w-]{30,}`,
  String.raw`xai-[A-Za-z0-9]{20,}`,
  // Without `_`, as the names of functions begin like these too.
  String.raw`(?:gsk|hf)_[A-Za-z0-9]{20,}`,
];

/** Vercel, NVIDIA, Perplexity, Google's access tokens. By themselves: a longer list above makes all of it ten times as dear. */
const FURTHER_KEYS = String.raw`(?:vck_|nvapi-|pplx-|ya29\.)[\w.-]{20,}`;

/**
 * A key without a form of its own (Azure's, AWS's secret one), by the name that stands `before` it. Forwards from the name:
 * looked for backwards from each place where a key could begin, it would cost ten times as much.
 */
const NAMED_KEY =
  /(?<before>(?:(?:api|access|subscription)[-_ ]?key|(?:access|auth)[-_ ]?token)(?:\\{0,3}["'])?(?:\s{0,8}[:=]\s{0,8}|\s{1,8})(?:\\{0,3}["'])?)(?=[\w.~+/-]{0,64}\d)[\w.~+/-]{20,}=*/gi;

/**
 * What to take out. Where a text does not have `needle` in it, the form need not be looked for. Of what it finds, `keeps`
 * stays.
 */
export type SecretPattern = {
  readonly kind: string;
  readonly form: RegExp;
  readonly needle?: string;
  readonly keeps?: string;
};

/**
 * What is taken out without being told; `npm run secrets` looks for the same in this repository. Each is linear in the
 * text's length: what a form scans to the end of a run of characters, it begins only once in that run.
 */
export const BUILT_IN_PATTERNS: readonly SecretPattern[] = [
  // PEM (RFC 7468) and SSH2's form of it, to its end line or, where that was cut off, to the end of the text.
  {
    kind: "private_key",
    form: /-----? ?BEGIN (?:[A-Z\d]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)? ?-----?[^]*?(?:-----? ?END (?:[A-Z\d]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)? ?-----?|$)/g,
  },
  // Three parts, or five where it is encrypted (RFC 7519 §3). Begins with its run of characters, escapes apart: begun at
  // each `eyJ` in it, a run of `eyJ-eyJ-…` would be scanned as often as it has any.
  {
    kind: "jwt",
    needle: "eyJ",
    form: /(?:(?<![\w\\-])|(?<=\\[bfnrt"/\\]|\\u[\da-fA-F]{4}))(?=[\w-]+\.[\w-]*\.)[\w-]*?eyJ[\w-]{8,}\.[\w-]*\.[\w-]*(?:\.[\w-]+){0,2}/g,
  },
  // After `token` only what holds a digit or a capital: people write of token internationalization.
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

/** `patterns`: further forms, the operator's own. They must be as linear as ours: a text may be 20,000 characters. */
export function createRedactor(patterns: readonly RegExp[]): Redact {
  const own = patterns.map((form) => ({ kind: "pattern", form: new RegExp(form.source, withG(form.flags)) }));
  const forms: readonly SecretPattern[] = [...BUILT_IN_PATTERNS, ...own];
  return (text) => forms.reduce(without, text);
}

function without(text: string, { kind, form, needle, keeps = "" }: SecretPattern): string {
  if (needle !== undefined && !text.includes(needle)) return text;
  return text.replace(form, `${keeps}[redacted:${kind}]`);
}

function withG(flags: string): string {
  return flags.includes("g") ? flags : `${flags}g`;
}

/** What is recorded of a text: redacted, then cut between characters. */
export function toRecordedContent(
  text: string,
  redact: Redact,
): { readonly text: string; readonly truncated: boolean } {
  const clean = redact(text.slice(0, TAKEN));
  const wasCut = text.length >= TAKEN;
  const end = Math.min(MAX_CONTENT, wasCut ? knownLength(clean) : clean.length);
  if (end === clean.length) return { text: clean, truncated: wasCut };
  // Not through the middle of a surrogate pair.
  const last = clean.charCodeAt(end - 1);
  return { text: clean.slice(0, last >= 0xd800 && last <= 0xdbff ? end - 1 : end), truncated: true };
}

/**
 * How much of a text that was cut is known to be clean. At its end may stand a piece of a secret that has no form any
 * more; where much was taken out before, that end would come to stand before our own cut.
 */
function knownLength(clean: string): number {
  const marker = clean.lastIndexOf("[redacted:");
  const markerEnd = marker < 0 ? 0 : clean.indexOf("]", marker) + 1;
  return Math.max(markerEnd, clean.length - MARGIN);
}
