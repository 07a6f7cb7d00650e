/**
 * Coder's search, as its consumers send it in `q`: `key:value key:"quoted value"`, in one blank or more. Receives the
 * text, hands on its keys and values; what the keys mean is not known here.
 */

/** Sticky: term follows term from the first character to the last. In quotes, a backslash takes the next as it is. */
const TERM = /[ \t]*([a-z_]+):(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?=[ \t]|$)/suy;

/** undefined where anything in it is no term. */
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
