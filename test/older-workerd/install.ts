/** Before the tests: the older workerd, where it is not installed yet. Its lockfile says which and with which hash. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { OLDER } from "../support/workerd-build.ts";

export default function install(): void {
  if (existsSync(`${OLDER}node_modules/workerd/package.json`)) return;
  execFileSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: OLDER, stdio: "inherit" });
}
