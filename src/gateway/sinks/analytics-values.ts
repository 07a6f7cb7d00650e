/** The values of an Analytics Engine row, within the binding's bounds. */
import { truncateBytes } from "../../shared/text.ts";

/** Version of the rows, in `blob1`: raised when a column is added. */
export const ROW_VERSION = "4";

/** The argument of `writeDataPoint`: https://developers.cloudflare.com/analytics/analytics-engine/limits/ */
export type DataPoint = {
  readonly indexes: [string];
  readonly blobs: string[];
  readonly doubles: number[];
};

const MAX_INDEX_BYTES = 96;
/** 20 blobs of at most 768 bytes stay under the 16,000 bytes that they may have together. */
const MAX_BLOB_BYTES = 768;

export const index = (initiatorId: string): string => truncateBytes(initiatorId, MAX_INDEX_BYTES);

export const blob = (text: string | null | undefined): string =>
  text == null ? "" : truncateBytes(text, MAX_BLOB_BYTES);

/** A count that is not known is -1: a double has no null, and 0 would be false. */
export const count = (value: number | null | undefined): number =>
  value != null && Number.isFinite(value) ? value : -1;
