/** `node tools/language/main.ts [path …]`: lists the words that tools/language/word-list.ts avoids, by file and line. */
import { readFileSync } from "node:fs";
import { ownFiles, ROOT } from "../supply/tree.ts";
import { avoidedWords } from "./word-list.ts";

/** The files that the rule covers: code, its tests and its tools. The list itself has to name the words. */
export function coveredFiles(files: readonly string[]): string[] {
  return files.filter(
    (path) =>
      /^(?:src|test|tools|bench|fuzz)\/.*\.(?:ts|mjs)$/.test(path) &&
      !path.startsWith("tools/language/word-list"),
  );
}

if (process.argv[1] === import.meta.filename) {
  const wanted = process.argv.slice(2);
  const files = coveredFiles(ownFiles()).filter(
    (path) => wanted.length === 0 || wanted.some((prefix) => path.startsWith(prefix)),
  );
  let count = 0;
  for (const path of files) {
    for (const { line, text, use } of avoidedWords(readFileSync(`${ROOT}${path}`, "utf8"))) {
      count += 1;
      console.log(`${path}:${line}: ${text}   [use: ${use}]`);
    }
  }
  console.log(`${count} uses`);
}
