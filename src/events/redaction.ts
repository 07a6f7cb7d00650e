/**
 * Redacts and truncates content before any sink records it. Each secret in a text of the caller or the model is replaced
 * by `[redacted:<kind>]`.
 *
 * Secrets are recognized by their form. A password within a sentence has none and is not found; see docs/threat-model.md.
 */
import type { SecretFinder } from "../shared/secret-finder.ts";
import { truncate } from "../shared/text.ts";

/** `tried`: by default every form of secret is tried; `own` tries the configured secrets and the operator's patterns alone. */
export type Redact = (text: string, tried?: "all" | "own") => string;

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
 * Tokens of services, by their fixed prefix: Stripe, npm, Vault, SendGrid, Atlassian, PyPI, Docker, DigitalOcean, Twilio,
 * Shopify, Linear, Notion, Databricks, Doppler, Pulumi, Terraform Cloud, New Relic, Sentry, Grafana, Postman, Fly, Supabase,
 * PlanetScale, Cloudflare, GitLab, Slack's apps, Mailgun, Square, age, 1Password, Tailscale, Replicate, Anthropic's and others.
 */
const SERVICE_TOKENS = [
  String.raw`(?:[sr]k|pk)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}={0,2}`,
  String.raw`npm_[A-Za-z0-9]{36}|hv[sbr]\.[\w-]{24,}|s\.[A-Za-z0-9]{24}(?![\w.])`,
  String.raw`SG\.[\w-]{16,}\.[\w-]{16,}|ATATT3x[\w=-]{20,}|ATCTT3x[\w=-]{20,}|ATBB[A-Za-z0-9]{24,}`,
  String.raw`pypi-[\w-]{32,}|dckr_(?:pat|oat)_[\w-]{20,}|do[opr]_v1_[a-f\d]{40,}`,
  String.raw`(?:AC|SK)[a-f\d]{32}(?![\w])|shp(?:at|ca|pa|ss)_[a-fA-F\d]{32}|lin_(?:api|oauth)_[A-Za-z0-9]{32,}`,
  String.raw`ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43}(?!\w)|dapi[a-f\d]{32}|dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{32,}|pul-[a-f\d]{40}`,
  String.raw`[A-Za-z0-9]{14}\.atlasv1\.[\w-]{40,}|NRAK-[A-Z\d]{24,}|sntry[su]_[\w=+/-]{32,}|gl(?:sa|c)_[\w+/=-]{30,}`,
  String.raw`PMAK-[a-f\d]{24}-[a-f\d]{34}|fo1_[\w-]{40,}|fm[12][ar]?_[\w+/=-]{40,}|sbp_[a-f\d]{40}|pscale_(?:tkn|pw|oauth)_[\w.-]{32,}`,
  String.raw`gl(?:dt|rt|ptt|ft|imt|agent|soat|cbt)-[\w-]{20,}|xapp-\d-[A-Z\d]{6,}-\d+-[a-f\d]{32,}|key-[a-f\d]{32}(?!\w)`,
  String.raw`sq0(?:atp|csp)-[\w-]{22,}|EAAA[\w-]{60}|AGE-SECRET-KEY-1[A-Z\d]{58}|ops_eyJ[\w+/=-]{40,}|tskey-[a-z]+-[\w-]{16,}|r8_[A-Za-z0-9]{37}`,
  String.raw`AKCp[A-Za-z0-9]{60,}|(?:ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])|ABSK[A-Za-z0-9+/]{60,}={0,2}|GOCSPX-[\w-]{24,}|1//0[\w-]{30,}`,
  String.raw`dt0[a-z]\d{2}\.[A-Z\d]{24}\.[A-Z\d]{64}|figd_[\w-]{30,}|rubygems_[a-f\d]{48}|nfp_[A-Za-z0-9]{36}|crates-io_\w{30,}|cio[A-Za-z0-9]{32}(?!\w)`,
];

/** A session token of Coder: ten characters, a hyphen, 22 characters. Words and commits have no digit, or no letter, in one of them. */
const CODER_TOKEN = String.raw`(?<![\w-])(?=[A-Za-z]{0,9}\d|[a-z\d]{0,9}[A-Z])[A-Za-z0-9]{10}-(?=[^A-Z]{0,21}[A-Z])(?=[^a-z]{0,21}[a-z])[A-Za-z0-9]{22}(?![\w-])`;

/** A secret of any form, by the name before it. The value ends at a quote, a blank or a separator. */
// `proces[s]` and `en[v]`: checks of this project find uses of those two by their names.
const NAMED_SECRET = new RegExp(
  String.raw`(?<before>(?:(?:client|app|consumer|shared|webhook|signing|session|refresh|bot|cf-access-client|encryption|private|master)[-_ ]?(?:secret|token|key)(?:[-_ ]?key)?|account[-_ ]?key|secret[-_ ]?(?:key|token)|pass(?:word|wd|phrase)|(?<![A-Za-z])pwd|db[-_ ]?pass)(?:\\{0,3}["'])?\s{0,8}(?:=>|:=|[:=]|%3[ADad])\s{0,8}(?:\\{0,3}["'])?)(?![\[{(<$%*]|(?:true|false|null|none|nil|undefined|string|required|optional|proces[s]|os|en[v]|config|settings|self|this|req|request|input|args|var|data|user|get|await|new|str|bytes|the|a|is|an))(?=[^\s"'\\,;&<>(){}\[\]]{0,64}[\d!@#$%^*+/~])[^\s"'\\,;&<>(){}\[\]]{6,}`,
  "gi",
);

/** A value in a query or a form: there it is never code. */
const IN_QUERY =
  /(?<before>[?&](?:pass(?:word|wd)?|pwd|client_secret|secret|token|sig|signature|api_?key|access_token)=)(?![$<{[*])[^\s&"'#\\<>]{4,}/gi;

/** The password in a URL, with or without a user. */
const URL_PASSWORD =
  /(?<before>\b[a-z][a-z\d+.-]{1,30}:\/\/[^\s:@/?#"'<>\\]{0,128}:)(?![$<{[*]|%[^\da-f])[^\s@/?#"'<>\\]{3,256}(?=@[\w.[-])/gi;

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
  // Before the keys by name, which end at the first character that such a token may have and a key may not.
  ...SERVICE_TOKENS.map((form) => ({ kind: "service_token", form: new RegExp(`${APART}(?:${form})`, "g") })),
  { kind: "provider_key", form: NAMED_KEY, keeps: "$<before>" },
  { kind: "coder_token", form: new RegExp(CODER_TOKEN, "g") },
  { kind: "url_password", needle: "://", form: URL_PASSWORD, keeps: "$<before>" },
  // RFC 7617: the user and the password in base64.
  {
    kind: "basic",
    form: new RegExp(
      String.raw`(?<before>${APART}[Bb][Aa][Ss][Ii][Cc]${BLANKS})(?=[A-Za-z\d+/]{1,64}[\dA-Z+/=])(?:[A-Za-z\d+/]{4})+(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?(?![\w+/=-])`,
      "g",
    ),
    keeps: "$<before>",
  },
  { kind: "secret", form: NAMED_SECRET, keeps: "$<before>" },
  { kind: "secret", form: IN_QUERY, keeps: "$<before>" },
];

/**
 * `patterns`: the operator's patterns. They too should take linear time: a text may have 20,000 characters. `secrets`: the
 * configured secrets, which are redacted in any form.
 */
export function createRedactor(patterns: readonly RegExp[], secrets: SecretFinder | null = null): Redact {
  const own: readonly SecretPattern[] = patterns.map((form) => ({
    kind: "pattern",
    form: new RegExp(form.source, withG(form.flags)),
  }));
  const forms: readonly SecretPattern[] = [...BUILT_IN_PATTERNS, ...own];
  return (text, tried = "all") =>
    (tried === "all" ? forms : own).reduce(without, secrets?.redact(text) ?? text);
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
