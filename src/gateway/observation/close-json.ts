/** Completes the beginning of a JSON text, so that its first members can be parsed. */

/** Every string, and every character that opens, closes or separates. The group is empty for a string without its end. */
const TOKEN = /"(?:[^"\\]|\\.)*(?:(")|\\?$)|[[\]{},]/gs;
/** Replaces the rest of a text that was cut. */
const ELLIPSIS = "…";

/**
 * The text with its open string, objects and lists closed. A member that was cut is left out, except for a text: it is cut
 * at its last blank and ends with an ellipsis. Redaction would not recognize the remaining part of a truncated key.
 */
export function closeJson(start: string): string {
  const closers: string[] = [];
  /** After the last value that is complete, and what closes the text there. */
  let complete = { end: 0, closers: "" };
  const mark = (end: number): void => {
    complete = { end, closers: closers.toReversed().join("") };
  };
  for (const { 0: token, 1: closingQuote, index } of start.matchAll(TOKEN)) {
    const end = index + token.length;
    if (token === "{" || token === "[") {
      closers.push(token === "{" ? "}" : "]");
      mark(end);
    } else if (token === "}" || token === "]") {
      closers.pop();
      mark(end);
    } else if (token === ",") mark(index);
    else if (closingQuote === undefined && isMemberValue(start, index)) {
      const kept = token.slice(0, Math.max(1, token.search(/\s\S*$/)));
      return `${start.slice(0, index)}${kept}${ELLIPSIS}"${closers.toReversed().join("")}`;
    }
  }
  return start.slice(0, complete.end) + complete.closers;
}

const isMemberValue = (text: string, at: number): boolean => text.slice(0, at).trimEnd().endsWith(":");
