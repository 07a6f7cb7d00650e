import { describe, expect, it } from "vitest";
import { interceptionRow, overrideRow, toRow } from "../../../src/gateway/sinks/analytics-row.ts";
import { ROW_VERSION } from "../../../src/gateway/sinks/analytics-values.ts";
import type { AnalyticsDataset } from "../../../src/events/analytics-columns.ts";
import { ANALYTICS_COLUMNS } from "../../../src/events/record-facts.ts";
import { RECORDS, type RecordDefinition } from "../../../src/events/fields.ts";
import { StrictAnalytics } from "../../support/strict-analytics.ts";
import {
  END,
  HOSTILE_TEXTS,
  OVERRIDE,
  PASSED,
  REJECTED,
  withTexts,
} from "../../support/in-workerd/events.ts";

const { interceptions: INTERCEPTIONS, overrides: OVERRIDES } = ANALYTICS_COLUMNS;
const DATASETS: readonly AnalyticsDataset[] = ["interceptions", "overrides"];

describe("the columns by position", () => {
  // Queries name columns by position. A column keeps its position for ever; new ones go after the last.
  it("INTERCEPTIONS has these blobs", () => {
    expect(INTERCEPTIONS.blobs).toEqual([
      /* blob1 */ "version",
      /* blob2 */ "record_type",
      /* blob3 */ "interception_id",
      /* blob4 */ "initiator_id",
      /* blob5 */ "actor_id",
      /* blob6 */ "attribution",
      /* blob7 */ "actor_kind",
      /* blob8 */ "identity_source",
      /* blob9 */ "client",
      /* blob10 */ "client_session_id",
      /* blob11 */ "provider",
      /* blob12 */ "route",
      /* blob13 */ "model",
      /* blob14 */ "response_model",
      /* blob15 */ "outcome",
      /* blob16 */ "usage",
      /* blob17 */ "credential_kind",
      /* blob18 */ "error",
      /* blob19 */ "usage_of",
    ]);
  });

  it("INTERCEPTIONS has these doubles", () => {
    expect(INTERCEPTIONS.doubles).toEqual([
      /* double1 */ "status",
      /* double2 */ "duration_ms",
      /* double3 */ "first_byte_ms",
      /* double4 */ "response_bytes",
      /* double5 */ "input_tokens",
      /* double6 */ "output_tokens",
      /* double7 */ "cache_read_input_tokens",
      /* double8 */ "cache_write_input_tokens",
      /* double9 */ "streaming",
      /* double10 */ "cost_micros",
    ]);
  });

  it("OVERRIDES has these blobs", () => {
    expect(OVERRIDES.blobs).toEqual([
      /* blob1 */ "version",
      /* blob2 */ "record_type",
      /* blob3 */ "interception_id",
      /* blob4 */ "initiator_id",
      /* blob5 */ "actor_id",
      /* blob6 */ "attribution",
      /* blob7 */ "actor_kind",
      /* blob8 */ "identity_source",
      /* blob9 */ "owner_id",
      /* blob10 */ "reason",
      /* blob11 */ "client",
      /* blob12 */ "provider",
      /* blob13 */ "chat_id",
      /* blob14 */ "subchat_id",
      /* blob15 */ "workspace_id",
      /* blob16 */ "value_sha256",
      /* blob17 */ "rule",
      /* blob18 */ "signature",
      /* blob19 */ "directory",
    ]);
  });

  it("OVERRIDES has these doubles", () => {
    expect(OVERRIDES.doubles).toEqual([/* double1 */ "value_length"]);
  });

  it.each(DATASETS)("%s has at most 20 of each kind, each name once, the version first", (dataset) => {
    const { blobs, doubles } = ANALYTICS_COLUMNS[dataset];
    expect(blobs.length).toBeLessThanOrEqual(20);
    expect(doubles.length).toBeLessThanOrEqual(20);
    const all = [...blobs, ...doubles];
    expect(new Set(all).size).toBe(all.length);
    expect(all[0]).toBe("version");
  });

  it("the version is pinned: raise it with the lists above", () => {
    expect(ROW_VERSION).toBe("4");
  });
});

type Position = { readonly type: string; readonly name: string; readonly position: string };

/** Every position that a record type of the data set gives to one of its fields. */
function positionsOf(dataset: AnalyticsDataset): Position[] {
  return Object.entries<RecordDefinition>(RECORDS)
    .filter(([, record]) => record.dataset === dataset)
    .flatMap(([type, { fields }]) =>
      Object.entries(fields).flatMap(([name, field]) => {
        const position = field[dataset];
        return position === undefined ? [] : [{ type, name, position }];
      }),
    );
}

/** `numbers` from 1, without a gap. */
const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

describe("the positions in the event field table", () => {
  it.each(DATASETS)("of %s are those of one field in every record type", (dataset) => {
    const byPosition = Object.groupBy(positionsOf(dataset), ({ position }) => position);
    for (const uses of Object.values(byPosition)) {
      expect(new Set(uses?.map(({ name }) => name)).size).toBe(1);
      // Within one record type the position occurs once.
      expect(new Set(uses?.map(({ type }) => type)).size).toBe(uses?.length);
    }
    const byName = Object.groupBy(positionsOf(dataset), ({ name }) => name);
    for (const uses of Object.values(byName))
      expect(new Set(uses?.map(({ position }) => position)).size).toBe(1);
  });

  it.each(DATASETS)("of %s are contiguous; two blobs precede the fields", (dataset) => {
    const numbers = (kind: string): number[] => {
      const matches = positionsOf(dataset).flatMap(
        ({ position }) => new RegExp(`^${kind}(\\d+)$`).exec(position)?.[1] ?? [],
      );
      return [...new Set(matches.map(Number))].toSorted((a, b) => a - b);
    };
    const { blobs, doubles } = ANALYTICS_COLUMNS[dataset];
    expect(blobs.slice(0, 2)).toEqual(["version", "record_type"]);
    expect([1, 2, ...numbers("blob")]).toEqual(upTo(blobs.length));
    expect(numbers("double")).toEqual(upTo(doubles.length));
  });

  it.each(DATASETS)("of %s have the form blob or double and a number", (dataset) => {
    for (const { position } of positionsOf(dataset)) expect(position).toMatch(/^(?:blob|double)[1-9]\d?$/);
  });

  it.each(DATASETS)(
    "of %s belong to a record type of the data set, in each field that has one",
    (dataset) => {
      const filled = new Set(positionsOf(dataset).map(({ position }) => position));
      const named = Object.values<RecordDefinition>(RECORDS).flatMap(({ fields }) =>
        Object.values(fields).flatMap((field) => field[dataset] ?? []),
      );
      expect(named.filter((position) => !filled.has(position))).toEqual([]);
    },
  );
});

function index(id: string): string {
  return interceptionRow({ ...END, initiator_id: id }).indexes[0];
}

describe("a row", () => {
  const OWNER = OVERRIDE.owner_id;

  it("of an end has every field at its position", () => {
    expect(interceptionRow(END)).toEqual({
      indexes: [OWNER],
      blobs: [
        "4",
        "interception_end",
        "01a20846-fe00-7abc-8def-0123456789ab",
        OWNER,
        "ci-bot",
        "asserted",
        "service",
        "keys",
        "Coder Agents",
        "session-1",
        "openai-prod",
        "/chat/completions",
        "gpt-4o",
        "gpt-4o-2024-08-06",
        "completed",
        "final",
        "centralized",
        "overloaded_error",
        "",
      ],
      doubles: [200, 900, 40, 5000, 11, 12, 13, 14, 1, 1234],
    });
  });

  it("of a passthrough has empty blobs and -1 for the fields of an end", () => {
    expect(interceptionRow(PASSED)).toEqual({
      indexes: [OWNER],
      blobs: [
        "4",
        "passthrough",
        "01a20846-fe00-7abc-8def-0123456789ab",
        OWNER,
        "ci-bot",
        "asserted",
        "service",
        "keys",
        "Coder Agents",
        "session-1",
        "openai-prod",
        "/models",
        "",
        "",
        "completed",
        "",
        "",
        "",
        "openai-prod/resp_0123",
      ],
      doubles: [200, 30, -1, -1, 11, 7, -1, -1, -1, -1],
    });
  });

  it("of an accepted and of a rejected owner has every field at its position", () => {
    const id = "01a20846-fe00-7abc-8def-0123456789ab";
    const coder = [OVERRIDE.chat_id, OVERRIDE.subchat_id, OVERRIDE.workspace_id];
    expect(overrideRow(OVERRIDE)).toEqual({
      indexes: [OWNER],
      blobs: [
        "4",
        "initiator_override",
        id,
        OWNER,
        "ci-bot",
        "asserted",
        "service",
        "keys",
        OWNER,
        "",
        "Coder Agents",
        "openai-prod",
        ...coder,
        "",
        "listed",
        "valid",
        "active",
      ],
      doubles: [-1],
    });
    expect(overrideRow(REJECTED)).toEqual({
      indexes: ["ci-bot"],
      blobs: [
        "4",
        "initiator_override_rejected",
        id,
        "ci-bot",
        "ci-bot",
        "authenticated",
        "service",
        "keys",
        "",
        "form",
        "Coder Agents",
        "openai-prod",
        ...coder,
        "2184a32a3bae6ad7",
        "listed",
        "off",
        "off",
      ],
      doubles: [10],
    });
  });

  it("has -1, not 0, for an unknown count, and 0 for a known 0", () => {
    const { doubles } = interceptionRow({
      ...END,
      status: null,
      first_byte_ms: null,
      input_tokens: null,
      output_tokens: 0,
      cache_read_input_tokens: null,
      cache_write_input_tokens: 0,
      streaming: false,
      cost_micros: 0,
    });
    expect(doubles).toEqual([-1, 900, -1, 5000, -1, 0, -1, 0, 0, 0]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, undefined])(
    "H3 has -1 for %s, which is not a double",
    (value) => {
      const event = { ...END, duration_ms: value as number, response_bytes: value as number };
      expect(interceptionRow(event).doubles.slice(0, 4)).toEqual([200, -1, 40, -1]);
    },
  );

  it("H3 has an empty blob for undefined and for null", () => {
    const event = { ...END, error: null, model: undefined as unknown as null };
    const { blobs } = interceptionRow(event);
    expect([blobs[12], blobs[17]]).toEqual(["", ""]);
  });

  it("H2 has an initiator of 96 bytes as its index, and truncates a longer one between characters", () => {
    expect(index("a".repeat(96))).toBe("a".repeat(96));
    expect(index("a".repeat(97))).toBe("a".repeat(96));
    expect(index(`a${"é".repeat(96)}`)).toBe(`a${"é".repeat(47)}`);
  });

  it("H2 H3 is within the real data set's limits, with any hostile text", () => {
    const dataset = new StrictAnalytics();
    for (const text of HOSTILE_TEXTS) {
      dataset.writeDataPoint(interceptionRow(withTexts(END, text)));
      dataset.writeDataPoint(interceptionRow(withTexts(PASSED, text)));
      dataset.writeDataPoint(overrideRow(withTexts(OVERRIDE, text)));
      dataset.writeDataPoint(overrideRow(withTexts(REJECTED, text)));
    }
    expect(dataset.points).toHaveLength(4 * HOSTILE_TEXTS.length);
  });

  it("H2 with 20 of the longest blobs is within the real data set's limits", () => {
    const dataset = new StrictAnalytics();
    const blobs = Array.from({ length: 20 }, () => "initiator_id");
    const event = withTexts(END, "🗼".repeat(500));
    dataset.writeDataPoint(toRow({ blobs, doubles: [] }, event));
    expect(dataset.points[0]?.blobs).toHaveLength(20);
    expect(new TextEncoder().encode(String(dataset.points[0]?.blobs?.[0])).length).toBe(768);
  });
});
