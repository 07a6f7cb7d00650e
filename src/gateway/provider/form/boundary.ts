/** The boundary of a multipart form, out of its Content-Type, and its occurrences in the body (RFC 2046 §5.1.1). */

/** Stricter than RFC 2046, so that no parser reads another boundary: one parameter, perhaps a charset, no escapes. */
const FORM =
  /^multipart\/form-data[ \t]*;[ \t]*(?:charset="?utf-8"?[ \t]*;[ \t]*)?boundary=(?:([\w'+.=-]{1,70})|"([\w'()+,./:=? -]{0,69}[\w'()+,./:=?-])")[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;

/** null where the body is no form. `invalid`: a form whose boundary is missing, or could be read in two ways. */
export function formBoundary(contentType: string | null): string | null | "invalid" {
  const type = contentType?.trim() ?? "";
  if (!/^multipart\/form-data(?![\w-])/i.test(type)) return null;
  // Bounded first: the header may be long.
  const match = type.length > 256 ? null : FORM.exec(type);
  return match?.[1] ?? match?.[2] ?? "invalid";
}

/** Finds each occurrence of a pattern in a stream, by Knuth, Morris and Pratt: each byte once, however it is split. */
export type Finder = {
  /** The offset behind the next occurrence, searched from `at`; -1 where there is none. The state goes on from call to call. */
  readonly next: (bytes: Uint8Array, at: number, end: number) => number;
};

export function createFinder(pattern: Uint8Array): Finder {
  const fallback = fallbacks(pattern);
  const first = pattern[0] ?? 0;
  let matched = 0;
  return {
    next: (bytes, from, end) => {
      for (let at = from; at < end; at++) {
        if (matched === 0 && bytes[at] !== first) {
          const found = bytes.indexOf(first, at);
          if (found < 0 || found >= end) return -1;
          at = found;
        }
        while (matched > 0 && bytes[at] !== pattern[matched]) matched = fallback[matched - 1] ?? 0;
        if (bytes[at] === pattern[matched]) matched += 1;
        if (matched === pattern.length) {
          matched = 0;
          return at + 1;
        }
      }
      return -1;
    },
  };
}

/** For each prefix, the length of its longest proper prefix that is also its suffix. */
function fallbacks(pattern: Uint8Array): number[] {
  const table = [0];
  for (let at = 1, length = 0; at < pattern.length; at++) {
    while (length > 0 && pattern[at] !== pattern[length]) length = table[length - 1] ?? 0;
    if (pattern[at] === pattern[length]) length += 1;
    table.push(length);
  }
  return table;
}
