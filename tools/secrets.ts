/**
 * `npm run secrets`: searches the project's own files for secrets. Exit code 1 if there are any. It prints the position and
 * kind of each, never its value.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findSecrets, type Finding } from "./supply/secrets.ts";
import { ownFiles } from "./supply/tree.ts";
import { ROOT } from "./root.ts";

/** Scans the project's files. A deleted file that git still tracks is skipped. */
export function scan(root = ROOT): { readonly files: number; readonly findings: readonly Finding[] } {
  const files = ownFiles(root).filter((path) => existsSync(join(root, path)));
  return {
    files: files.length,
    findings: files.flatMap((path) => findSecrets(path, readFileSync(join(root, path), "latin1"))),
  };
}

export async function main(): Promise<number> {
  const { files, findings } = scan();
  for (const { file, line, kind, mark } of findings) console.error(`${file}:${line}: ${kind} (${mark})`);
  if (findings.length === 0) {
    console.log(`No secrets in ${files} files.`);
    return 0;
  }
  console.error(
    `${findings.length} possible secrets. If one is real, revoke it first, then remove it. If it was made up for a test, add its mark to tools/supply/secrets.ts.`,
  );
  return 1;
}
