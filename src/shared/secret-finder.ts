/**
 * Finds the configured secrets in text that comes from elsewhere: a run of 16 or more characters of one, as it is, in JSON
 * with escapes (`\u0073k-…`), or with a zero byte beside each character (UTF-16, UTF-32). A secret that is reversed,
 * encoded in base64 or hexadecimal, or spread over several events is not found.
 */

export type NamedSecret = {
  /** The name by which the configuration refers to it. */
  readonly name: string;
  readonly value: string;
};

export type SecretFinder = {
  /**
   * The name of a secret in the text, or null. One that is shorter than 16 characters counts only in a text with the word
   * `error`: models write short words too.
   */
  readonly find: (text: string) => string | null;
  /** The same, and every short secret. */
  readonly findAny: (text: string) => string | null;
  /** A text of the conversation with `[redacted:configured]` in place of each run and of each short secret. */
  readonly redact: (text: string) => string;
  /** The same for any other field. Short secrets that are words stay: a record's own words would go with them. */
  readonly redactField: (text: string) => string;
  /** Whether some secret is too short to be found in every text. */
  readonly hasShort: boolean;
  /** Whether `redactField` changes no text within this JSON. A false is no finding: the texts must then be examined. */
  readonly isAbsentFrom: (json: string) => boolean;
};

/** The shortest run that counts. */
export const MIN_RUN = 16;
const GRAM = 8;
/** Each run of 16 characters contains a gram that begins at a multiple of 9, so the others need not be looked at. */
const STRIDE = MIN_RUN - GRAM + 1;
/** Shorter values stand in any text. */
const MIN_LITERAL = 4;
/** Places of one gram: more only in a value that repeats itself. */
const MAX_PLACES = 8;
const MARKER = "[redacted:configured]";

/**
 * The parts that keys of many holders share: a JWT without its signature, the prefix of a key for Bedrock, and the version and
 * region of a session token of AWS, which stand in every presigned URL too. A short-term key for Bedrock is such a URL in base64.
 */
const PUBLIC_PART =
  /^(?:eyJ[\w-]*\.(?:[\w-]*\.)?|ABSKQmVkcm9ja0FQSUtleS|IQoJb3JpZ2luX2Vj.{48}|bedrock-api-key-.{430})/;

type LongSecret = NamedSecret & { readonly publicLength: number };
type GramMatch = { readonly secret: LongSecret; readonly at: number };
type Run = { readonly name: string; readonly start: number; readonly end: number };

/** null if there is no secret to find. */
export function createSecretFinder(secrets: readonly NamedSecret[]): SecretFinder | null {
  const isLong = ({ value }: NamedSecret): boolean => value.length >= MIN_RUN && distinct(value) > 3;
  const scan = createScan(secrets.filter(isLong));
  const literals = secrets.filter((one) => !isLong(one) && one.value.length >= MIN_LITERAL);
  if (literals.length === 0 && !secrets.some(isLong)) return null;
  const inText = (text: string, among: readonly NamedSecret[]): string | null =>
    among.find(({ value }) => text.includes(value))?.name ?? null;
  const findRun = (text: string): string | null => scan(text, 0)?.name ?? null;
  const findEither = (text: string): string | null => findRun(text) ?? inText(text, literals);
  // JSON could have such a secret in another form.
  const hasEscaped = secrets.some(({ value }) => !/^[ !#-[\]-~]*$/.test(value));
  const redactAmong =
    (among: readonly NamedSecret[]) =>
    (text: string): string => {
      const isIn = (one: string) => findRun(one) ?? inText(one, among);
      if (inEither(text, isIn) === null) return text;
      const plain = plainText(text);
      const readable = isIn(plain) === null ? text : plain;
      return among.reduce((clean, { value }) => clean.replaceAll(value, MARKER), cutRuns(readable, scan));
    };
  return {
    find: (text) =>
      inEither(text, literals.length > 0 && /error/i.test(plainText(text)) ? findEither : findRun),
    findAny: (text) => inEither(text, findEither),
    redact: redactAmong(literals),
    hasShort: literals.length > 0,
    redactField: redactAmong(literals.filter(({ value }) => value.length >= GRAM && /\d/.test(value))),
    // Without an escape in it, each text stands in the JSON as it is.
    isAbsentFrom: (json) => !json.includes("\\") && !hasEscaped && findEither(json) === null,
  };
}

/** Searches the text as it is, then without escapes. */
function inEither(text: string, search: (text: string) => string | null): string | null {
  const found = search(text);
  if (found !== null) return found;
  const plain = plainText(text);
  return plain === text ? null : search(plain);
}

function cutRuns(text: string, scan: Scan): string {
  let clean = "";
  let from = 0;
  for (let run = scan(text, 0); run !== null; run = scan(text, from)) {
    clean += text.slice(from, run.start) + MARKER;
    from = run.end;
  }
  return clean + text.slice(from);
}

/** The first run at or after `from`. */
type Scan = (text: string, from: number) => Run | null;

function createScan(secrets: readonly NamedSecret[]): Scan {
  const grams = new Map<string, GramMatch[]>();
  // Pairs of characters that begin or end a gram: two reads of a table rule out nearly every place of other text.
  const starts = new Uint8Array(1 << 14);
  const ends = new Uint8Array(1 << 14);
  for (const { name, value } of secrets) {
    const secret = { name, value, publicLength: PUBLIC_PART.exec(value)?.[0].length ?? 0 };
    for (let at = 0; at + GRAM <= value.length; at += 1) {
      const gram = value.slice(at, at + GRAM);
      const places = grams.get(gram) ?? [];
      if (places.length < MAX_PLACES) grams.set(gram, [...places, { secret, at }]);
      starts[pairAt(value, at)] = 1;
      ends[pairAt(value, at + GRAM - 2)] = 1;
    }
  }
  return (text, from) => {
    const last = text.length - GRAM;
    for (let at = from; at <= last; at += STRIDE) {
      if (starts[pairAt(text, at)] === 0 || ends[pairAt(text, at + GRAM - 2)] === 0) continue;
      for (const place of grams.get(text.slice(at, at + GRAM)) ?? []) {
        const run = extend(text, at, place, from);
        if (run) return run;
      }
    }
    return null;
  };
}

const pairAt = (text: string, at: number): number =>
  ((text.charCodeAt(at) & 127) << 7) | (text.charCodeAt(at + 1) & 127);

/** The longest run around a gram; null if it is too short, or within the part that other keys have too. */
function extend(text: string, at: number, { secret, at: gramAt }: GramMatch, from: number): Run | null {
  const { name, value, publicLength } = secret;
  let before = 0;
  while (at - before > from && gramAt > before && text[at - before - 1] === value[gramAt - before - 1])
    before += 1;
  let after = GRAM;
  while (gramAt + after < value.length && text[at + after] === value[gramAt + after]) after += 1;
  const isPublic = gramAt + after - Math.max(publicLength, gramAt - before) < (publicLength > 0 ? GRAM : 0);
  return before + after < MIN_RUN || isPublic ? null : { name, start: at - before, end: at + after };
}

const distinct = (value: string): number => new Set(value).size;

const ESCAPE = /\\+(?:u00([2-7][\da-fA-F])|\/)/g;

/** The text without the escapes that JSON allows for a character of a key, and without zero bytes. */
export function plainText(text: string): string {
  const plain = text.includes("\0") ? text.replaceAll("\0", "") : text;
  if (!plain.includes("\\u00") && !plain.includes("\\/")) return plain;
  return plain.replace(ESCAPE, (_, hex: string | undefined) =>
    hex === undefined ? "/" : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** The longest form of a run of 16 characters: each an escape within an escaped text. */
const CARRY = 160;

export type SecretWatch = {
  /** The next piece of a text. */
  readonly push: (piece: string) => void;
  /** A text of its own, beside the pieces. */
  readonly examine: (text: string) => void;
  /** Whether some secret is too short to be found in every text. */
  readonly hasShort: boolean;
  /** The name of the secret that was found first; null while there is none. */
  readonly found: () => string | null;
  /** Called once, when a secret is found. */
  onFound: () => void;
};

/** Watches a text that arrives in pieces of any size. `report` gets the name of a secret at once, before the text is read. */
export function watchForSecrets(
  { find, hasShort }: SecretFinder,
  report: (secret: string) => void = () => undefined,
): SecretWatch {
  let tail = "";
  let found: string | null = null;
  const watch: SecretWatch = {
    push: (piece) => {
      if (tail !== "") watch.examine(tail + piece.slice(0, CARRY));
      watch.examine(piece);
      tail = piece.length >= CARRY ? piece.slice(-CARRY) : (tail + piece).slice(-CARRY);
    },
    examine: (text) => {
      if (found !== null) return;
      found = find(text);
      if (found === null) return;
      report(found);
      watch.onFound();
    },
    hasShort,
    found: () => found,
    onFound: () => undefined,
  };
  return watch;
}
