/** A character takes at most three bytes; D1 accepts a text of 1,000,000 bytes: https://developers.cloudflare.com/d1/platform/limits/ */
export const MAX_CHARACTERS = 300_000;

/** The JSON values joined into JSON arrays, in their order. `maxCharacters`: bound of one array. A single value may exceed it. */
export function chunks(values: readonly string[], maxCharacters = MAX_CHARACTERS): string[] {
  const arrays: string[] = [];
  let open: string[] = [];
  let characters = 0;
  for (const value of values) {
    if (open.length > 0 && characters + value.length >= maxCharacters) {
      arrays.push(`[${open.join(",")}]`);
      open = [];
      characters = 0;
    }
    open.push(value);
    characters += value.length + 1;
  }
  if (open.length > 0) arrays.push(`[${open.join(",")}]`);
  return arrays;
}
