/**
 * Target `configs`: random environments through the `readConfig` of both Workers. Checks:
 *
 * - Reading never throws.
 * - A valid environment is accepted.
 * - Each known fault is named by its path.
 * - A config issue never quotes a value, above all not a secret.
 */
import { readConfig as readGatewayConfig } from "../../src/gateway/config/config.ts";
import { registry } from "../../src/gateway/wiring.ts";
import { readConfig as readRecordsConfig } from "../../src/records/config/config.ts";
import { seededRandom } from "../../test/support/rechunk.ts";
import { chance, newSeed, pick, several, type Random } from "../random.ts";
import { shorter } from "../shrink.ts";
import type { Target } from "../target.ts";
import { drawFaults, GATEWAY_FAULTS, RECORDS_FAULTS, type Fault, type Faults } from "./faults.ts";
import { CANARY, gatewaySettings, recordsSettings, type Settings } from "./valid-settings.ts";

type WorkerName = "gateway" | "records";

type WorkerConfig = {
  readonly validSettings: (random: Random) => Settings;
  readonly faults: Faults;
  readonly allFaults: readonly Fault[];
  readonly keys: readonly string[];
  readonly readIssues: (settings: Settings) => readonly string[];
};

type Case = {
  readonly worker: WorkerName;
  readonly seed: number;
  /** Indices into the Worker's faults. The issues must name each. */
  readonly faults: readonly number[];
  /** Keys with an arbitrary value. Such a case only checks that nothing is thrown or quoted. */
  readonly arbitrary: readonly string[];
  /** Whether tables are JSON strings, as in `.dev.vars` and the dashboard. */
  readonly asText: boolean;
};

const issuesOf = (config: object): readonly string[] =>
  "issues" in config ? (config.issues as readonly string[]) : [];

function workerConfig(
  validSettings: WorkerConfig["validSettings"],
  faults: Faults,
  readIssues: WorkerConfig["readIssues"],
): WorkerConfig {
  const keys = Object.keys(validSettings(() => 0));
  return { validSettings, faults, allFaults: [...faults.tables, ...faults.fields], keys, readIssues };
}

const WORKERS: Readonly<Record<WorkerName, WorkerConfig>> = {
  gateway: workerConfig(gatewaySettings, GATEWAY_FAULTS, (settings) =>
    issuesOf(readGatewayConfig(settings, registry)),
  ),
  records: workerConfig(recordsSettings, RECORDS_FAULTS, (settings) => issuesOf(readRecordsConfig(settings))),
};

export const configs: Target<Case> = {
  name: "configs",
  generate: (random) => {
    const worker = chance(random, 0.9) ? "gateway" : "records";
    const { faults, allFaults, keys } = WORKERS[worker];
    return {
      worker,
      seed: newSeed(random),
      faults: chance(random, 0.1) ? [] : drawFaults(random, faults).map((one) => allFaults.indexOf(one)),
      arbitrary: chance(random, 0.3) ? several(random, 1, 4, () => pick(random, keys)) : [],
      asText: chance(random, 0.3),
    };
  },
  check: async (one) => {
    const issues = WORKERS[one.worker].readIssues(settingsOf(one));
    const kind =
      one.arbitrary.length > 0 ? "arbitrary values" : one.faults.length > 0 ? "known faults" : "valid";
    const result = issues.length > 0 ? "rejected" : "accepted";
    return { failure: findFailure(one, issues), category: `${one.worker}, ${kind}, ${result}` };
  },
  smaller: function* (one) {
    for (const arbitrary of shorter(one.arbitrary)) yield { ...one, arbitrary };
    for (const faults of shorter(one.faults)) yield { ...one, faults };
    if (one.asText) yield { ...one, asText: false };
  },
  show: (one) => {
    const shown = JSON.stringify(settingsOf(one), printable, 1);
    const faults = pathsOf(one).join(", ") || "none";
    return `${one.worker}; faults: ${faults}; arbitrary values: ${one.arbitrary.join(", ") || "none"}\n${shown}`;
  },
};

/** Replaces values that JSON cannot hold with their type, so that the case can be printed. */
const printable = (_: string, value: unknown): unknown =>
  ["bigint", "function", "symbol", "undefined"].includes(typeof value) ? `(${typeof value})` : value;

const pathsOf = ({ worker, faults }: Case): string[] =>
  faults.map((at) => WORKERS[worker].allFaults[at]?.path ?? "");

const TABLES = ["PROVIDERS", "IDENTITY", "OWNER_ASSERTION", "DELEGATION", "RECORDING", "LIMITS"];

function settingsOf({ worker, seed, faults, arbitrary, asText }: Case): Settings {
  const { validSettings, allFaults } = WORKERS[worker];
  const random = seededRandom(seed);
  const settings = validSettings(random);
  for (const at of faults) allFaults[at]?.apply(settings, seededRandom(seed + at));
  for (const [at, name] of arbitrary.entries()) settings[name] = arbitraryValue(seededRandom(seed - at), 3);
  if (!asText) return settings;
  for (const name of TABLES) {
    const value = settings[name];
    if (typeof value === "object" && value !== null && survivesJson(value))
      settings[name] = JSON.stringify(value);
  }
  return settings;
}

/** JSON cannot hold NaN, bigint or undefined: such a value would change, and its fault with it. */
function survivesJson(value: object): boolean {
  let survives = true;
  JSON.stringify(value, (_, inner: unknown) => {
    if (
      inner === undefined ||
      typeof inner === "bigint" ||
      (typeof inner === "number" && !Number.isFinite(inner))
    )
      survives = false;
    return typeof inner === "bigint" ? null : inner;
  });
  return survives;
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

function arbitraryValue(random: Random, depth: number): unknown {
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
  if (chance(random, 0.3)) return several(random, 0, 4, () => arbitraryValue(random, depth - 1));
  return Object.fromEntries(
    several(random, 0, 4, () => [pick(random, KEYS), arbitraryValue(random, depth - 1)]),
  );
}

function findFailure(one: Case, issues: readonly string[]): string | null {
  const quoting = issues.find((issue) => issue.includes(CANARY) || /[\r\n]/.test(issue));
  if (quoting !== undefined) return `a value is quoted: ${JSON.stringify(quoting)}`;
  if (one.arbitrary.length > 0) return null;
  if (one.faults.length === 0) return issues.length === 0 ? null : `rejected: ${issues.join(" | ")}`;
  const unnamed = pathsOf(one).filter((path) => !issues.some((issue) => names(issue, path)));
  return unnamed.length === 0
    ? null
    : `${unnamed.join(", ")} not named in: ${issues.join(" | ") || "no issue"}`;
}

/** Whether the issue names the path or a path within it. The issue of `CLIENT_KEYS` names it within its source. */
function names(issue: string, path: string): boolean {
  const from = path === "CLIENT_KEYS" ? issue.replace(/^IDENTITY\[\d+\]\./, "") : issue;
  return from.startsWith(path) && /^[ .[]/.test(from.slice(path.length));
}
