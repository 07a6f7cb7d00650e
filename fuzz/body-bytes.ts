/** Request bodies as the input of a target. */
import { latin1 } from "../test/support/wire.ts";
import type { Verdict } from "./target.ts";

/** The verdict of the check, and a failure if it changed the body. */
export function checkUnchanged(bytes: Uint8Array, check: () => Verdict): Verdict {
  const before = Buffer.from(bytes);
  const verdict = check();
  return before.equals(bytes) ? verdict : { ...verdict, failure: "the body was changed in place" };
}

/** The beginning of the body, for a report. */
export const showBytes = (bytes: Uint8Array): string =>
  `a body as Latin-1: ${JSON.stringify(latin1(bytes).slice(0, 4000))}`;
