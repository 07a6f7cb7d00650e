/** `npm run language [-- path …]`: lists the words that language/word-list.ts avoids, by file and line. Exit code 1 if any. */
import { findUses } from "./language/uses.ts";

export function main(paths: readonly string[]): number {
  const uses = findUses(paths);
  for (const use of uses) console.log(use);
  console.log(`${uses.length} uses`);
  return uses.length === 0 ? 0 : 1;
}
