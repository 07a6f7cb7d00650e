/** Token figures that anyone can work out by hand: one token is four characters, rounded up. */
import { randomBytes } from "node:crypto";

const CHARACTERS_PER_TOKEN = 4;

/** As if the model's prompt opened with a cached prefix: 1,024 is the least that OpenAI caches. */
const CACHED_TOKENS = 1024;
/** Tokens that this request put into the cache, for the APIs that report it. */
const CACHE_WRITE_TOKENS = 128;

/** What one request used. `fresh` is the input outside the cache; the whole prompt is `fresh + cached + written`. */
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

export function figuresFor(prompt: string, answer: string, thought: string): Figures {
  const reasoning = countTokens(thought);
  return {
    fresh: countTokens(prompt),
    cached: CACHED_TOKENS,
    written: CACHE_WRITE_TOKENS,
    output: countTokens(answer) + reasoning,
    reasoning,
  };
}

/** The part of `text` that fits into `limit` tokens. */
export function cutToTokens(text: string, limit: number | undefined): { text: string; cut: boolean } {
  const room = limit === undefined ? text.length : Math.max(0, limit) * CHARACTERS_PER_TOKEN;
  return { text: text.slice(0, room), cut: text.length > room };
}

/** The pieces a stream sends one by one; joined they are `text` again. */
export function streamPieces(text: string): readonly string[] {
  return text.match(/\s*\S+\s*$|\s*\S+/g) ?? (text === "" ? [] : [text]);
}

/** `prefix` and random hex digits, as long as the ids that the real APIs hand out. */
export function freshId(prefix: string, digits = 24): string {
  return (
    prefix +
    randomBytes(Math.ceil(digits / 2))
      .toString("hex")
      .slice(0, digits)
  );
}
