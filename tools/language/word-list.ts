/**
 * Words and constructions that the project's English avoids, each with the field's term to use instead. Held at zero
 * in the code and the pages that tools/language/uses.ts covers by test/structure/language.test.ts.
 */

export type Avoided = {
  /** Searched in each line, with identifiers split into their words. */
  readonly pattern: RegExp;
  /** What to write instead. */
  readonly use: string;
  /** Texts that the pattern must find. */
  readonly examples: readonly string[];
  /** Texts close to it that are good English, which the pattern must not find. */
  readonly allowed?: readonly string[];
};

const WORDS: readonly Avoided[] = [
  {
    pattern: /\bwhoever\b/i,
    use: "the caller, the client, the operator",
    examples: ["Whoever holds the key may assert."],
  },
  { pattern: /\bwhatever\b/i, use: "any, regardless of", examples: ["whatever the body is"] },
  {
    pattern: /\b(?:any|every|no|some)bod(?:y(?:'s)?|ys)\b/i,
    use: "no client, any caller, each reader",
    examples: ["nobodysHeader", "somebodyDecided", "anybodyElse", "everybodyMayRead"],
  },
  { pattern: /\bnone of\b/i, use: "not one of, must be one of", examples: ["it matches none of them"] },
  { pattern: /\bhow[- ]manieth\b/i, use: "zero-based index", examples: ["howManiethCall"] },
  {
    pattern: /\bmend(?:s|ed|ing)?\b/i,
    use: "fix",
    examples: ["isMendedBy(entry)"],
    allowed: ["a recommended value"],
  },
  {
    pattern: /\bcomplain(?:s|ed|ing|ts?)?\b/i,
    use: "log an error",
    examples: ["complainTo(line)", "complaintsOf(entry)"],
  },
  {
    pattern: /\bliars?\b|\blie(?:s|d)?\b|\blying\b/i,
    use: "attacker, spoof, false",
    examples: ["lengthLiesAbout(body)", "liarsHeader"],
    allowed: ["a client supplies it", "underlying"],
  },
  {
    pattern: /\bjudg(?:e|es|ed|ing|e?ments?)\b/i,
    use: "decide, authorize, check",
    examples: ["judgeRequest(head)", "is judged by policy"],
  },
  { pattern: /\bcourt\b/i, use: "dependencies", examples: ["type Court = {"] },
  {
    pattern: /\bwitness(?:es)?\b|\btestif(?:y|ies)\b/i,
    use: "verifier, proof",
    examples: ["readWitnesses()", "testify"],
    allowed: ["https://c2sp.org/tlog-witness"],
  },
  {
    pattern: /\bweigh(?:s|ed)?\b/i,
    use: "verify, decide",
    examples: ["weigh(evidence)"],
    allowed: ["weight"],
  },
  { pattern: /\bleash\b/i, use: "abort guard", examples: ["new Leash()"] },
  { pattern: /\bpacers?\b/i, use: "poll backoff", examples: ["createPacer()"], allowed: ["a space"] },
  {
    pattern: /\bflights?\b/i,
    use: "single-flight, in-flight request",
    examples: ["const flights = new Map()"],
    allowed: ["createSingleFlight", "single-flight.ts", "in-flight requests", "requests in flight"],
  },
  { pattern: /\bsightings?\b/i, use: "aggregate", examples: ["a sighting of the chat"] },
  {
    pattern: /\bupkeep\b/i,
    use: "maintenance, cron",
    examples: ["runUpkeep()"],
    allowed: ["SELECT cursor FROM upkeep_cursors"],
  },
  {
    pattern: /\bfloors?\b/i,
    use: "layer, baseline",
    examples: ["each floor stands alone", "FLOORS"],
    allowed: ["Math.floor(at)"],
  },
  {
    pattern: /\bhouses?\b/i,
    use: "project, gateway, structure",
    examples: ["openHouse()"],
    allowed: ["a warehouse", "DuckDB and ClickHouse"],
  },
  {
    pattern: /\banswer(?:s|ed|ing)?\b/i,
    use: "response, respond",
    examples: ["answerOf(request)", "the provider answers"],
    allowed: ['phase: "final_answer"'],
  },
  {
    pattern: /\bask(?:s|ed|ing)?\b/i,
    use: "query, fetch, request",
    examples: ["asked.headers", "askLedger", "ask_ledger"],
    allowed: ["a masked key", "the task"],
  },
  {
    pattern: /\btold\b(?! apart)|\btell\(/i,
    use: "report, log, print, return",
    examples: ["the console is told", "const told = []", "await tell(story)"],
    allowed: ["can be told apart"],
  },
  { pattern: /\b(?:const|let) said\b/i, use: "a noun: message, output", examples: ["let said = ''"] },
  {
    pattern:
      /\b(?:type|interface) (?:asked|found|given|held|problems|told|said|way|place|visit)\b(?! [A-Z])/i,
    use: "a noun that says what it is: RequestHead, Match, ConfigIssues",
    examples: ["type Found = {", "export interface Given {", "type Held<T> = T"],
    allowed: ["type FoundRow = {", "type PlaceholderIssue ="],
  },
  {
    pattern: /\bhand(?:s|ed|ing)? (?:on|over)\b/i,
    use: "return, pass",
    examples: ["hands on the stream", "handed over"],
    allowed: ["on the other hand, over a socket"],
  },
  {
    pattern: /\bh(?:ang|angs|anging|ung)[- ]ups?\b/i,
    use: "disconnect",
    examples: ["a client that hangs up", "hang-ups"],
    allowed: ["an upstream that hangs"],
  },
  {
    pattern: /\bclients? (?:that |who |has |have |had )?(?:leaves?|left|leaving)\b(?! (?:its|the|an?)\b)/i,
    use: "disconnect",
    examples: ["a client that leaves", "the client has left", "a client leaving"],
    allowed: ["the client's left operand", "a client leaves its loop"],
  },
  {
    pattern: /\bstrangers?\b|\bcrowds?\b/i,
    use: "unknown callers, many clients",
    examples: ["strangers", "openCrowd()"],
  },
  { pattern: /\bbelieved\b/i, use: "trusted, accepted", examples: ["how far it can be believed"] },
];

const CONSTRUCTIONS: readonly Avoided[] = [
  {
    pattern: /\bis (?:its|his|ours|theirs|not ours) to\b/i,
    use: "subject and active verb",
    examples: ["What a source recognizes is its to decide."],
  },
  {
    pattern:
      /\b(?:(?:what|which|who) (?:it|is|has|was|they|stands) [a-z]+|what (?:it|is|has|was|they|we|stands)(?: (?!(?:and|or|if|when|where|while|that)\b)[a-z]+){2,3}) (?:is|are|was|has|goes|comes|stays|counts)\b/i,
    use: "subject first",
    examples: [
      "What it refuses is refused.",
      "what is left out is marked",
      "what it does not take is in the log",
    ],
    allowed: [
      "skips what it knows and is done",
      "what was known when the request was refused",
      "the header that is set by the client",
    ],
  },
  {
    pattern: /(?:^\s*(?:\/\/|\/?\*+) ?|[.;:] )What (?!if\b|happens\b)[^?\n]*$/,
    use: "name the subject: 'The fields …', 'The text …'",
    examples: ["/** What is recorded of a call. */", " * It fails. What is sent stays."],
    allowed: ["// What if the body is empty?", "/** The fields that are recorded. */"],
  },
  {
    pattern: /(?:^\s*(?:\/\/|\/?\*+) ?|[.;:] )(?:Whom|Whose|Of (?:these|those|which|whom|what)|That which)\b/,
    use: "name the subject",
    examples: ["// Whose key it is, is unknown.", "// Of what does not fit only the place is shown."],
  },
  {
    pattern: /\bhow (?:late|long|often|far|much|many) (?:at (?:most|least)|may|must)\b/i,
    use: "the quantity as a noun: maximum interval, deadline",
    examples: ["how late may a new one count", "how often at most it is fetched"],
    allowed: ["how long the fetch may take", "how many bytes may be read"],
  },
  {
    pattern: /\bso (?:late|long|often|far|much|many) (?:may|can|must)\b/i,
    use: "subject first, the quantity as a noun",
    examples: ["so late may a new one count"],
    allowed: ["so much that it may fail"],
  },
  {
    pattern: /\b(?:that|which|it|they) (?:is|are) none\b/i,
    use: "invalid, absent",
    examples: ["figures that are none"],
    allowed: ["null where there is none"],
  },
  {
    pattern: /\bmade good\b/i,
    use: "accepted instead, replaced",
    examples: ["a wrong one is not made good"],
  },
  {
    pattern: /\b(?:is|are|was|were|be|been) taken for (?:an?|none|one)\b/i,
    use: "treated as, mistaken for",
    examples: ["anyone else is taken for none"],
    allowed: ["the time taken for a request"],
  },
  { pattern: /\bas (?:it|they) came\b/i, use: "unmodified", examples: ["goes on as it came"] },
  { pattern: /\bno matter of\b/i, use: "does not concern", examples: ["is no matter of the list"] },
  {
    pattern: /\ball the same\b(?!,? (?:length|size|type|kind))/i,
    use: "anyway, still",
    examples: ["taken all the same"],
  },
  { pattern: /\bstands? on\b/i, use: "depends on", examples: ["each layer stands on the one below"] },
  {
    pattern: /\bthe way of (?:an?|the)\b/i,
    use: "the path of, the steps of",
    examples: ["the way of a request"],
  },
  {
    pattern: /\bthe word for it\b|\bby (?:its|his|their) own word\b/i,
    use: "as the client reports",
    examples: ["by its own word"],
  },
];

export const AVOIDED: readonly Avoided[] = [...WORDS, ...CONSTRUCTIONS];

/** Names and terms that contain an avoided word and stay, searched before identifiers are split. */
export const EXCEPTIONS: readonly { readonly pattern: RegExp; readonly reason: string }[] = [
  { pattern: /\bupkeep_cursors\b/g, reason: "a table of D1; a rename is a migration of stored data" },
  { pattern: /\bfinal_answer\b/g, reason: "a value of `phase` in OpenAI's Responses API" },
  { pattern: /\bClickHouse\b/g, reason: "the name of a database" },
  { pattern: /\btlog-witness\b/g, reason: "the name of a C2SP specification" },
  { pattern: /\bMath\.floor\b/g, reason: "JavaScript's name" },
  {
    pattern: /\b(?:create)?(?:single|in)[- ]?flight\b/gi,
    reason: "the field's terms for calls that share one operation, and for requests without a response yet",
  },
];

/** The text with identifiers split into words: `readLedger` reads `read Ledger`, `key_echo` reads `key echo`. */
export function splitIdentifiers(text: string): string {
  return text.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])/g, " ");
}

export type Use = { readonly line: number; readonly text: string; readonly use: string };

/** Every avoided word in a text, in order, with its line number. */
export function avoidedWords(text: string): Use[] {
  return text.split("\n").flatMap((line, at) => {
    const words = wordsOf(line);
    return AVOIDED.filter(({ pattern }) => pattern.test(words)).map(({ use }) => ({
      line: at + 1,
      text: line.trim(),
      use,
    }));
  });
}

/** The line as the patterns are searched in it. */
export function wordsOf(line: string): string {
  const own = EXCEPTIONS.reduce((text, { pattern }) => text.replaceAll(pattern, "…"), line);
  return splitIdentifiers(own);
}
