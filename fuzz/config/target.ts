/**
 * Target `configs`: every var in random states through `readConfig`. Checked: it never throws; a sound configuration is
 * taken; of one made wrong in known places each is named; and no value is ever quoted, least of all a secret's.
 */
import { readConfig } from "../../src/gateway/config/config.ts";
import { registry } from "../../src/gateway/wiring.ts";
import { seededRandom } from "../../test/support/rechunk.ts";
import { chance, newSeed, pick, several, type Random } from "../random.ts";
import { shorter } from "../shrink.ts";
import type { Target } from "../target.ts";
import { CANARY, soundSettings, type Settings } from "./sound.ts";
import { drawSpoilers, FIELD_SPOILERS, TABLE_SPOILERS } from "./spoilers.ts";

type Case = {
  readonly seed: number;
  /** Made wrong here, and so to be named; by their places among the spoilers. */
  readonly wrongs: readonly number[];
  /** So many vars are given any value at all: only that nothing is thrown or quoted can be said then. */
  readonly wild: readonly string[];
  /** Given as JSON strings, as `.dev.vars` and the dashboard do. */
  readonly asText: boolean;
};

const SPOILERS = [...TABLE_SPOILERS, ...FIELD_SPOILERS];
const VARS = Object.keys(soundSettings(() => 0));

export const configs: Target<Case> = {
  name: "configs",
  generate: (random) => ({
    seed: newSeed(random),
    wrongs: chance(random, 0.1) ? [] : drawSpoilers(random).map((one) => SPOILERS.indexOf(one)),
    wild: chance(random, 0.3) ? several(random, 1, 4, () => pick(random, VARS)) : [],
    asText: chance(random, 0.3),
  }),
  check: (one) => {
    const config = readConfig(settingsOf(one), registry);
    const problems = "issues" in config ? config.issues : [];
    const sort =
      one.wild.length > 0 ? "any values" : one.wrongs.length > 0 ? "wrong in known places" : "sound";
    return { wrong: wrongWith(one, problems), sort: `${sort}, ${problems.length > 0 ? "refused" : "taken"}` };
  },
  smaller: function* (one) {
    for (const wild of shorter(one.wild)) yield { ...one, wild };
    for (const wrongs of shorter(one.wrongs)) yield { ...one, wrongs };
    if (one.asText) yield { ...one, asText: false };
  },
  show: (one) => {
    const shown = JSON.stringify(settingsOf(one), writable, 1);
    return `made wrong: ${pathsOf(one).join(", ") || "nothing"}; any value: ${one.wild.join(", ") || "nowhere"}\n${shown}`;
  },
};

/** What JSON cannot hold, so that it can be shown. */
const writable = (_: string, value: unknown): unknown =>
  ["bigint", "function", "symbol", "undefined"].includes(typeof value) ? `(${typeof value})` : value;

const pathsOf = ({ wrongs }: Case): string[] => wrongs.map((at) => SPOILERS[at]?.path ?? "");

function settingsOf({ seed, wrongs, wild, asText }: Case): Settings {
  const random = seededRandom(seed);
  const settings = soundSettings(random);
  for (const at of wrongs) SPOILERS[at]?.spoil(settings, seededRandom(seed + at));
  for (const [at, name] of wild.entries()) settings[name] = anyValue(seededRandom(seed - at), 3);
  if (!asText) return settings;
  const tables = ["PROVIDERS", "IDENTITY", "OWNER_ASSERTION", "DELEGATION", "RECORDING", "LIMITS"];
  for (const name of tables) {
    const value = settings[name];
    if (typeof value === "object" && value !== null && canBeText(value))
      settings[name] = JSON.stringify(value);
  }
  return settings;
}

/** JSON has no NaN, no huge numbers as they are, nothing undefined: as text they would be something else. */
function canBeText(value: object): boolean {
  let can = true;
  JSON.stringify(value, (_, inner: unknown) => {
    if (
      inner === undefined ||
      typeof inner === "bigint" ||
      (typeof inner === "number" && !Number.isFinite(inner))
    )
      can = false;
    return typeof inner === "bigint" ? null : inner;
  });
  return can;
}

const KEYS = [
  "type",
  "base_url",
  "keys",
  "source",
  "url",
  "token",
  "redact",
  "__proto__",
  "constructor",
  "toString",
  "",
  "a",
  "openai",
  "directory",
];

function anyValue(random: Random, depth: number): unknown {
  const scalars = [
    CANARY,
    `https://${CANARY}@h.example`,
    `{"a":"${CANARY}"}`,
    `["${CANARY}"]`,
    "",
    0,
    -1,
    Number.NaN,
    1e300,
    true,
    null,
    undefined,
    7n,
    () => CANARY,
    Symbol.iterator,
    new Date(0),
    /x/,
  ];
  if (depth === 0 || chance(random, 0.3)) return pick<unknown>(random, scalars);
  if (chance(random, 0.3)) return several(random, 0, 4, () => anyValue(random, depth - 1));
  return Object.fromEntries(several(random, 0, 4, () => [pick(random, KEYS), anyValue(random, depth - 1)]));
}

function wrongWith(one: Case, problems: readonly string[]): string | null {
  const told = problems.find((problem) => problem.includes(CANARY) || /[\r\n]/.test(problem));
  if (told !== undefined) return `a value is quoted: ${JSON.stringify(told)}`;
  if (one.wild.length > 0) return null;
  if (one.wrongs.length === 0) return problems.length === 0 ? null : `refused: ${problems.join(" | ")}`;
  const unnamed = pathsOf(one).filter((path) => !problems.some((problem) => names(problem, path)));
  return unnamed.length === 0
    ? null
    : `${unnamed.join(", ")} not named among: ${problems.join(" | ") || "nothing"}`;
}

/** The path itself, or something within it; a source's secret is named within the source. */
function names(problem: string, path: string): boolean {
  const from = path === "CLIENT_KEYS" ? problem.replace(/^IDENTITY\[\d+\]\./, "") : problem;
  return from.startsWith(path) && /^[ .[]/.test(from.slice(path.length));
}
