/** How one request's body is read, as it is or decoded. */
import type { Holding } from "../../shared/byte-budget.ts";
import type { BodyReading } from "./deps.ts";

export type ReadOptions = BodyReading & {
  /** The largest body, in bytes. */
  readonly maxBytes: number;
  /** The request's part of the budget. The reader adds to it; the caller releases it, after a refusal too. */
  readonly holding: Holding;
};

/** Added to every expiry: the deadlines end a request before the budget takes it for dead. */
export const MARGIN_MS = 60_000;
