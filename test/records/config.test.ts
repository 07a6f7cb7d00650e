import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { readConfig, type Config } from "../../src/records/config/config.ts";
import { between, forSeeds, seededRandom } from "../support/rechunk.ts";
import { consoleOff } from "../support/console-settings.ts";

type Vars = Record<string, unknown>;

const SHA = "a".repeat(64);

/** Bindings with the methods that identify their kind. */
const DATABASE = { prepare: () => undefined, batch: () => undefined };
const BUCKET = { put: () => undefined, createMultipartUpload: () => undefined };
const QUEUE = { send: () => undefined, sendBatch: () => undefined };

/** @throws with the issues of an invalid config. */
function read(vars: Vars): Config {
  const config = readConfig({ LEDGER: DATABASE, ...vars });
  if ("issues" in config) throw new Error(config.issues.join("\n"));
  return config;
}

function issuesOf(vars: Vars): readonly string[] {
  const config = readConfig({ LEDGER: DATABASE, ...vars });
  return "issues" in config ? config.issues : [];
}

const KEY = `PRIVATE+KEY+ai.example.com/records+0a1b2c3d+${btoa(`\u0001${"k".repeat(32)}`)}`;
const SEALED = { SEALS: { origin: "ai.example.com/records" }, SEAL_KEY: KEY };

describe("the settings of seals", () => {
  it("have one key, or two during a rotation", () => {
    expect(read(SEALED).seals).toEqual({ keys: [KEY], publish: false });
    const next = KEY.replace("0a1b", "ffff");
    expect(read({ ...SEALED, SEAL_KEY: `${next} ${KEY}` }).seals?.keys).toEqual([next, KEY]);
    const SEALS = JSON.stringify({ origin: "ai.example.com/records", publish: true });
    expect(read({ ...SEALED, SEALS, ARCHIVE: BUCKET }).seals?.publish).toBe(true);
    expect(read({ SEALS: { origin: "ai.example.com/records" } }).seals).toBeNull();
  });

  it.each<[string, Vars, string]>([
    ["an empty key", { ...SEALED, SEAL_KEY: "" }, "SEAL_KEY must not be empty"],
    ["a blank key", { ...SEALED, SEAL_KEY: " \n" }, "SEAL_KEY must not be empty"],
    ["a short key", { ...SEALED, SEAL_KEY: KEY.slice(0, -5) }, "SEAL_KEY must be a private key"],
    [
      "a public key",
      { ...SEALED, SEAL_KEY: KEY.replace("PRIVATE+KEY+", "") },
      "SEAL_KEY must be a private key",
    ],
    ["three keys", { ...SEALED, SEAL_KEY: `${KEY} ${KEY} ${KEY}` }, "SEAL_KEY must be a private key"],
    [
      "a key of another log",
      { ...SEALED, SEALS: { origin: "other" } },
      "SEAL_KEY must be a key for SEALS.origin",
    ],
    ["a key without an origin", { SEAL_KEY: KEY }, "SEALS.origin is required with SEAL_KEY"],
    ["an origin with a blank", { SEALS: { origin: "a b" } }, "SEALS.origin must be a name"],
    [
      "publication without a bucket",
      { ...SEALED, SEALS: { ...SEALED.SEALS, publish: true } },
      "SEALS.publish requires ARCHIVE",
    ],
    [
      "publication without a key",
      { SEALS: { publish: true }, ARCHIVE: BUCKET },
      "SEALS.publish requires the secret SEAL_KEY",
    ],
    ["an unknown setting", { SEALS: { origins: "a" } }, "SEALS.origins is not a known key"],
    ["no ledger", { ...SEALED, LEDGER: null, ARCHIVE: BUCKET }, "SEAL_KEY requires LEDGER"],
  ])("reject %s", (_, vars, issue) => {
    const issues = issuesOf(vars);
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(issue);
    expect(issues.join()).not.toContain("PRIVATE");
  });
});

describe("the records Worker's config", () => {
  it("has defaults", () => {
    expect(read({})).toEqual({
      database: DATABASE,
      archive: null,
      budgetObjects: null,
      retention: {
        days: {
          prompts: 30,
          thoughts: 30,
          tools: 30,
          overrides: 30,
          passthroughs: 30,
          refusals: 30,
          interceptions: 30,
          anomalies: 30,
          budgets: 400,
          unauthenticated: 30,
          accesses: 400,
          totals: 0,
        },
        maxBytes: 8_000_000_000,
      },
      ...consoleOff(),
      deadLetterQueue: null,
      eventMac: { keys: [], acceptsMissing: false },
      seals: null,
    });
  });

  const MAC_KEY = "0123456789abcdefghijklmnopqrstuv";

  it("reads the key of the events' MACs, or two, and whether events without a MAC are accepted", () => {
    expect(read({ EVENT_MAC_KEY: `${MAC_KEY}\n` }).eventMac).toEqual({
      keys: [MAC_KEY],
      acceptsMissing: false,
    });
    const EVENT_MAC_KEY = `${MAC_KEY} ${MAC_KEY}x`;
    for (const [EVENT_MAC, acceptsMissing] of [
      ["accept", true],
      ["require", false],
    ])
      expect(read({ EVENT_MAC_KEY, EVENT_MAC }).eventMac).toEqual({
        keys: [MAC_KEY, `${MAC_KEY}x`],
        acceptsMissing,
      });
  });

  // A key that can be guessed, or a setting without its key, would promise a check that proves nothing.
  it.each([
    ["is empty", { EVENT_MAC_KEY: "" }, "EVENT_MAC_KEY must not be empty"],
    [
      "has 31 bytes",
      { EVENT_MAC_KEY: MAC_KEY.slice(1) },
      "EVENT_MAC_KEY must have at least 32 bytes in each key",
    ],
    [
      "has a second key of 5 bytes",
      { EVENT_MAC_KEY: `${MAC_KEY} 12345` },
      "EVENT_MAC_KEY must have at least 32 bytes in each key",
    ],
    [
      "repeats one word",
      { EVENT_MAC_KEY: "secret".repeat(8) },
      "EVENT_MAC_KEY must be random: it has too few different characters",
    ],
    [
      "has three keys",
      { EVENT_MAC_KEY: `${MAC_KEY} ${MAC_KEY}x ${MAC_KEY}y` },
      "EVENT_MAC_KEY must be one key, or two with one space between (npm run keys -- mac)",
    ],
    [
      "has a key twice",
      { EVENT_MAC_KEY: `${MAC_KEY} ${MAC_KEY}` },
      "EVENT_MAC_KEY must not have the same key twice",
    ],
    [
      "has a tab between two keys",
      { EVENT_MAC_KEY: `${MAC_KEY}\t${MAC_KEY}x` },
      "EVENT_MAC_KEY must be visible ASCII",
    ],
    ["is a placeholder", { EVENT_MAC_KEY: `<${MAC_KEY}>` }, "EVENT_MAC_KEY must not be a placeholder"],
    [
      "is missing beside EVENT_MAC",
      { EVENT_MAC: "require" },
      "EVENT_MAC_KEY is required: the configuration names it as a secret",
    ],
    [
      "stands beside another EVENT_MAC",
      { EVENT_MAC_KEY: MAC_KEY, EVENT_MAC: "off" },
      'EVENT_MAC must be one of "require", "accept"',
    ],
    [
      "has a misspelt name",
      { EVENT_MAC_KEYS: MAC_KEY },
      "EVENT_MAC_KEYS is not a known key (did you mean EVENT_MAC_KEY?)",
    ],
  ])("rejects an EVENT_MAC_KEY that %s", (_, vars, issue) => {
    expect(issuesOf(vars)).toEqual([issue]);
  });

  it("accepts the name of the dead-letter queue, and no other value", () => {
    expect(read({ DEAD_LETTER_QUEUE: "llm-log-failed" }).deadLetterQueue).toBe("llm-log-failed");
    for (const DEAD_LETTER_QUEUE of ["", "Dead", "a b", "-x", 7, true, ["dead"]])
      expect(issuesOf({ DEAD_LETTER_QUEUE })).toEqual(["DEAD_LETTER_QUEUE must be the name of a queue"]);
  });

  it.each<[string, Vars]>([
    ["a database", { LEDGER: DATABASE }],
    ["an archive", { LEDGER: null, ARCHIVE: BUCKET }],
    ["both", { LEDGER: DATABASE, ARCHIVE: BUCKET }],
  ])("accepts %s and passes the bindings on unchanged", (_, vars) => {
    const { database, archive } = read(vars);
    expect(database).toBe(vars["LEDGER"] ?? null);
    expect(archive).toBe(vars["ARCHIVE"] ?? null);
  });

  it("accepts a binding whose methods belong to its class", () => {
    class Database {
      prepare(): void {}
    }
    const LEDGER = new Database();
    expect(read({ LEDGER }).database).toBe(LEDGER);
  });

  it.each([{ LEDGER: null }, { LEDGER: undefined }, { LEDGER: undefined, ARCHIVE: null }])(
    "J6 rejects %o, because nothing would store the events",
    (vars) => {
      expect(issuesOf(vars)).toEqual([
        "LEDGER is required unless ARCHIVE is bound: without them nothing stores the events",
      ]);
    },
  );

  it.each([
    [{ LEDGER: "ai-ledger" }, "LEDGER must be a D1 database"],
    [{ LEDGER: {} }, "LEDGER must be a D1 database"],
    [{ LEDGER: { prepare: "text" } }, "LEDGER must be a D1 database"],
    [{ LEDGER: QUEUE }, "LEDGER must be a D1 database"],
    [{ ARCHIVE: "ai-archive" }, "ARCHIVE must be an R2 bucket"],
    [{ ARCHIVE: DATABASE }, "ARCHIVE must be an R2 bucket"],
  ])("J2 rejects %o", (vars, issue) => {
    expect(issuesOf(vars)).toContain(issue);
  });

  it("reports every wrong key at once", () => {
    const keys = issuesOf({ LEDGER: {}, ARCHIVE: "x", RETENTION_DAYS: -1, ADMIN_TOKEN: "token" }).map(
      (issue) => issue.split(" ", 1)[0],
    );
    expect(new Set(keys)).toEqual(new Set(["LEDGER", "ARCHIVE", "RETENTION_DAYS", "ADMIN_TOKEN"]));
  });

  it("is valid for the bindings of wrangler.records.toml", () => {
    const config = readConfig(env as unknown as Vars);
    expect(config).toMatchObject({
      archive: null,
      retention: { days: { interceptions: 30 } },
      console: { origins: [], tokens: [] },
    });
    expect((config as Config).database).not.toBeNull();
  });
});

describe("RETENTION_DAYS", () => {
  it.each([
    [0, 0],
    [1, 1],
    [60, 60],
    [36_500, 36_500],
    ["0", 0],
    ["30", 30],
    [" 7 \n", 7],
    ["0090", 90],
    [undefined, 30],
  ])("reads %j as %i days", (RETENTION_DAYS, days) => {
    expect(read({ RETENTION_DAYS }).retention.days.interceptions).toBe(days);
  });

  it.each([
    -1,
    1.5,
    36_501,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e20,
    "-1",
    "1.5",
    "abc",
    "60 days",
    "",
    " ",
    "1e2",
    "0x10",
    "٣٠",
    "9999999",
    null,
    true,
    [30],
    {},
  ])("J2 rejects %j", (RETENTION_DAYS) => {
    expect(issuesOf({ RETENTION_DAYS })).toEqual([
      "RETENTION_DAYS must be a whole number of days from 0 to 36500",
    ]);
  });
});

const digestsOf = (ADMIN_TOKEN: string | undefined): string[] =>
  read({ ADMIN_TOKEN }).console.tokens.map(({ sha256 }) => sha256);

describe("ADMIN_TOKEN", () => {
  it("is the token's SHA-256, with or without a line break after it", () => {
    expect(digestsOf(SHA)).toEqual([SHA]);
    expect(digestsOf(`${SHA}\n`)).toEqual([SHA]);
    expect(digestsOf(`${SHA} ${SHA}`)).toEqual([SHA, SHA]);
    expect(digestsOf(undefined)).toEqual([]);
  });

  const NOT_A_DIGEST =
    "must be a SHA-256 in 64 lower-case hex digits (npm run keys -- admin), or two of them with a space between";

  it.each([
    ["empty", "", "must not be empty"],
    ["blank", " ", "must not be empty"],
    ["the token itself", "aei_admin-CANARY0123456789CANARY0123456789CANARY012", NOT_A_DIGEST],
    ["in capitals", "A".repeat(64), NOT_A_DIGEST],
    ["too short", "a".repeat(63), NOT_A_DIGEST],
    ["too long", "a".repeat(65), NOT_A_DIGEST],
    ["not hexadecimal", `${"a".repeat(63)}g`, NOT_A_DIGEST],
    ["two digests with a comma", `${SHA},${SHA}`, NOT_A_DIGEST],
    ["three digests", `${SHA} ${SHA} ${SHA}`, NOT_A_DIGEST],
    ["in base64", "CANARYqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq=", NOT_A_DIGEST],
    ["a placeholder", "<sha256>", "must not be a placeholder"],
    ["a number", 5, "must be a text"],
    ["a table", { sha256: SHA }, "must be a text"],
    ["null", null, "must be a text"],
  ])("J1 J2 rejects a value that is %s by its name, without printing it", (_, ADMIN_TOKEN, issue) => {
    const issues = issuesOf({ ADMIN_TOKEN });
    expect(issues).toEqual([`ADMIN_TOKEN ${issue}`]);
    const value = typeof ADMIN_TOKEN === "string" ? ADMIN_TOKEN.trim() : "";
    expect(value !== "" && issues.join().includes(value)).toBe(false);
  });
});

const HOSTILE: readonly unknown[] = [
  undefined,
  null,
  "",
  " ",
  -1,
  1.5,
  Number.NaN,
  true,
  [],
  {},
  "0",
  "CANARY",
  "CANARY".repeat(20),
  () => "called",
  Symbol("s"),
  10n,
  new Date(0),
  { toString: null },
  DATABASE,
  BUCKET,
  QUEUE,
  SHA,
];

/** The rules of a valid config that this one breaks. */
function faultsOf({ database, archive, retention, console: { tokens } }: Config): string[] {
  const faults: string[] = [];
  if (!database && !archive) faults.push("nothing stores the events");
  if (database && typeof database.prepare !== "function") faults.push("database");
  if (archive && typeof archive.createMultipartUpload !== "function") faults.push("archive");
  const counts = [...Object.values(retention.days), retention.maxBytes];
  if (!counts.every((count) => Number.isSafeInteger(count) && count >= 0)) faults.push("retention");
  if (!tokens.every(({ sha256 }) => /^[0-9a-f]{64}$/.test(sha256))) faults.push("admin token");
  return faults;
}

it("no hostile value makes readConfig throw, print it, or return a config that breaks its own rules", () => {
  const counts = { valid: 0, rejected: 0 };
  forSeeds(2000, (seed) => {
    const random = seededRandom(seed);
    const vars: Vars = { LEDGER: DATABASE, ARCHIVE: BUCKET, RETENTION_DAYS: "30", ADMIN_TOKEN: SHA };
    for (const name of Object.keys(vars))
      if (random() < 0.4) vars[name] = HOSTILE[between(random, 0, HOSTILE.length - 1)];
    const config = readConfig(vars);
    counts["issues" in config ? "rejected" : "valid"] += 1;
    const faults =
      "issues" in config ? config.issues.filter((issue) => issue.includes("CANARY")) : faultsOf(config);
    expect(faults).toEqual([]);
  });
  expect(counts.valid).toBeGreaterThan(100);
  expect(counts.rejected).toBeGreaterThan(1000);
});
