/** Edits of a body that is held: its bytes are not changed and not copied, the texts are parts between them. */
import type { Range } from "./json-body.ts";

/** A range of the body, and what is sent in its place. */
export type BodyEdit = Range & { readonly text: string };

/** `edits`: of ranges that do not overlap, in any order. */
export function applyEdits(bytes: Uint8Array, edits: readonly BodyEdit[]): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { from, to, text } of edits.toSorted((one, other) => one.from - other.from)) {
    parts.push(bytes.subarray(at, from), new TextEncoder().encode(text));
    at = to;
  }
  return [...parts, bytes.subarray(at)];
}
