/**
 * Positions of a JSON object's members in its text. `JSON.parse` does not report them; editing a member in place and
 * detecting repeated keys need them. The text must be an object that `JSON.parse` accepts (RFC 8259): the scanner does
 * not validate it.
 */

export type Member = {
  readonly key: string;
  /** Offsets in the text: the start of the value, and the end after it. */
  readonly from: number;
  readonly to: number;
};

/** Yields the members of the outermost object in order, including duplicates. */
export function* topLevelMembers(text: string): Generator<Member> {
  let at = text.indexOf("{") + 1;
  for (;;) {
    at = skipBlank(text, at);
    if (text[at] === "}") return;
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    const from = skipBlank(text, text.indexOf(":", keyEnd) + 1);
    const to = endOfValue(text, from);
    yield { key, from, to };
    at = skipBlank(text, to);
    if (text[at] === ",") at += 1;
  }
}

/** Yields the items of the array that starts at `start`, in order. */
export function* arrayItems(text: string, start: number): Generator<Omit<Member, "key">> {
  let at = start + 1;
  for (;;) {
    const from = skipBlank(text, at);
    if (text[from] === "]") return;
    const to = endOfValue(text, from);
    yield { from, to };
    at = skipBlank(text, to);
    if (text[at] === ",") at += 1;
  }
}

function skipBlank(text: string, at: number): number {
  while (" \t\n\r".includes(text[at] ?? "x")) at += 1;
  return at;
}

/** The offset after the closing quote of the string that starts at `at`. */
function endOfString(text: string, at: number): number {
  let end = text.indexOf('"', at + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text[at - 1 - slashes] === "\\") slashes += 1;
  return slashes % 2 === 1;
}

/** The offset after the value that starts at `from`. */
function endOfValue(text: string, from: number): number {
  if (text[from] === '"') return endOfString(text, from);
  if (text[from] !== "{" && text[from] !== "[") return endOfLiteral(text, from);
  let depth = 0;
  for (let at = from; ;) {
    const c = text[at];
    if (c === '"') {
      at = endOfString(text, at);
      continue;
    }
    if (c === "{" || c === "[") depth += 1;
    if (c === "}" || c === "]") depth -= 1;
    at += 1;
    if (depth === 0) return at;
  }
}

/** The offset after a number, `true`, `false` or `null`. */
function endOfLiteral(text: string, from: number): number {
  const delimiter = /[,}\]\s]/g;
  delimiter.lastIndex = from;
  return delimiter.exec(text)?.index ?? text.length;
}
