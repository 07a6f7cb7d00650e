/**
 * `npm run secrets`: looks for secrets in the project's own files. Exits with 1 where there are any; says where and of
 * which kind, never what.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findSecrets, type Finding } from "./supply/secrets.ts";
import { ownFiles, ROOT } from "./supply/tree.ts";

/** Of all files there; one that was deleted and not yet committed is none. */
export function scan(root = ROOT): { readonly files: number; readonly found: readonly Finding[] } {
  const files = ownFiles(root).filter((path) => existsSync(join(root, path)));
  return {
    files: files.length,
    found: files.flatMap((path) => findSecrets(path, readFileSync(join(root, path), "latin1"))),
  };
}

export async function main(): Promise<number> {
  const { files, found } = scan();
  for (const { file, line, kind, mark } of found) console.error(`${file}:${line}: ${kind} (${mark})`);
  if (found.length === 0) {
    console.log(`No secret in ${files} files.`);
    return 0;
  }
  console.error(
    `${found.length} of what looks like a secret. A real one: revoke it first, then take it out. One made up for a test: add its mark to tools/supply/secrets.ts.`,
  );
  return 1;
}
