/**
 * Coder's search syntax, which its consumers send in `q`: terms `key:value` or `key:"quoted value"`, separated by spaces
 * or tabs. This file knows the syntax only, not the keys.
 */

/** Sticky, so that terms follow each other without a gap. Within quotes, a backslash escapes the next character. */
const TERM = /[ \t]*([a-z_]+):(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?=[ \t]|$)/suy;

/** @returns the terms in order; undefined where a part of the text is not a term. */
export function readTerms(text: string): (readonly [key: string, value: string])[] | undefined {
  const trimmed = text.trim();
  const terms: [string, string][] = [];
  const term = new RegExp(TERM);
  while (term.lastIndex < trimmed.length) {
    const [, key = "", quoted, bare = ""] = term.exec(trimmed) ?? [];
    if (key === "") return undefined;
    terms.push([key, quoted === undefined ? bare : quoted.replace(/\\(.)/gsu, "$1")]);
  }
  return terms;
}
