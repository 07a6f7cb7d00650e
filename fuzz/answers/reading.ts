/**
 * Target `answers`: framing and readers over fixtures that are written otherwise, broken, and cut anywhere. Checked: the
 * same report however it is cut; a fixture's own report as long as nothing is broken; the oracle's usage in any case;
 * what is kept stays within its bounds; not a byte of the answer is changed.
 */
import { isDeepStrictEqual } from "node:util";
import { createBodyParser } from "../../src/gateway/observation/body-parser.ts";
import {
  MAX_THOUGHTS,
  MAX_TOOL_CALLS,
  type ResponseReport,
  type ContentOptions,
} from "../../src/gateway/provider/response-reader.ts";
import { MAX_TEXT, MAX_TEXTS } from "../../src/gateway/provider/bounded-text.ts";
import { READERS } from "../fixtures.ts";
import type { Target } from "../target.ts";
import {
  answerBytes,
  inPieces,
  isWhole,
  randomAnswer,
  showAnswer,
  smallerAnswers,
  type AnswerCase,
} from "./case.ts";
import { plainlyTold } from "./oracle.ts";

const KEEP: readonly ContentOptions[] = [
  { toolInputs: true, thoughts: true, errorMessages: true },
  { toolInputs: false, thoughts: false, errorMessages: false },
];

type Case = AnswerCase & { readonly keep: ContentOptions };

export const answers: Target<Case> = {
  name: "answers",
  generate: (random) => ({ ...randomAnswer(random), keep: KEEP[random() < 0.5 ? 0 : 1] as ContentOptions }),
  check: (one) => {
    const bytes = answerBytes(one);
    const before = Buffer.from(bytes);
    const reports = one.ways.map((cuts) => read(one, inPieces(bytes, cuts)));
    const changed = before.equals(bytes) ? null : "the answer's bytes were changed";
    return {
      wrong: changed ?? wrongWith(one, bytes, reports),
      sort: `${one.fixture.api} ${one.fixture.kind}, ${isWhole(one) ? "whole" : "broken"}`,
    };
  },
  smaller: function* (one) {
    for (const smaller of smallerAnswers(one)) yield { ...smaller, keep: one.keep };
  },
  show: (one) => `${one.keep.toolInputs ? "all content kept" : "no content kept"}; ${showAnswer(one)}`,
};

function read({ fixture, keep }: Case, pieces: readonly Uint8Array[]): ResponseReport {
  const answer = createBodyParser(fixture.kind, READERS[fixture.api](keep));
  for (const piece of pieces) answer.bytes(piece);
  return answer.finish();
}

function wrongWith(one: Case, bytes: Uint8Array, reports: readonly ResponseReport[]): string | null {
  const { fixture, keep } = one;
  const whole = keep.toolInputs ? fixture.report : withoutContent(fixture.report);
  // What a broken answer says beside its usage is what it says uncut.
  const expected = isWhole(one) ? whole : read(one, [bytes]);
  const report = reports.find((found) => !isDeepStrictEqual(found, expected));
  if (report) return differ(isWhole(one) ? "the fixture's report" : "reading it uncut", expected, report);
  const { usage, ended } = expected;
  const told = plainlyTold(fixture.api, fixture.kind, bytes);
  if (!isDeepStrictEqual({ usage, ended }, told)) return differ("the plain reading", told, { usage, ended });
  return outOfBounds(expected);
}

const differ = (what: string, expected: unknown, found: unknown): string =>
  `${what} says ${JSON.stringify(expected)}, but read was ${JSON.stringify(found)}`;

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
    ...toolCalls.flatMap((call) => [call.id, call.name, call.kind]),
  ];
  const texts = [...thoughts, ...toolCalls.flatMap((call) => [call.input, call.error])];
  const lengths = texts.map((text) => text?.length ?? 0);
  if (toolCalls.length > MAX_TOOL_CALLS || thoughts.length > MAX_THOUGHTS) return "more is kept than may be";
  if (names.some((name) => (name?.length ?? 0) > 256)) return "a name is longer than may be";
  if (lengths.some((length) => length > MAX_TEXT)) return "a text is longer than may be";
  return lengths.reduce((sum, length) => sum + length, 0) > MAX_TEXTS
    ? "all texts are longer than may be"
    : null;
}
