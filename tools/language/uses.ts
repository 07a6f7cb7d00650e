/** The avoided words of word-list.ts in the project's files. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ownFiles } from "../supply/tree.ts";
import { ROOT } from "../root.ts";
import { avoidedWords } from "./word-list.ts";

/** The files that the rule covers: code, its tests, its tools and all pages. The list itself has to name the words. */
export function coveredFiles(files: readonly string[]): string[] {
  return files.filter(
    (path) =>
      (/^(?:src|test|tools|bench|fuzz|console)\/.*\.(?:tsx?|mjs)$/.test(path) ||
        /^(?:docs\/.*|README|CONTRIBUTING|SECURITY|CHANGELOG)\.md$/.test(path)) &&
      path !== "tools/language/word-list.ts" &&
      existsSync(join(ROOT, path)),
  );
}

/**
 * One line of text for each use in the files whose path starts with a prefix, in their paths and in their contents.
 * Without prefixes, in all covered files.
 */
export function findUses(prefixes: readonly string[] = []): string[] {
  const isSelected = (path: string): boolean =>
    prefixes.length === 0 || prefixes.some((prefix) => path.startsWith(prefix));
  return coveredFiles(ownFiles())
    .filter(isSelected)
    .flatMap((path) => [
      ...avoidedWords(path).map(({ use }) => `${path}: the file's path   [use: ${use}]`),
      ...avoidedWords(readFileSync(join(ROOT, path), "utf8")).map(
        ({ line, text, use }) => `${path}:${line}: ${text}   [use: ${use}]`,
      ),
    ]);
}
