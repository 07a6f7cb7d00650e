/** Words of closed sets with their meanings, for a page. */
import { visibleText } from "./visible.ts";

type Words = Readonly<Record<string, string>>;

/** The meaning without the marks by which documentation shows code; the word itself where this version does not know it. */
export const meaningIn = (words: Words, word: string): string =>
  Object.hasOwn(words, word) ? (words[word] ?? "").replaceAll("`", "") : visibleText(word).slice(0, 120);
