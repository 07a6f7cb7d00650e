/** Passes variables to wrangler in a file: every user of the machine can read a command line. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Vars } from "./dev-vars.ts";

export type EnvFile = {
  readonly path: string;
  /** A folder for files that exist only during this run. */
  readonly folder: string;
  readonly remove: () => void;
};

export function writeEnvFile(vars: Vars): EnvFile {
  const folder = mkdtempSync(join(tmpdir(), "ai-edge-interceptor-"));
  const path = join(folder, "vars.env");
  const lines = Object.entries(vars).map(([name, value]) => `${name}=${singleQuoted(value)}\n`);
  writeFileSync(path, lines.join(""), { mode: 0o600 });
  return { path, folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/**
 * `value` between single quotes, for a file of variables and for a shell. Wrangler expands `$NAME` even there and an
 * apostrophe would end it, but values are JSON or plain keys, and JSON can write both as escapes.
 */
export function singleQuoted(value: string): string {
  return `'${value.replaceAll("'", "\\u0027").replaceAll("$", "\\u0024")}'`;
}
