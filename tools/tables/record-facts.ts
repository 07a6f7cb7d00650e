/** The text of src/events/record-facts.ts, generated from the event field table. */
import prettier from "prettier";
import { analyticsColumnsOf } from "../../src/events/analytics-columns.ts";
import { RECORDS, type RecordDefinition } from "../../src/events/fields.ts";

const HEAD = `/**
 * The facts about record types that the gateway needs. Generated from the event field table (fields.ts) by \`npm run tables\`,
 * so that the table's descriptions are not part of the gateway's bundle.
 */
import type { AnalyticsColumns, AnalyticsDataset } from "./analytics-columns.ts";
import type { RecordType } from "./fields.ts";

export type RecordFacts = {
  /** Four bits of the event's id. */
  readonly code: number;
  /** Whether a response can have several of it. */
  readonly hasPosition: boolean;
  /** The fields that hold recorded content. */
  readonly content: readonly string[];
};
`;

function factsOf({ code, fields }: RecordDefinition): object {
  const content = Object.keys(fields).filter((name) => fields[name]?.content);
  return { code, hasPosition: "position" in fields, content };
}

export async function recordFactsText(path: string): Promise<string> {
  const facts = Object.fromEntries(Object.entries(RECORDS).map(([type, record]) => [type, factsOf(record)]));
  const columns = {
    interceptions: analyticsColumnsOf("interceptions", RECORDS),
    overrides: analyticsColumnsOf("overrides", RECORDS),
  };
  const text = `${HEAD}
export const RECORD_FACTS: Readonly<Record<RecordType, RecordFacts>> = ${JSON.stringify(facts)};

/** Field names by position. */
export const ANALYTICS_COLUMNS: Readonly<Record<AnalyticsDataset, AnalyticsColumns>> = ${JSON.stringify(columns)};
`;
  return prettier.format(text, { ...(await prettier.resolveConfig(path)), filepath: path });
}
