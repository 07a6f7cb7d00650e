/** One response as a case: a fixture, its edits and damage, and the positions at which it is split. */
import { seededRandom } from "../../test/support/rechunk.ts";
import { latin1 } from "../../test/support/wire.ts";
import { FIXTURES, LONG, type Fixture } from "../fixtures.ts";
import { chance, newSeed, pick, several, type Random } from "../random.ts";
import { shorter, shorterText } from "../shrink.ts";
import { cutAt, cutPositions, type Cuts } from "./cuts.ts";
import { DAMAGE } from "./damage.ts";
import { JSON_EDITS, STREAM_EDITS } from "./edits.ts";

export type Step = { readonly name: string; readonly seed: number };

export type ResponseCase = {
  readonly fixture: Fixture;
  /** The bytes before edits and damage; null: the fixture's text. */
  readonly base: Uint8Array | null;
  readonly edits: readonly Step[];
  readonly damage: readonly Step[];
  /** Several splits of the same bytes, because making the bytes costs more than parsing them once more. */
  readonly splits: readonly Cuts[];
};

export const SPLITS_PER_CASE = 4;

const SHORT = FIXTURES.filter(({ text }) => text.length <= LONG);

export function randomResponse(
  random: Random,
  select: (fixture: Fixture) => boolean = () => true,
): ResponseCase {
  const fixture = pick(random, (chance(random, 0.002) ? FIXTURES : SHORT).filter(select));
  const edits = fixture.kind === "events" ? STREAM_EDITS : JSON_EDITS;
  const share = chance(random, 0.2) ? 0 : random() * 0.6;
  const step = ([name]: readonly [string, unknown]): Step | [] =>
    chance(random, share) ? { name, seed: newSeed(random) } : [];
  const damaged = chance(random, 0.4);
  return {
    fixture,
    base: null,
    edits: edits.flatMap(step),
    damage: several(random, damaged ? 1 : 0, damaged ? 2 : 0, () => ({
      name: pick(random, DAMAGE)[0],
      seed: newSeed(random),
    })),
    splits: Array.from({ length: SPLITS_PER_CASE }, () => newSeed(random)),
  };
}

const EDITS = {
  events: new Map(STREAM_EDITS),
  json: new Map(JSON_EDITS),
} as const;
const DAMAGES = new Map(DAMAGE);

/** The response as the provider sends it. */
export function responseBytes({ fixture, base, edits, damage }: ResponseCase): Uint8Array {
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

/** Whether the response still has its fixture's content. */
export const isIntact = ({ base, damage }: ResponseCase): boolean => base === null && damage.length === 0;

export function* smallerResponses(one: ResponseCase): Generator<ResponseCase> {
  if (one.splits.length > 1) {
    for (const cuts of one.splits) yield { ...one, splits: [cuts] };
    return;
  }
  const bytes = responseBytes(one);
  for (const edits of shorter(one.edits)) yield { ...one, edits };
  for (const damage of shorter(one.damage)) yield { ...one, damage };
  const positions = cutPositions(bytes, one.splits[0] ?? []);
  for (const cuts of shorter(positions)) yield { ...one, splits: [cuts] };
  // The cases below have no fixture's report any more, so only the oracle can check them.
  const raw = { ...one, edits: [], damage: [] };
  if (one.edits.length + one.damage.length > 0) yield { ...raw, base: bytes, splits: [positions] };
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);
  for (const fewer of shorterText(text)) {
    const base = new TextEncoder().encode(fewer);
    yield { ...raw, base, splits: [positions] };
    // The same cuts, counted from the end.
    const removed = bytes.length - base.length;
    yield { ...raw, base, splits: [positions.map((at) => Math.max(0, at - removed))] };
  }
}

export function showResponse(one: ResponseCase): string {
  const bytes = responseBytes(one);
  const steps = [...one.edits, ...one.damage].map(({ name }) => name).join(", ") || "unchanged";
  const pieces = inPieces(bytes, one.splits[0] ?? []).map((piece) => JSON.stringify(latin1(piece)));
  return `${one.fixture.name} (${steps}) in ${pieces.length} pieces, as Latin-1:\n${brief(pieces.join(" "))}`;
}

const brief = (text: string): string => (text.length > 4000 ? `${text.slice(0, 4000)} …` : text);
