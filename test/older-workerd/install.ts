/** Before the tests: the older workerd, where it is not installed yet. Its lockfile says which and with which hash. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { OLDER } from "../support/workerd-build.ts";

export default function install(): void {
  const wanted = versionIn(`${OLDER}package-lock.json`, ["packages", "node_modules/workerd"]);
  if (wanted === versionIn(`${OLDER}node_modules/workerd/package.json`, [])) return;
  const shell = process.platform === "win32";
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: OLDER, stdio: "inherit", shell });
}

/** The `version` at a place in a JSON file; null where there is no such file. */
function versionIn(path: string, place: readonly string[]): string | null {
  if (!existsSync(path)) return null;
  let at = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  for (const key of place) at = at[key] as Record<string, unknown>;
  return at["version"] as string;
}
