/**
 * Which workerd the tests over real sockets run on: the one that wrangler pins or, with `WORKERD=older` in the
 * environment (`npm run test:older-workerd`), one from before its cancel fix.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** A package of its own, with a lockfile of its own: nobody needs it for anything else. */
export const OLDER = join(import.meta.dirname, "../older-workerd/");

/**
 * The last build whose streams' `cancel` callbacks never run (cloudflare/workerd#6832), and the newest compatibility
 * date that it knows, as it says itself of any later one.
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

/** Whether it runs the `cancel` callback of a stream whose reader has left. */
export const runsCancel = !isOlder;

/**
 * How an answer in chunks reaches the client that the provider or the Worker has broken off: the older build ends it as
 * if it were whole, with a bare `return fetch(…)` too. Only one of declared length breaks off there.
 */
export const hidesTruncation = isOlder;

/**
 * Whether heads are judged before the Worker is asked as today. The older build makes one URL of Host and target by
 * itself (500 where that fails, `/./` and `/../` gone before we see them), takes a bare CR for a line's end and 200 KB of
 * headers for too many. What is skipped for it rests on this; test/sockets/routing.test.ts, nothing but this, is not run.
 */
export const validatesHeads = !isOlder;

/** Whether header bytes that are no UTF-8 are read as U+FFFD. The older build reads them as Latin-1. */
export const replacesBadUtf8 = !isOlder;

/** What workerd itself prints where a peer speaks no HTTP or has left: the older build, with a stack of addresses. */
export function isRuntimeErrorLine(line: string): boolean {
  return (
    isOlder && /^(?:Uncaught exception: |e = |kj::getCaughtExceptionAsKj\(\) = )kj\/[^]*\nstack: /.test(line)
  );
}

/** The date where this build knows it, else the newest that it does. */
export function supportedDate(date: string): string {
  return isOlder && date > OLDER_DATE ? OLDER_DATE : date;
}
