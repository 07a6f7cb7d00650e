/**
 * Words and constructions that the project's English avoids, each with the field's term to use instead. Held at zero
 * in `src`, `test`, `tools`, `bench` and `fuzz` by test/structure/language.test.ts.
 */

export type Avoided = {
  /** Searched case-insensitively in the text, with identifiers split into their words. */
  readonly pattern: RegExp;
  readonly use: string;
};

export const AVOIDED: readonly Avoided[] = [
  { pattern: /\bwhoever\b/i, use: "the caller, the client, the operator" },
  { pattern: /\bwhatever\b/i, use: "any, regardless of" },
  { pattern: /\bnobody(?:'s)?\b|\bnobodys\b/i, use: "no client, no caller, no reader" },
  { pattern: /\bnone of\b/i, use: "not one of, must be one of" },
  { pattern: /\bhow-manieth\b/i, use: "zero-based index" },
  { pattern: /\bmend(?:s|ed|ing)?\b/i, use: "fix" },
  { pattern: /\bcomplain(?:s|ed|ing|ts?)?\b/i, use: "log an error" },
  { pattern: /\bliars?\b|\blie(?:s|d)?\b|\blying\b/i, use: "attacker, spoof, false" },
  { pattern: /\bjudg(?:e|es|ed|ing|ement|ements)\b/i, use: "decide, authorize, check" },
  { pattern: /\bcourt\b/i, use: "dependencies" },
  { pattern: /\bwitness(?:es)?\b|\btestif(?:y|ies)\b/i, use: "verifier, proof" },
  { pattern: /\bweigh(?:s|ed)?\b/i, use: "verify, decide" },
  { pattern: /\bleash\b/i, use: "abort guard" },
  { pattern: /\bpacers?\b/i, use: "poll backoff" },
  { pattern: /\bflights?\b/i, use: "single-flight, in-flight request" },
  { pattern: /\bsightings?\b/i, use: "aggregate" },
  { pattern: /\bupkeep\b/i, use: "maintenance, cron" },
  { pattern: /(?<!Math\.)\bfloors?\b/i, use: "layer, baseline" },
  { pattern: /\bhouses?\b/i, use: "project, gateway, structure" },
  { pattern: /\banswer(?:s|ed|ing)?\b/i, use: "response, respond" },
  { pattern: /\bask(?:s|ed|ing)?\b/i, use: "query, fetch, request" },
  { pattern: /\bhand(?:s|ed)? on\b/i, use: "return, pass" },
  { pattern: /\bis (?:its|his|ours|theirs|not ours) to\b/i, use: "subject and active verb" },
  {
    pattern: /\b(?:what|which|who) (?:it|is|has|was|they|stands) [a-z]+ (?:is|are|was|has|goes|comes)\b/i,
    use: "subject first",
  },
  {
    pattern: /(?:^\s*(?:\/\/|\/?\*+) ?|[.;:] )What (?!if\b|happens\b)[^?\n]*$/m,
    use: "name the subject: 'The fields …', 'The text …'",
  },
  {
    pattern: /\bthe word for it\b|\bby its own word\b|\bby (?:his|their) own word\b/i,
    use: "as the client reports",
  },
];

/** The text with identifiers split into words: `askLedger` reads `ask Ledger`, `key_echo` reads `key echo`. */
export function splitIdentifiers(text: string): string {
  return text.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])/g, " ");
}

export type Use = { readonly line: number; readonly text: string; readonly use: string };

/** Every avoided word in a text, in order, with its line number. */
export function avoidedWords(text: string): Use[] {
  return text.split("\n").flatMap((line, at) => {
    const words = splitIdentifiers(line);
    return AVOIDED.filter(({ pattern }) => pattern.test(words)).map(({ use }) => ({
      line: at + 1,
      text: line.trim(),
      use,
    }));
  });
}
