/** Random mutations of a valid config: `readConfig` never throws, never quotes a secret and never breaks its own rules. */
import { expect, it } from "vitest";
import { readConfig, type Config } from "../../../src/gateway/config/config.ts";
import type { CentralKey } from "../../../src/gateway/provider/provider.ts";
import { registry } from "../../../src/gateway/wiring.ts";
import type { ConfigIssues } from "../../../src/shared/config/environment.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { BUCKET, CANARY, CLIENT_KEYS, DATABASE, DATASET, QUEUE, SERVICE } from "./read-config.ts";
import { TABLES } from "./valid-config.ts";

const HOSTILE: readonly unknown[] = [
  undefined,
  null,
  "",
  " ",
  0,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  true,
  false,
  [],
  {},
  [[]],
  [null],
  [{}],
  "null",
  "[]",
  "{}",
  '{"a":',
  "\0",
  "\ud800",
  "__proto__",
  "constructor",
  "toString",
  "https://",
  "http://[",
  "https://user:pass@h/?q#f",
  "[".repeat(5000),
  '{"__proto__":{"type":"openai"}}',
  () => "called",
  Symbol("s"),
  10n,
  new Date(0),
  new Map(),
  { toString: null },
  { writeDataPoint: 1 },
  { type: "openai", base_url: "https://h.example", keys: ["OPENAI_KEY"] },
];

/** The value with one part of it, at random depth, replaced, removed or added. */
function mutate(value: unknown, random: () => number): unknown {
  const hostile = HOSTILE[between(random, 0, HOSTILE.length - 1)];
  if (typeof value !== "object" || value === null || random() < 0.15) return hostile;
  const keys = Object.keys(value);
  const key = keys[between(random, 0, keys.length - 1)];
  if (Array.isArray(value)) {
    if (key === undefined || random() < 0.2) return [...(value as unknown[]), hostile];
    return (value as unknown[]).with(Number(key), mutate(value[Number(key)], random));
  }
  const table = value as Record<string, unknown>;
  if (key === undefined || random() < 0.2) {
    const added =
      ["__proto__", "constructor", "x", "keys", "type", "", "LEDGER"][between(random, 0, 6)] ?? "";
    return Object.defineProperty({ ...table }, added, { value: hostile, enumerable: true });
  }
  if (random() < 0.2) return Object.fromEntries(Object.entries(table).filter(([name]) => name !== key));
  return { ...table, [key]: mutate(table[key], random) };
}

function faultsOfIssues({ issues }: ConfigIssues): string[] {
  return issues.length === 0 ? ["no issue"] : issues.filter((issue) => issue.includes(CANARY));
}

const isBindingOrNull = (binding: object | null, method: string): boolean =>
  binding === null || typeof (binding as Record<string, unknown>)[method] === "function";

const valuesOf = (key: CentralKey): readonly unknown[] =>
  Object.values(key).filter((value) => value !== null);

/** The rules of a valid config that this one breaks. */
function faultsOfConfig({ providers, sources, limits, recording, ...bindings }: Config): string[] {
  const faults: string[] = [];
  if (providers.size === 0 || sources.length === 0) faults.push("no provider or no source");
  const verifies = sources.some((source) => source.verifies);
  for (const { name, baseUrl, keys } of providers.values()) {
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) faults.push(`name ${name}`);
    if (!/^https:\/\/[^/?#@]+(\/[^?#]*)?$/.test(baseUrl)) faults.push(`base_url ${baseUrl}`);
    if (keys.flatMap(valuesOf).some((value) => typeof value !== "string" || value.trim() === ""))
      faults.push(`${name} has a bad key`);
    if (keys.length > 0 && !verifies) faults.push(`${name} is an open relay`);
  }
  for (const [name, limit] of Object.entries({ ...limits, ...limits.observeBytes, observeBytes: 0 })) {
    if (!Number.isSafeInteger(limit) || limit < 0) faults.push(`limit ${name}`);
  }
  const { queue, records, interceptions, overrides, forwardApi } = bindings;
  if (recording.required && !queue && !records) faults.push("nothing can be recorded");
  const { required, allEvents, prompts, content } = recording;
  for (const flag of [required, allEvents, prompts, forwardApi, ...Object.values(content)])
    if (typeof flag !== "boolean") faults.push("a flag that is not a boolean");
  if (recording.patterns.some((pattern) => "".search(pattern) >= 0)) faults.push("an empty pattern");
  if (!isBindingOrNull(queue, "sendBatch")) faults.push("queue");
  if (!isBindingOrNull(records, "fetch")) faults.push("records");
  for (const dataset of [interceptions, overrides])
    if (!isBindingOrNull(dataset, "writeDataPoint")) faults.push("data set");
  return faults;
}

const SECRETS = {
  OPENAI_KEY: `sk-${CANARY}-1`,
  OPENAI_KEY_2: `sk-${CANARY}-2`,
  AIG_TOKEN: `cf-${CANARY}`,
  CLIENT_KEYS,
  END_USER_KEY: `${CANARY}-0123456789abcdef0123456789abcdef`,
};
const BINDINGS = {
  EVENTS: QUEUE,
  RECORDS: SERVICE,
  INTERCEPTIONS: DATASET,
  OVERRIDES: DATASET,
  FORWARD_API: "true",
};

it("no mutation makes readConfig throw, quote a secret, or return a config that breaks its own rules", () => {
  const counts = { valid: 0, rejected: 0 };
  forSeeds(6000, (seed) => {
    const random = seededRandom(seed);
    let vars: unknown = { ...TABLES, ...BINDINGS, ...SECRETS };
    for (let times = between(random, 1, 3); times > 0; times -= 1) vars = mutate(vars, random);
    if (typeof vars !== "object" || vars === null) return;
    const env = vars as Record<string, unknown>;
    if (random() < 0.3 && typeof env["PROVIDERS"] === "object") {
      env["PROVIDERS"] = JSON.stringify(env["PROVIDERS"], (_, inner: unknown) =>
        typeof inner === "bigint" ? String(inner) : inner,
      );
    }
    const config = readConfig(env, registry);
    counts["issues" in config ? "rejected" : "valid"] += 1;
    expect("issues" in config ? faultsOfIssues(config) : faultsOfConfig(config)).toEqual([]);
  });
  expect(counts.valid).toBeGreaterThan(100);
  expect(counts.rejected).toBeGreaterThan(3000);
});

it.each([
  ["LEDGER", DATABASE],
  ["ARCHIVE", BUCKET],
])("the valid config with %s added is rejected", (name, binding) => {
  expect(readConfig({ ...TABLES, ...BINDINGS, ...SECRETS }, registry)).not.toHaveProperty("issues");
  const env = { ...TABLES, ...BINDINGS, ...SECRETS, [name]: binding };
  expect(readConfig(env, registry)).toHaveProperty("issues");
});
