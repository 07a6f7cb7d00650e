/**
 * Target `responses`: framing and response readers over fixtures that are edited, damaged and split at random. Checks:
 *
 * - The report does not depend on the split.
 * - An intact response gives its fixture's report.
 * - Usage and end equal the oracle's for every response.
 * - The kept content stays within its bounds.
 * - The bytes of the response do not change.
 */
import { isDeepStrictEqual } from "node:util";
import { createBodyParser } from "../../src/gateway/observation/body-parser.ts";
import { MAX_TEXT, MAX_TEXTS } from "../../src/gateway/provider/bounded-text.ts";
import {
  MAX_THOUGHTS,
  MAX_TOOL_CALLS,
  type ContentOptions,
  type ResponseReport,
} from "../../src/gateway/provider/response-reader.ts";
import { READERS } from "../fixtures.ts";
import type { Target } from "../target.ts";
import {
  inPieces,
  isIntact,
  randomResponse,
  responseBytes,
  showResponse,
  smallerResponses,
  type ResponseCase,
} from "./case.ts";
import { oracleReport, type OracleReport } from "./oracle.ts";

const ALL_CONTENT: ContentOptions = { toolInputs: true, thoughts: true, errorMessages: true };
/** The default of `LIMITS.observe_bytes`. */
const HELD_BYTES = { events: 2 * 1024 * 1024, json: 8 * 1024 * 1024 };
const NO_CONTENT: ContentOptions = { toolInputs: false, thoughts: false, errorMessages: false };

type Case = ResponseCase & { readonly keep: ContentOptions };

export const responses: Target<Case> = {
  name: "responses",
  generate: (random) => ({ ...randomResponse(random), keep: random() < 0.5 ? ALL_CONTENT : NO_CONTENT }),
  check: async (one) => {
    const bytes = responseBytes(one);
    const before = Buffer.from(bytes);
    const reports = one.splits.map((cuts) => read(one, inPieces(bytes, cuts)));
    const changed = before.equals(bytes) ? null : "the response's bytes were changed";
    return {
      failure: changed ?? findFailure(one, bytes, reports),
      category: `${one.fixture.api} ${one.fixture.kind}, ${isIntact(one) ? "intact" : "damaged"}`,
    };
  },
  smaller: function* (one) {
    for (const smaller of smallerResponses(one)) yield { ...smaller, keep: one.keep };
  },
  show: (one) => `${one.keep.toolInputs ? "all content kept" : "no content kept"}; ${showResponse(one)}`,
};

function read({ fixture, keep }: Case, pieces: readonly Uint8Array[]): ResponseReport {
  const parser = createBodyParser(fixture.kind, READERS[fixture.api](keep), HELD_BYTES);
  for (const piece of pieces) parser.bytes(piece);
  return parser.finish();
}

function findFailure(one: Case, bytes: Uint8Array, reports: readonly ResponseReport[]): string | null {
  const { fixture, keep } = one;
  const oracle = oracleReport(fixture.api, fixture.kind, bytes);
  const known = withRawUsage(fixture.report, oracle.usage?.raw ?? null);
  const fixtureReport = keep.toolInputs ? known : withoutContent(known);
  // A damaged response has no known report except its usage, so the unsplit response is the reference.
  const expected = isIntact(one) ? fixtureReport : withoutTruncatedRaw(read(one, [bytes]));
  const reference = isIntact(one) ? "the fixture's report" : "the unsplit response's report";
  const different = reports.find((report) => !isDeepStrictEqual(withoutTruncatedRaw(report), expected));
  if (different) return difference(reference, expected, different);
  const { usage, ended } = expected;
  // The JSON round trip turns -0 into 0, as every record does.
  if (JSON.stringify(sorted({ usage, ended })) !== JSON.stringify(sorted(oracle)))
    return difference("the oracle's report", oracle, { usage, ended });
  return outOfBounds(expected);
}

/** The usage with its members in one order. */
const sorted = ({ usage, ended }: OracleReport): object => ({
  ended,
  usage: usage && Object.entries({ ...usage, extras: Object.entries(usage.extras).toSorted() }).toSorted(),
});

const difference = (what: string, expected: unknown, actual: unknown): string =>
  `${what} is ${JSON.stringify(expected)}, but the reader reported ${JSON.stringify(actual)}`;

/** Edits add members to the usage object, and the report keeps them. */
const withRawUsage = (report: ResponseReport, raw: string | null): ResponseReport => ({
  ...report,
  usage: report.usage && { ...report.usage, raw },
});

/** The oracle has null for a usage object above the bound: test/gateway tests the kept part. */
function withoutTruncatedRaw(report: ResponseReport): ResponseReport {
  const raw = report.usage?.raw ?? "";
  const isTruncated = raw.length <= 2048 && raw.endsWith(',"truncated":true}');
  return isTruncated ? withRawUsage(report, null) : report;
}

const withoutContent = (report: ResponseReport): ResponseReport => ({
  ...report,
  errorMessage: null,
  toolCalls: report.toolCalls.map((call) => ({ ...call, input: null, error: null })),
  thoughts: [],
});

function outOfBounds({ id, model, finishReason, error, toolCalls, thoughts }: ResponseReport): string | null {
  const names = [
    id,
    model,
    finishReason,
    error,
    ...toolCalls.flatMap((call) => [call.id, call.name, call.kind, call.namespace]),
  ];
  const texts = [
    ...thoughts.map(({ text }) => text),
    ...toolCalls.flatMap((call) => [call.input, call.error]),
  ];
  const lengths = texts.map((text) => text?.length ?? 0);
  if (toolCalls.length > MAX_TOOL_CALLS || thoughts.length > MAX_THOUGHTS)
    return "more tool calls or thoughts are kept than the maximum";
  if (names.some((name) => (name?.length ?? 0) > 256)) return "a name is above the maximum length";
  if (lengths.some((length) => length > MAX_TEXT)) return "a text is above the maximum length";
  return lengths.reduce((sum, length) => sum + length, 0) > MAX_TEXTS
    ? "all texts together are above the maximum length"
    : null;
}
