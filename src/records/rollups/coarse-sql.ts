/**
 * Coarse dimensions: those of the principals without client and model, and those of client and model without principals. A
 * company has thousands of dimensions, and a fraction of it in coarse ones, so a sum over months reads few rows.
 */
import type { DimensionColumn } from "./contribution-sql.ts";

/** The value of the column `coarseness`. */
export const COARSENESS = { none: 0, principals: 1, software: 2 } as const;
export type Coarseness = keyof typeof COARSENESS;

const ALWAYS: readonly DimensionColumn[] = ["attribution", "own_key_rejected"];

/** The columns that each kind of coarse dimension has. */
export const COARSE_COLUMNS = {
  principals: ["initiator_id", "initiator_source", "actor_id", "identity_source", ...ALWAYS],
  software: ["client", "provider", "provider_type", "model", ...ALWAYS],
} as const satisfies Readonly<Record<string, readonly DimensionColumn[]>>;

/** The coarsest kind that has all of these columns. */
export function coarsenessFor(columns: readonly DimensionColumn[]): Coarseness {
  const fits = (kind: keyof typeof COARSE_COLUMNS): boolean =>
    columns.every((name) => (COARSE_COLUMNS[kind] as readonly DimensionColumn[]).includes(name));
  if (fits("software")) return "software";
  return fits("principals") ? "principals" : "none";
}
