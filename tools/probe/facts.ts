/** The facts at the head of a report: versions, and the locations that served the requests. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../root.ts";
import type { Head } from "./client/http.ts";
import type { Offset } from "./clock-offset.ts";

const versionOf = (path: string): string =>
  (JSON.parse(readFileSync(join(ROOT, path), "utf8")) as { readonly version: string }).version;

export function versions(): string {
  return [
    `project ${versionOf("package.json")} (${commit()})`,
    `Node ${process.versions.node}`,
    `wrangler ${versionOf("node_modules/wrangler/package.json")}`,
    `workerd ${versionOf("node_modules/workerd/package.json")}`,
  ].join(", ");
}

function commit(): string {
  try {
    const args = ["rev-parse", "--short", "HEAD"];
    return execFileSync("git", args, {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "not a git checkout";
  }
}

/** `cf-ray` ends in the location that received the request; `cf-placement` names where the Worker ran. */
export function locations({ headers }: Head, echoColo: string | null): string {
  const colo = /-([A-Z]{3})$/.exec(headers["cf-ray"] ?? "")?.[1] ?? "unknown";
  const placement = headers["cf-placement"] ?? "none";
  return `Cloudflare; gateway reached at ${colo}, placement ${placement}; echo at ${echoColo ?? "unknown"}`;
}

export const clockText = ({ ms, errorMs }: Offset): string =>
  `the echo's is ${Math.abs(Math.round(ms))} ms ${ms < 0 ? "behind" : "ahead of"} the probe's (± ${Math.ceil(errorMs)} ms); times across both have this error`;
