/** The Analytics Engine columns, as the event field table defines them. The gateway reads them from record-facts.ts. */
import type { RecordDefinition } from "./fields.ts";

export type AnalyticsDataset = "interceptions" | "overrides";

/** Field names by position; `version` and `record_type` are the first two blobs of every data set. */
export type AnalyticsColumns = { readonly blobs: readonly string[]; readonly doubles: readonly string[] };

export function analyticsColumnsOf(
  dataset: AnalyticsDataset,
  records: Readonly<Record<string, RecordDefinition>>,
): AnalyticsColumns {
  const blobs = ["version", "record_type"];
  const doubles: string[] = [];
  // Runs at every isolate start, so it allocates no arrays of entries.
  for (const { dataset: recordDataset, fields } of Object.values(records)) {
    if (recordDataset !== dataset) continue;
    for (const name in fields) {
      const column = fields[name]?.[dataset];
      if (column === undefined) continue;
      // `blob1` is the first position.
      if (column.startsWith("blob")) blobs[Number(column.slice(4)) - 1] = name;
      else doubles[Number(column.slice(6)) - 1] = name;
    }
  }
  return { blobs, doubles };
}
