/** The text of src/gateway/sinks/analytics-writers.ts, generated from the event field table. */
import prettier from "prettier";
import { analyticsColumnsOf, type AnalyticsDataset } from "../../src/events/analytics-columns.ts";
import type { Field } from "../../src/events/field.ts";
import { RECORDS, type RecordDefinition } from "../../src/events/fields.ts";

const HEAD = `/**
 * Writes the Analytics Engine rows of every intercepted request, column by column. Generated from the event field table
 * (src/events/fields.ts) by \`npm run tables\`; \`toRow\` writes the same rows of all events.
 */
import type { InitiatorOverride, InterceptionEnd } from "../../events/event.ts";
import { blob, count, index, ROW_VERSION, type DataPoint } from "./analytics-values.ts";
`;

const WRITTEN = {
  interception_end: "InterceptionEnd",
  initiator_override: "InitiatorOverride",
} as const satisfies Partial<Record<keyof typeof RECORDS, string>>;

function valueOf(name: string, field: Field | undefined): string {
  if (name === "version") return "ROW_VERSION";
  if (name === "record_type") return "event.record_type";
  if (field === undefined) return '""';
  return field.kind === "flag"
    ? `Number(event.${name})`
    : field.kind === "count"
      ? `count(event.${name})`
      : `blob(event.${name})`;
}

function writerOf(type: keyof typeof WRITTEN): string {
  const { fields, dataset }: RecordDefinition = RECORDS[type];
  const { blobs, doubles } = analyticsColumnsOf(dataset as AnalyticsDataset, RECORDS);
  const valuesOf = (names: readonly string[], absent: string): string =>
    names
      .map((name) =>
        name in fields || name === "version" || name === "record_type" ? valueOf(name, fields[name]) : absent,
      )
      .join(", ");
  return `${type}: (event: ${WRITTEN[type]}): DataPoint => ({
    indexes: [index(event.initiator_id)],
    blobs: [${valuesOf(blobs, '""')}],
    doubles: [${valuesOf(doubles, "-1")}],
  }),`;
}

export async function analyticsWritersText(path: string): Promise<string> {
  const writers = (Object.keys(WRITTEN) as (keyof typeof WRITTEN)[]).map(writerOf);
  const text = `${HEAD}\nexport const ROW_WRITERS = {\n${writers.join("\n")}\n};\n`;
  return prettier.format(text, { ...(await prettier.resolveConfig(path)), filepath: path });
}
