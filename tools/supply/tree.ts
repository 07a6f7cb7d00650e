/** The project's own files: those that git tracks or, without git (an archive, an image), all except generated ones. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../root.ts";

const GENERATED = new Set([".git", "node_modules", "dist", "coverage", ".wrangler", "reports"]);

/** Paths from the project's root, with slashes. */
export function ownFiles(root = ROOT): string[] {
  return trackedFiles(root) ?? walk(root, "");
}

function trackedFiles(root: string): string[] | null {
  try {
    const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return list.split("\0").filter((path) => path !== "");
  } catch {
    return null;
  }
}

function walk(root: string, below: string): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) return GENERATED.has(entry.name) ? [] : walk(root, path);
    return entry.isFile() ? [path] : [];
  });
}
