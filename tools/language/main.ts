/** `node tools/language/main.ts [path …]`: lists the words that word-list.ts avoids, by file and line; 1 if any. */
import { findUses } from "./uses.ts";

const uses = findUses(process.argv.slice(2));
for (const use of uses) console.log(use);
console.log(`${uses.length} uses`);
process.exitCode = uses.length === 0 ? 0 : 1;
