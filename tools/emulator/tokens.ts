/** Token figures that can be computed by hand: one token is four characters, rounded up. */
import { randomBytes } from "node:crypto";

const CHARACTERS_PER_TOKEN = 4;

/** The prompt's emulated cached prefix: OpenAI caches 1,024 tokens at least. */
const CACHED_TOKENS = 1024;
/** Tokens that this request writes to the cache, for the APIs that report it. */
const CACHE_WRITE_TOKENS = 128;

/** The usage of one request. `fresh` is the uncached input; the whole prompt is `fresh + cached + written`. */
export type Figures = {
  readonly fresh: number;
  readonly cached: number;
  readonly written: number;
  /** Reasoning included, as all three APIs count it. */
  readonly output: number;
  readonly reasoning: number;
};

export function countTokens(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}

export function figuresFor(prompt: string, output: string, thought: string): Figures {
  const reasoning = countTokens(thought);
  return {
    fresh: countTokens(prompt),
    cached: CACHED_TOKENS,
    written: CACHE_WRITE_TOKENS,
    output: countTokens(output) + reasoning,
    reasoning,
  };
}

/** The beginning of `text` that fits into `limit` tokens. */
export function truncateToTokens(
  text: string,
  limit: number | undefined,
): { text: string; truncated: boolean } {
  const maxLength = limit === undefined ? text.length : Math.max(0, limit) * CHARACTERS_PER_TOKEN;
  return { text: text.slice(0, maxLength), truncated: text.length > maxLength };
}

/** The pieces that a stream sends one by one; joined they equal `text`. */
export function streamPieces(text: string): readonly string[] {
  return text.match(/\s*\S+\s*$|\s*\S+/g) ?? (text === "" ? [] : [text]);
}

/** `prefix` and random hex digits, as long as the ids of the real APIs. */
export function freshId(prefix: string, digits = 24): string {
  return (
    prefix +
    randomBytes(Math.ceil(digits / 2))
      .toString("hex")
      .slice(0, digits)
  );
}
