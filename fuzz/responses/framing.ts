/**
 * Target `framing`: texts built from the tokens that matter to SSE framing, with and without a cap. Checks:
 *
 * - Without a cap, the events equal those of the HTML standard.
 * - With a cap, the events do not depend on the split. Each is an event of the standard or has no data.
 * - An event is never longer than the cap.
 */
import { isDeepStrictEqual } from "node:util";
import { frameEvents } from "../../src/gateway/observation/sse.ts";
import { between, seededRandom } from "../../test/support/rechunk.ts";
import { chance, newSeed, pick, several, type Random } from "../random.ts";
import { shorter } from "../shrink.ts";
import type { Target } from "../target.ts";
import { oracleEvents, type OracleEvent } from "./oracle.ts";

type Case = {
  readonly text: string;
  /** The maximum number of characters of an event; Infinity: no cap. */
  readonly cap: number;
  /** Ascending. */
  readonly cuts: readonly number[];
};

const TOKENS = [
  ..."\n\r:ax ",
  "\r\n",
  "\n\n",
  "\r\r",
  "data:",
  "data: ",
  "data",
  "event:",
  "event: ",
  "event",
  "id: ",
  ": ",
  "[DONE]",
  "{}",
  "東",
  "🗼",
  "\u2028",
  "\ufeff",
  "\0",
  "x".repeat(30),
  "\ndata: ",
  "\r\nevent: n\r\n",
];

export const framing: Target<Case> = {
  name: "framing",
  generate: (random) => {
    const text = several(random, 1, 40, () => pick(random, TOKENS)).join("");
    const cap = chance(random, 0.5) ? Number.POSITIVE_INFINITY : between(random, 1, 80);
    return { text, cap, cuts: positions(random, text.length) };
  },
  check: async (one) => ({
    failure: findFailure(one),
    category: one.cap === Number.POSITIVE_INFINITY ? "no cap" : "narrow cap",
  }),
  smaller: function* (one) {
    const { text, cuts, cap } = one;
    for (const fewer of shorter(cuts)) yield { ...one, cuts: fewer };
    for (const units of shorter(text.split(""))) yield { text: units.join(""), cap, cuts };
    for (const units of shorter(text.split("")))
      yield {
        text: units.join(""),
        cap,
        cuts: cuts.map((at) => Math.max(0, at + units.length - text.length)),
      };
  },
  show: ({ text, cap, cuts }) =>
    `a cap of ${cap}, pieces: ${inPieces(text, cuts)
      .map((piece) => JSON.stringify(piece))
      .join(" ")}`,
};

function positions(random: Random, length: number): number[] {
  if (chance(random, 0.1)) return Array.from({ length }, (_, at) => at);
  const cutsRandom = seededRandom(newSeed(random));
  return several(random, 1, 8, () => between(cutsRandom, 0, length)).toSorted((one, other) => one - other);
}

function inPieces(text: string, cuts: readonly number[]): string[] {
  return [...cuts, text.length].map((at, index) => text.slice(index === 0 ? 0 : cuts[index - 1], at));
}

function framed(pieces: readonly string[], cap: number): OracleEvent[] {
  const events: OracleEvent[] = [];
  const framer = frameEvents((data, name) => void events.push({ data, name }), cap);
  for (const piece of pieces) framer.push(piece);
  framer.end();
  return events;
}

function findFailure({ text, cap, cuts }: Case): string | null {
  const actual = framed(inPieces(text, cuts), cap);
  const all = oracleEvents(text);
  const expected = cap === Number.POSITIVE_INFINITY ? all : framed([text], cap);
  if (!isDeepStrictEqual(actual, expected))
    return `expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`;
  const long = actual.find(({ data, name }) => data.length > cap || name.length > cap);
  if (long) return `longer than the cap: ${JSON.stringify(long)}`;
  const known = new Set(all.map(({ data, name }) => JSON.stringify([data, name])));
  const unknown = actual.find(({ data, name }) => !known.has(JSON.stringify([data, name])) && data !== "");
  return unknown ? `not an event of the stream: ${JSON.stringify(unknown)}` : null;
}
