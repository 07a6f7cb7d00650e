/**
 * The measured costs of an interception in the ledger. docs/scaling.md and docs/deploy.md follow from it: after a new
 * measurement, change it here and run `npm run tables`.
 *
 * "Plain" is an interception without tools and without an owner header. "Mixed" is one of the generated traffic: a tool call
 * in every second, an owner header in two of three.
 */

import { MOST_EVENTS_PER_RUN } from "../../src/records/ledger/seal/sealer.ts";

export type Kind = "plain" | "mixed";

/** `node bench/ledger/rows.ts`: rows that D1 bills, bytes with indices, and a share of the totals' dimensions. */
export const LEDGER = {
  plain: { together: 3.31, apart: 4.42, read: 128, bytes: 1106, events: 2, deleted: 1 },
  mixed: { together: 7.14, apart: 7.25, read: 145, bytes: 1878, events: 19 / 6, deleted: 13 / 6 },
} as const satisfies Readonly<Record<Kind, object>>;

/** `node bench/ledger/seals.ts`, of each event. */
export const SEALS = { written: 0.011, read: 3.8, bytes: 50, cpuMs: 0.22 };

/** In one run of the sealer, every minute: src/records/ledger/seal/sealer.ts. */
export const SEALED_PER_MINUTE = MOST_EVENTS_PER_RUN;

/** `npm run bench:ledger`: interceptions per second in wrangler's local D1 on two cores. */
export const STORED_PER_SECOND = 1_700;

/** The events of `bench/ledger/traffic.ts` as log lines. */
export const LOG = { lines: 3.8, kilobytes: 3.9 };

export const GB = 1_000_000_000;
/** The default of `RETENTION.max_gb`. */
export const MAX_GB = 8;
export const CALLS_PER_DEVELOPER = 227;

/** The stated amounts, so that a reader can recompute what follows from them. */
export const sealBytesOf = (kind: Kind): number => Math.round(SEALS.bytes * LEDGER[kind].events);
/** With the log of seals. */
export const bytesOf = (kind: Kind): number => LEDGER[kind].bytes + sealBytesOf(kind);
