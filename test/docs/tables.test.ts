import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { RECORDS, type RecordDefinition } from "../../src/events/fields.ts";
import { readConfig } from "../../src/gateway/config/config.ts";
import { PRESETS } from "../../src/gateway/config/presets.ts";
import { registry } from "../../src/gateway/wiring.ts";
import { readConfig as readRecordsConfig } from "../../src/records/config/config.ts";
import { BINDINGS, GATEWAY_SETTINGS, RECORDS_SETTINGS } from "../../src/shared/config/unread-names.ts";
import { CONFIG_KEYS, type ConfigKey } from "../../tools/tables/config-keys.ts";
import { PAGES, pageText, RECORD_FACTS_PATH, TABLES, withTables, type Page } from "../../tools/tables.ts";
import { recordFactsText } from "../../tools/tables/record-facts.ts";

const UNKNOWN_KEY = "zz_no_such_key";
const PROVIDERS = { a: { type: "openai", base_url: "https://a.example/v1" } };

const keysReadBy = (worker: ConfigKey["worker"]): readonly string[] =>
  CONFIG_KEYS.filter((entry) => entry.worker === worker).map(({ key }) => key);

const AWS = {
  access_key_id: "ACCESS",
  secret_access_key: "SECRET",
  region: "us-east-1",
  service: "a",
  [UNKNOWN_KEY]: 1,
};

/** A provider for each preset, with the settings that its address requires. */
function ofPresets(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  return Object.fromEntries(
    Object.entries(PRESETS).map(([name, { baseUrl }]) => [
      name,
      {
        ...Object.fromEntries(Array.from(baseUrl.matchAll(/\{(\w+)\}/g), ([, key = ""]) => [key, "a"])),
        [UNKNOWN_KEY]: 1,
      },
    ]),
  );
}

/** The keys of the gateway's tables, from the issue that each table reports about an unknown key. */
function tableKeys(): string[] {
  const env = {
    PROVIDERS: {
      a: {
        ...PROVIDERS.a,
        retries: { [UNKNOWN_KEY]: 1 },
        breaker: { [UNKNOWN_KEY]: 1 },
        concurrency: { max: 1, [UNKNOWN_KEY]: 1 },
        aws: AWS,
        ai_gateway: { [UNKNOWN_KEY]: 1 },
        entra: { [UNKNOWN_KEY]: 1 },
        [UNKNOWN_KEY]: 1,
      },
      ...ofPresets(),
    },
    IDENTITY: [{ source: "keys" }],
    CLIENT_KEYS: "[]",
    ACCESS: "access",
    SECRET: "secret",
    OWNER_ASSERTION: { [UNKNOWN_KEY]: 1, directory: { [UNKNOWN_KEY]: 1 } },
    DELEGATION: { [UNKNOWN_KEY]: 1 },
    RECORDING: { [UNKNOWN_KEY]: 1 },
    PRICES: { a: { [UNKNOWN_KEY]: 1, models: { m: { as: "n", [UNKNOWN_KEY]: 1 } } } },
    BUDGETS: { a: { requests: 1, [UNKNOWN_KEY]: 1 } },
    RATE_LIMITS: { a: { requests: 1, [UNKNOWN_KEY]: 1 } },
    BUDGET_OBJECTS: { idFromName: () => null },
    LIMITS: { [UNKNOWN_KEY]: 1 },
    CORS: { origins: ["https://app.example"], [UNKNOWN_KEY]: 1 },
  };
  const config = readConfig(env, registry);
  if (!("issues" in config)) throw new Error("unknown keys were accepted");
  const keys = config.issues.flatMap((issue) => {
    const [, path, known] = /^(.+)\.zz_no_such_key is not a known key \(known: (.+)\)$/.exec(issue) ?? [];
    if (path !== undefined && known !== undefined) {
      const named = path
        .replace(/^PROVIDERS\.[a-z-]+/, "PROVIDERS.<name>")
        .replace(/^PRICES\.a/, "PRICES.<provider>")
        .replace(/^(BUDGETS|RATE_LIMITS)\.a/, "$1.<name>")
        .replace(/models\.m$/, "models.<model>");
      return known.split(", ").map((key) => `${named}.${key}`);
    }
    // These three tables have required keys.
    if (/^(?:OWNER_ASSERTION\.directory|DELEGATION|PROVIDERS\.a\.entra)\b/.test(issue)) return [];
    throw new Error(`unexpected issue: ${issue}`);
  });
  // A nested table is represented by its keys.
  return [...new Set(keys)].filter((key) => !keys.some((other) => other.startsWith(`${key}.`)));
}

/** The names that `read` reads from an environment. */
function namesRead(
  env: Readonly<Record<string, unknown>>,
  read: (env: Readonly<Record<string, unknown>>) => object,
): string[] {
  const names = new Set<string>();
  const recording = new Proxy(env, {
    get: (target, name, self): unknown => {
      if (typeof name === "string") names.add(name);
      return Reflect.get(target, name, self);
    },
  });
  read(recording);
  return [...names];
}

/** The keys of a table of the records Worker, as its config lists them beside an unknown one; otherwise the name itself. */
function recordsKeys(name: string): string[] {
  const config = readRecordsConfig({ LEDGER: { prepare: () => null }, [name]: { unknown_key: 1 } });
  const issues = "issues" in config ? config.issues.join("\n") : "";
  const known = new RegExp(`^${name}\\.unknown_key is not a known key \\(known: (.*)\\)$`, "m").exec(issues);
  return known?.[1] === undefined ? [name] : known[1].split(", ").map((key) => `${name}.${key}`);
}

/** The variables, secrets and bindings that the gateway reads, without the tables and what belongs to the records Worker. */
function gatewayNames(): string[] {
  const env = { PROVIDERS, IDENTITY: [{ source: "keys" }], CLIENT_KEYS: "[]" };
  const tables = new Set(keysReadBy("gateway").map((key) => /^([A-Z_]+)(?:\[|\.)/.exec(key)?.[1]));
  const isRejected = (name: string): boolean => {
    const config = readConfig({ ...env, [name]: {} }, registry);
    return "issues" in config && config.issues.some((issue) => issue.includes("the records Worker"));
  };
  return namesRead(env, (read) => readConfig(read, registry)).filter(
    (name) => !tables.has(name) && !isRejected(name),
  );
}

/** The config of an environment that must be valid. */
function gatewayConfig(env: Readonly<Record<string, unknown>> = {}) {
  const config = readConfig({ PROVIDERS, ...env }, registry);
  if ("issues" in config) throw new Error(config.issues.join());
  return config;
}

const documentedDefault = (name: string): string | undefined =>
  CONFIG_KEYS.find(({ key }) => key === name)?.fallback;

/** The documented default of each key that has one in `defaults`. */
const documentedDefaults = (defaults: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.keys(defaults).map((name) => [name, documentedDefault(name)]));

/** The defaults as the table formats them. */
const formatted = (defaults: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, `\`${String(value)}\``]));

describe("the documentation's tables", () => {
  it.each(Object.keys(PAGES) as Page[])("match the code in %s (npm run tables)", async (page) => {
    expect(await withTables(page, pageText(page))).toBe(pageText(page));
  });

  it("appear on one page each", () => {
    expect(Object.values(PAGES).flat().toSorted()).toEqual(Object.keys(TABLES).toSorted());
  });

  it("list every record type with its fields", () => {
    for (const [type, { when }] of Object.entries(RECORDS)) {
      expect(TABLES.events()).toContain(`\`${type}\` | ${when} |`);
    }
    const documented = new Set(
      Array.from(TABLES.fields().matchAll(/^\| `(\w+)`/gm), ([, name = ""]) => name),
    );
    const records: readonly RecordDefinition[] = Object.values(RECORDS);
    const names = records.flatMap(({ fields, ledgerFields }) => Object.keys({ ...fields, ...ledgerFields }));
    expect(documented).toEqual(new Set(names));
  });
});

const topLevelNames = (worker: ConfigKey["worker"]): Set<string> =>
  new Set(keysReadBy(worker).flatMap((key) => /^[A-Z_]+/.exec(key)?.[0] ?? []));

describe("the table of configuration keys", () => {
  it("has the settings to which a misspelt name is compared", () => {
    const [gateway, records] = [topLevelNames("gateway"), topLevelNames("records")];
    for (const binding of BINDINGS) for (const set of [gateway, records]) set.delete(binding);
    // Not among the bindings that the gateway knows: there, it may be the name of a secret.
    records.delete("GATEWAY");
    // Secrets are named freely, so that no name is a misspelt one.
    for (const secret of ["CLIENT_KEYS", "BUDGET_KEY"]) gateway.delete(secret);
    for (const secret of ["ADMIN_TOKEN", "SEAL_KEY"]) records.delete(secret);
    for (const set of [gateway, records]) set.delete("EVENT_MAC_KEY");
    expect([...gateway].toSorted()).toEqual(GATEWAY_SETTINGS.toSorted());
    expect([...records].toSorted()).toEqual(RECORDS_SETTINGS.toSorted());
  });

  it("lists every key that the gateway reads, and no others", () => {
    const documented = keysReadBy("gateway").filter((key) => !key.startsWith("IDENTITY"));
    expect(documented.toSorted()).toEqual([...tableKeys(), ...gatewayNames()].toSorted());
  });

  it("lists every key that the records Worker reads, and no others", () => {
    const names = namesRead({ ADMIN_TOKEN: "0".repeat(64) }, readRecordsConfig).flatMap(recordsKeys);
    expect(keysReadBy("records").toSorted()).toEqual(names.toSorted());
  });

  it("lists every option of each identity source, and no others", () => {
    // With a store, because the source reads some options only then.
    const known = registry.sources.flatMap(({ source }) => {
      const IDENTITY = [{ source, [UNKNOWN_KEY]: 1, ...(source === "keys" && { store: "KEYS" }) }];
      const config = readConfig({ IDENTITY, CLIENT_KEYS: "[]" }, registry);
      const issues = "issues" in config ? config.issues.join("\n") : "";
      const options =
        /zz_no_such_key is not a known key \(known: (.+)\)$/m.exec(issues)?.[1]?.split(", ") ?? [];
      return options.map((option) =>
        option === "source" ? "IDENTITY[].source" : `IDENTITY[${source}].${option}`,
      );
    });
    const documented = CONFIG_KEYS.map(({ key }) => key).filter((key) => key.startsWith("IDENTITY"));
    expect(documented.toSorted()).toEqual([...new Set(known)].toSorted());
  });

  it("has the defaults of OWNER_ASSERTION and DELEGATION", () => {
    const { assertion, verifiers, delegation } = gatewayConfig({
      OWNER_ASSERTION: { directory: { url: "https://coder.example", token: "TOKEN" } },
      DELEGATION: { keys: ["GATEWAY_KEY"] },
      TOKEN: "t-secret-0123456789-abcdefghijklmn",
      GATEWAY_KEY: "g-secret-0123456789-abcdefghijklmn",
    });
    const { allow, onInvalid, signature, once, directory } = assertion;
    const defaults = {
      "OWNER_ASSERTION.allow": allow,
      "OWNER_ASSERTION.on_invalid": onInvalid,
      "OWNER_ASSERTION.signature": signature,
      "OWNER_ASSERTION.replay_cache": once,
      "OWNER_ASSERTION.directory.cache_ttl_s": (verifiers.directory?.cacheMs ?? 0) / 1000,
      "OWNER_ASSERTION.directory.negative_ttl_s": (verifiers.directory?.negativeMs ?? 0) / 1000,
      "OWNER_ASSERTION.directory.timeout_ms": verifiers.directory?.timeoutMs,
      "OWNER_ASSERTION.directory.on_down": directory,
      "DELEGATION.actor": delegation?.actor,
    };
    expect(documentedDefaults(defaults)).toEqual(formatted(defaults));
  });

  it("has the defaults of LIMITS, RECORDING and FORWARD_API", () => {
    const { limits, recording, forwardApi } = gatewayConfig();
    const { required, allEvents, logMac, prompts, content, patterns } = recording;
    const defaults = {
      "LIMITS.body_bytes": limits.bodyBytes,
      "LIMITS.upload_bytes": limits.uploadBytes,
      "LIMITS.bodies_bytes": limits.bodiesBytes,
      "LIMITS.body_ms": limits.bodyMs,
      "LIMITS.body_min_rate": limits.bodyMinRate,
      "LIMITS.body_ratio": limits.bodyRatio,
      "LIMITS.headers_ms": limits.headersMs,
      "LIMITS.idle_ms": limits.idleMs,
      "RECORDING.required": required,
      "RECORDING.all_events": allEvents,
      "RECORDING.log_mac": logMac,
      "RECORDING.prompts": prompts,
      "RECORDING.tool_inputs": content.toolInputs,
      "RECORDING.thoughts": content.thoughts,
      "RECORDING.error_messages": content.errorMessages,
      "RECORDING.network": recording.network,
      "RECORDING.response_hash": recording.responseHash,
      "RECORDING.end_users": recording.endUsers,
      FORWARD_API: forwardApi,
    };
    expect(documentedDefaults(defaults)).toEqual(formatted(defaults));
    expect([patterns.length, documentedDefault("RECORDING.redact")]).toEqual([0, "none"]);
    const { events, json } = limits.observeBytes;
    expect(documentedDefault("LIMITS.observe_bytes")).toBe(`\`${events}\`, for JSON \`${json}\``);
    const keys = keysReadBy("gateway").filter((key) => /^(?:LIMITS|RECORDING)\./.test(key));
    expect(keys.toSorted()).toEqual(
      [...Object.keys(defaults), "RECORDING.redact", "RECORDING.end_user_key", "LIMITS.observe_bytes"]
        .filter((key) => key.includes("."))
        .toSorted(),
    );
  });

  it("has the default of RETENTION_DAYS", () => {
    const config = readRecordsConfig({ LEDGER: { prepare: () => null } });
    if ("issues" in config) throw new Error(config.issues.join());
    expect(documentedDefault("RETENTION_DAYS")).toBe(`\`${config.retention.days.interceptions}\``);
  });
});

describe("the facts about record types that the gateway reads", () => {
  it("are those of the event field table", async () => {
    expect(readFileSync(RECORD_FACTS_PATH, "utf8")).toBe(await recordFactsText(RECORD_FACTS_PATH));
  });
});
