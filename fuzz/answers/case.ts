/** One answer to be read: a fixture, written otherwise or broken, and where it is cut. */
import { seededRandom } from "../../test/support/rechunk.ts";
import { latin1 } from "../../test/support/wire.ts";
import { FIXTURES, LONG, type Fixture } from "../fixtures.ts";
import { chance, newSeed, pick, several, type Random } from "../random.ts";
import { shorter, shorterText } from "../shrink.ts";
import { cutAt, cutPositions, type Cuts } from "./cuts.ts";
import { DAMAGE } from "./damage.ts";
import { JSON_EDITS, STREAM_EDITS } from "./edits.ts";

export type Step = { readonly name: string; readonly seed: number };

export type AnswerCase = {
  readonly fixture: Fixture;
  /** What is written otherwise or broken; null: the fixture's text. */
  readonly base: Uint8Array | null;
  readonly edits: readonly Step[];
  readonly damage: readonly Step[];
  /** Ways to cut the same bytes: making them costs more than reading them once more. */
  readonly ways: readonly Cuts[];
};

export const WAYS = 4;

const SHORT = FIXTURES.filter(({ text }) => text.length <= LONG);

export function randomAnswer(random: Random, among: (fixture: Fixture) => boolean = () => true): AnswerCase {
  const fixture = pick(random, (chance(random, 0.002) ? FIXTURES : SHORT).filter(among));
  const edits = fixture.kind === "events" ? STREAM_EDITS : JSON_EDITS;
  const share = chance(random, 0.2) ? 0 : random() * 0.6;
  const step = ([name]: readonly [string, unknown]): Step | [] =>
    chance(random, share) ? { name, seed: newSeed(random) } : [];
  const broken = chance(random, 0.4);
  return {
    fixture,
    base: null,
    edits: edits.flatMap(step),
    damage: several(random, broken ? 1 : 0, broken ? 2 : 0, () => ({
      name: pick(random, DAMAGE)[0],
      seed: newSeed(random),
    })),
    ways: Array.from({ length: WAYS }, () => newSeed(random)),
  };
}

const EDITS = {
  events: new Map(STREAM_EDITS),
  json: new Map(JSON_EDITS),
} as const;
const DAMAGES = new Map(DAMAGE);

/** The answer as it is sent. */
export function answerBytes({ fixture, base, edits, damage }: AnswerCase): Uint8Array {
  let bytes = base;
  if (bytes === null) {
    let { text } = fixture;
    for (const { name, seed } of edits)
      text = EDITS[fixture.kind].get(name)?.(seededRandom(seed), text, fixture.api) ?? text;
    bytes = new TextEncoder().encode(text);
  }
  for (const { name, seed } of damage) bytes = DAMAGES.get(name)?.(seededRandom(seed), bytes) ?? bytes;
  return bytes;
}

export const inPieces = (bytes: Uint8Array, cuts: Cuts): Uint8Array[] =>
  cutAt(bytes, cutPositions(bytes, cuts));

/** Still says what its fixture says. */
export const isWhole = ({ base, damage }: AnswerCase): boolean => base === null && damage.length === 0;

export function* smallerAnswers(one: AnswerCase): Generator<AnswerCase> {
  if (one.ways.length > 1) {
    for (const cuts of one.ways) yield { ...one, ways: [cuts] };
    return;
  }
  const bytes = answerBytes(one);
  for (const edits of shorter(one.edits)) yield { ...one, edits };
  for (const damage of shorter(one.damage)) yield { ...one, damage };
  const positions = cutPositions(bytes, one.ways[0] ?? []);
  for (const cuts of shorter(positions)) yield { ...one, ways: [cuts] };
  // From here on only the oracle can say what is right.
  const raw = { ...one, edits: [], damage: [] };
  if (one.edits.length + one.damage.length > 0) yield { ...raw, base: bytes, ways: [positions] };
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);
  for (const fewer of shorterText(text)) {
    const base = new TextEncoder().encode(fewer);
    yield { ...raw, base, ways: [positions] };
    // The same cuts, counted from the end.
    const lost = bytes.length - base.length;
    yield { ...raw, base, ways: [positions.map((at) => Math.max(0, at - lost))] };
  }
}

export function showAnswer(one: AnswerCase): string {
  const bytes = answerBytes(one);
  const steps = [...one.edits, ...one.damage].map(({ name }) => name).join(", ") || "as it is";
  const pieces = inPieces(bytes, one.ways[0] ?? []).map((piece) => JSON.stringify(latin1(piece)));
  return `${one.fixture.name} (${steps}) in ${pieces.length} pieces, as Latin-1:\n${brief(pieces.join(" "))}`;
}

const brief = (text: string): string => (text.length > 4000 ? `${text.slice(0, 4000)} …` : text);
