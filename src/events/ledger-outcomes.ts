/** The outcomes of the ledger. Apart from vocabulary.ts, because a bundler keeps a spread table and its texts in the gateway. */
import { OUTCOMES } from "./vocabulary.ts";

/** The ledger adds two to those of the end events. */
export const LEDGER_OUTCOMES = {
  ...OUTCOMES,
  orphaned: "the end event was never recorded",
  open: "the interception has not ended",
} as const;
