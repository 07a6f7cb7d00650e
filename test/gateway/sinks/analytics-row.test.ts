import { describe, expect, it } from "vitest";
import {
  INTERCEPTION_COLUMNS,
  OVERRIDE_COLUMNS,
  ROW_VERSION,
  toRow,
} from "../../../src/gateway/sinks/analytics-row.ts";
import { StrictAnalytics } from "../../support/strict-analytics.ts";
import {
  END,
  HOSTILE_TEXTS,
  OVERRIDE,
  PASSED,
  REJECTED,
  withTexts,
} from "../../support/in-workerd/events.ts";
import { utf8 } from "../../support/in-workerd/values.ts";
import { truncateBytes } from "../../../src/shared/text.ts";

const names = (columns: readonly { readonly name: string }[]): string[] => columns.map(({ name }) => name);

describe("the columns, by position", () => {
  // Queries name columns by position. A column keeps its position for ever; new ones go behind the last.
  it("INTERCEPTIONS, blob1 and on", () => {
    expect(names(INTERCEPTION_COLUMNS.blobs)).toEqual([
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
    ]);
  });

  it("INTERCEPTIONS, double1 and on", () => {
    expect(names(INTERCEPTION_COLUMNS.doubles)).toEqual([
      /* double1 */ "status",
      /* double2 */ "duration_ms",
      /* double3 */ "first_byte_ms",
      /* double4 */ "response_bytes",
      /* double5 */ "input_tokens",
      /* double6 */ "output_tokens",
      /* double7 */ "cache_read_input_tokens",
      /* double8 */ "cache_write_input_tokens",
      /* double9 */ "streaming",
    ]);
  });

  it("OVERRIDES, blob1 and on", () => {
    expect(names(OVERRIDE_COLUMNS.blobs)).toEqual([
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

  it("OVERRIDES, double1 and on", () => {
    expect(names(OVERRIDE_COLUMNS.doubles)).toEqual([/* double1 */ "value_length"]);
  });

  it.each([
    ["INTERCEPTIONS", INTERCEPTION_COLUMNS],
    ["OVERRIDES", OVERRIDE_COLUMNS],
  ])("%s has at most 20 of each, named once, the version first", (_, { blobs, doubles }) => {
    expect(blobs.length).toBeLessThanOrEqual(20);
    expect(doubles.length).toBeLessThanOrEqual(20);
    const all = names([...blobs, ...doubles]);
    expect(new Set(all).size).toBe(all.length);
    expect(all[0]).toBe("version");
  });

  it("the version is that of these columns: raise it with the lists above", () => {
    expect(ROW_VERSION).toBe("2");
  });
});

function index(id: string): string {
  return toRow(INTERCEPTION_COLUMNS, { ...END, initiator_id: id }).indexes[0];
}

describe("a row", () => {
  const OWNER = OVERRIDE.owner_id;

  it("of an interception's end", () => {
    expect(toRow(INTERCEPTION_COLUMNS, END)).toEqual({
      indexes: [OWNER],
      blobs: [
        "2",
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
      ],
      doubles: [200, 900, 40, 5000, 11, 12, 13, 14, 1],
    });
  });

  it("of a passthrough: what it has not is empty, or -1", () => {
    expect(toRow(INTERCEPTION_COLUMNS, PASSED)).toEqual({
      indexes: [OWNER],
      blobs: [
        "2",
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
        "",
        "",
        "",
        "",
      ],
      doubles: [200, 30, -1, -1, -1, -1, -1, -1, -1],
    });
  });

  it("of an override, and of a rejected one", () => {
    const id = "01a20846-fe00-7abc-8def-0123456789ab";
    const coder = [OVERRIDE.chat_id, OVERRIDE.subchat_id, OVERRIDE.workspace_id];
    expect(toRow(OVERRIDE_COLUMNS, OVERRIDE)).toEqual({
      indexes: [OWNER],
      blobs: [
        "2",
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
    expect(toRow(OVERRIDE_COLUMNS, REJECTED)).toEqual({
      indexes: ["ci-bot"],
      blobs: [
        "2",
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

  it("a count that is not known is -1, never 0; a known 0 is 0", () => {
    const { doubles } = toRow(INTERCEPTION_COLUMNS, {
      ...END,
      status: null,
      first_byte_ms: null,
      input_tokens: null,
      output_tokens: 0,
      cache_read_input_tokens: null,
      cache_write_input_tokens: 0,
      streaming: false,
    });
    expect(doubles).toEqual([-1, 900, -1, 5000, -1, 0, -1, 0, 0]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, undefined])(
    "H3 %s is no double: -1",
    (odd) => {
      const event = { ...END, duration_ms: odd as number, response_bytes: odd as number };
      expect(toRow(INTERCEPTION_COLUMNS, event).doubles.slice(0, 4)).toEqual([200, -1, 40, -1]);
    },
  );

  it("H3 undefined and null are no text: empty", () => {
    const event = { ...END, error: null, model: undefined as unknown as null };
    const { blobs } = toRow(INTERCEPTION_COLUMNS, event);
    expect([blobs[12], blobs[17]]).toEqual(["", ""]);
  });

  it("H2 an actor of 96 bytes is the index whole; a longer one is cut between characters", () => {
    expect(index("a".repeat(96))).toBe("a".repeat(96));
    expect(index("a".repeat(97))).toBe("a".repeat(96));
    expect(index(`a${"é".repeat(96)}`)).toBe(`a${"é".repeat(47)}`);
  });

  it("H2 H3 the real data set takes every row, however hostile its texts", () => {
    const dataset = new StrictAnalytics();
    for (const text of HOSTILE_TEXTS) {
      dataset.writeDataPoint(toRow(INTERCEPTION_COLUMNS, withTexts(END, text)));
      dataset.writeDataPoint(toRow(INTERCEPTION_COLUMNS, withTexts(PASSED, text)));
      dataset.writeDataPoint(toRow(OVERRIDE_COLUMNS, withTexts(OVERRIDE, text)));
      dataset.writeDataPoint(toRow(OVERRIDE_COLUMNS, withTexts(REJECTED, text)));
    }
    expect(dataset.points).toHaveLength(4 * HOSTILE_TEXTS.length);
  });

  it("H2 a full row of the longest blobs there may ever be fits: 20 of them", () => {
    const dataset = new StrictAnalytics();
    const [column] = INTERCEPTION_COLUMNS.blobs.slice(2);
    const blobs = Array.from({ length: 20 }, () => column ?? INTERCEPTION_COLUMNS.blobs[0]).filter(
      (one) => !!one,
    );
    dataset.writeDataPoint(toRow({ blobs, doubles: [] }, withTexts(END, "🗼".repeat(500))));
    expect(dataset.points[0]?.blobs).toHaveLength(20);
  });
});

describe("H2 text cut by bytes", () => {
  it.each([
    ["", 5, ""],
    ["abc", 5, "abc"],
    ["abcde", 5, "abcde"],
    ["abcdef", 5, "abcde"],
    ["abcdé", 5, "abcd"],
    ["abcdé", 6, "abcdé"],
    ["東京", 3, "東"],
    ["東京", 5, "東"],
    ["東京", 2, ""],
    ["🗼🗼", 4, "🗼"],
    ["🗼🗼", 7, "🗼"],
    ["a🗼", 4, "a"],
    ["x\ud800y", 4, "x\ud800"],
    ["x\ud800y", 3, "x"],
  ])("%j in %i bytes is %j", (text, max, cut) => {
    expect(truncateBytes(text, max)).toBe(cut);
  });

  it("is a beginning of the text that fits, and the longest one between characters", () => {
    const text = "aé東🗼\ud800".repeat(20);
    for (let max = 0; max <= utf8(text).length + 3; max += 1) {
      const cut = truncateBytes(text, max);
      expect(text.startsWith(cut)).toBe(true);
      expect(utf8(cut).length).toBeLessThanOrEqual(max);
      const next = String.fromCodePoint(text.codePointAt(cut.length) ?? 0x41);
      expect(cut === text || utf8(cut + next).length > max).toBe(true);
    }
  });
});
