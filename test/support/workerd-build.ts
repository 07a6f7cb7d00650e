/**
 * Which workerd the tests over real sockets run on: the one that wrangler pins or, with `WORKERD=older` in the
 * environment (`npm run test:older-workerd`), one from before its cancel fix.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** A separate package with its own lockfile: only these tests need the older build. */
export const OLDER = join(import.meta.dirname, "../older-workerd/");

/**
 * The last build whose streams' `cancel` callbacks never run (cloudflare/workerd#6832), and the newest compatibility
 * date that it accepts.
 */
const OLDER_DATE = "2026-07-31";

const isOlder = process.env["WORKERD"] === "older";
const from = createRequire(isOlder ? `${OLDER}package.json` : import.meta.url);

/** The binary itself, not the Node script in front of it: its process id is the one that is measured and stopped. */
export function workerdBinary(): string {
  return (from("workerd") as { default: string }).default;
}

/** The version of its package. */
export function workerdVersion(): string {
  const { version } = JSON.parse(readFileSync(from.resolve("workerd/package.json"), "utf8")) as {
    version: string;
  };
  return version;
}

/** Whether it runs the `cancel` callback of a stream whose reader has disconnected. */
export const runsCancel = !isOlder;

/**
 * Whether a chunked response that the provider or the Worker aborts reaches the client as a complete one. The older build
 * does that, even for a bare `return fetch(…)`. There, only a response with a Content-Length shows that it was cut off.
 */
export const hidesTruncation = isOlder;

/**
 * Whether workerd checks request heads as it does today. The older build joins Host and target into one URL itself: it
 * responds 500 where that fails, and removes `/./` and `/../` before the Worker sees them. It accepts a bare CR as a line
 * end, and rejects 200 KB of headers. Tests that depend on these checks are skipped there; test/sockets/routing.test.ts
 * depends on nothing else, and is not run.
 */
export const validatesHeads = !isOlder;

/** Whether header bytes that are not UTF-8 are read as U+FFFD. The older build reads them as Latin-1. */
export const replacesBadUtf8 = !isOlder;

/** Whether workerd printed the line itself. The older build prints a stack of addresses when a peer disconnects or sends no HTTP. */
export function isRuntimeErrorLine(line: string): boolean {
  return (
    isOlder && /^(?:Uncaught exception: |e = |kj::getCaughtExceptionAsKj\(\) = )kj\/[^]*\nstack: /.test(line)
  );
}

/** The date where this build knows it, else the newest that it does. */
export function supportedDate(date: string): string {
  return isOlder && date > OLDER_DATE ? OLDER_DATE : date;
}
