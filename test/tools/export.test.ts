/** `npm run export`: bundles of a sealed ledger, and what the check of a bundle finds. */
import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eventId } from "../../src/events/event-id.ts";
import { eraseFields, eventIdBytes, saltOf } from "../../src/records/ledger/seal/entry.ts";
import type { Signer } from "../../src/records/ledger/seal/note-keys.ts";
import { loadEvents } from "../../src/records/ledger/seal/rebuild.ts";
import { SCHEMA_VERSION, STORED_FIELDS } from "../../src/records/ledger/seal/schema.ts";
import { formatErased } from "../../src/records/ledger/seal/sealed-facts.ts";
import { queryOf } from "../../src/records/ledger/seal/seal-state.ts";
import { runSealer } from "../../src/records/ledger/seal/sealer.ts";
import { toBase64Url } from "../../src/shared/base64.ts";
import { main } from "../../tools/export.ts";
import { readArguments } from "../../tools/export/arguments.ts";
import type { Manifest } from "../../tools/export/bundle.ts";
import { sha256 } from "../../tools/export/bundle.ts";
import { collect } from "../../tools/export/collect.ts";
import { openSnapshot } from "../../tools/local/snapshot.ts";
import { inlined } from "../../tools/local/sql-literal.ts";
import { checkBundle } from "../../tools/export/check.ts";
import type { EventLine } from "../../tools/export/event-line.ts";
import {
  changeFile,
  DAY,
  NEEDLE,
  newSigner,
  others,
  seal,
  SEALED_AT,
  sealedLedger,
  store,
  textsOf,
  USAGE_ALONE,
} from "../support/evidence-ledger.ts";
import { everyEvent, PROMPT, START, TOOL } from "../support/in-workerd/events.ts";
import { sqliteD1 } from "../support/sqlite-d1.ts";
import { OWNER } from "../support/in-workerd/values.ts";

const place = { remote: false, environment: null, persistTo: undefined };
const range = { from: Date.UTC(2026, 10, 23), to: Date.UTC(2026, 10, 24) };
const GIVEN = ["--initiator", "alice", "--output", "out", "--requested-by", "ops"];

describe("npm run export reads", () => {
  const command = { verb: "export", initiator: "alice", output: "out", requestedBy: "ops", reason: null };
  it.each([
    [[...GIVEN, ...DAY], { ...command, ...range, place }],
    [
      [...GIVEN, "--from", "2026-11-23T01:00:00+01:00", "--to", "2026-11-23T00:00:00.001Z", "--remote"],
      {
        ...command,
        from: range.from,
        to: range.from + 1,
        place: { ...place, remote: true },
      },
    ],
    [
      [...GIVEN, ...DAY, "--database", "copy.sqlite", "--reason", "case 7"],
      { ...command, ...range, reason: "case 7", place: { file: "copy.sqlite" } },
    ],
    [["check", "out"], { verb: "check", folder: "out", keys: [], manifestSha256: null }],
    [
      ["check", "out", "--manifest-sha256", "AB".repeat(32)],
      { verb: "check", folder: "out", keys: [], manifestSha256: "ab".repeat(32) },
    ],
  ])("%j", (args, expected) => {
    expect(readArguments(args)).toEqual(expected);
  });

  it.each([
    [[...DAY, "--output", "out"], "--initiator is required"],
    [["--initiator", "alice", ...DAY], "--output is required"],
    [[...GIVEN, "--from", "2026-11-23"], "--from and --to are required"],
    [[...GIVEN, "--from", "2026-02-30", "--to", "2026-03-02"], "--from must be a day"],
    [[...GIVEN, "--from", "2026-02-30T00:00:00Z", "--to", "2026-03-02"], "--from must be a day"],
    [[...GIVEN, "--from", "2026-11-23T00:00:00", "--to", "2026-11-24"], "--from must be a day"],
    [[...GIVEN, "--from", "2026-11-23", "--to", "tomorrow"], "--to must be a day"],
    [[...GIVEN, "--from", "2026-11-23", "--to", "2026-11-23"], "--to must be later"],
    [[...GIVEN, ...DAY, "--remote", "--local"], "--remote excludes"],
    [[...GIVEN, ...DAY, "--database", "f", "--remote"], "--database excludes"],
    [[...GIVEN, ...DAY, "--env", "records"], "--env must not"],
    [[...GIVEN, ...DAY, "--everything"], "Unknown option"],
    [["check"], "check requires one folder"],
    [["check", "a", "b"], "check requires one folder"],
    [["check", "a", "--key", "k"], "--key must be a verifier key"],
    [["check", "a", "--manifest-sha256", "12"], "must have 64"],
  ])("no %j", (args, issue) => {
    expect(readArguments(args)).toContain(issue);
  });
});

let root: string;
let folder: string;
let path: string;
let signer: Signer;
let database: D1Database;
let made: { readonly root: string; readonly signer: Signer };

beforeAll(async () => {
  made = { root: mkdtempSync(join(tmpdir(), "export-")), signer: await newSigner() };
  const ledger = join(made.root, "ledger.sqlite");
  await sealedLedger(ledger, made.signer);
  await main(["--initiator", OWNER, ...DAY, "--database", ledger, "--output", join(made.root, "bundle")]);
});
afterAll(() => rmSync(made.root, { recursive: true, force: true }));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "export-"));
  folder = join(root, "bundle");
  path = join(root, "ledger.sqlite");
  copyFileSync(join(made.root, "ledger.sqlite"), path);
  database = sqliteD1(path);
  ({ signer } = made);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** The bundle of the unchanged ledger. */
const copyBundle = (): void => cpSync(join(made.root, "bundle"), folder, { recursive: true });

const exportDay = (...further: readonly string[]): Promise<number> =>
  main(["--initiator", OWNER, ...DAY, "--database", path, "--output", folder, ...further]);

const check = async (manifestSha256: string | null = null): Promise<readonly string[]> =>
  (await checkBundle(folder, { keys: [signer.verifierKey], manifestSha256 })).issues;

const lines = (): EventLine[] =>
  readFileSync(join(folder, "events.ndjson"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as EventLine);

const lineOf = (event: Parameters<typeof eventId>[0]): EventLine | undefined =>
  lines().find(({ event_id }) => event_id === eventId(event));

const run = async (sql: string, ...values: readonly unknown[]): Promise<void> => {
  const { meta } = await database
    .prepare(sql)
    .bind(...values)
    .run();
  expect(meta.changes).toBeGreaterThan(0);
};

/** The events of a person that have a row of their own. */
const personal = [
  ...everyEvent.filter(
    ({ record_type: type }) =>
      !["refusal_count", "ledger_access", "token_usage", "budget_change"].includes(type),
  ),
  USAGE_ALONE,
];

describe("a bundle of an intact ledger", () => {
  it("has each event of the person's requests with its proof, and passes the check", async () => {
    expect(await exportDay()).toBe(0);
    expect(await check()).toEqual([]);
    expect(lines().map(({ event_id, status }) => [event_id, status])).toEqual(
      personal
        .map((event) => [eventId(event), "sealed"])
        .toSorted(([a = ""], [b = ""]) => (a.slice(19) + a < b.slice(19) + b ? -1 : 1)),
    );
    const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Manifest;
    expect(manifest).toMatchObject({ initiator: OWNER, events: 20, events_by_status: { sealed: 20 } });
    expect(lineOf(PROMPT)?.fields).toMatchObject({ prompt: PROMPT.prompt, initiator_id: OWNER });
    expect(readFileSync(join(folder, "checkpoints.ndjson"), "utf8").trimEnd().split("\n")).toHaveLength(2);
  });

  it("is passed by the command, with and without a key from elsewhere", async () => {
    await exportDay();
    expect(await main(["check", folder])).toBe(0);
    expect(await main(["check", folder, "--key", signer.verifierKey])).toBe(0);
    expect(await main(["check", folder, "--key", (await newSigner()).verifierKey])).toBe(1);
  });

  it("is readable by its user only, and never overwrites a folder", async () => {
    await exportDay();
    expect(readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual(
      readdirSync(folder).map(() => 0o600),
    );
    expect(await exportDay()).toBe(2);
  });

  // The attack: a bundle for an auditor that has prompts and ids of other people, or the salts that confirm a guess of them.
  it("has nothing of other people, and no seed", async () => {
    await exportDay();
    const texts = textsOf(folder);
    expect(texts).not.toContain(NEEDLE);
    const query = queryOf(database);
    const events = [...(await loadEvents(query, [...others, ...everyEvent].map(eventId))).values()];
    const foreign = new Set(others.map(eventId));
    for (const event of events) {
      if (typeof event !== "object" || !event.facts.seed) continue;
      expect(texts).not.toContain(toBase64Url(event.facts.seed));
      if (!foreign.has(event.id)) continue;
      expect(texts).not.toContain(event.id);
      for (const { name } of STORED_FIELDS[event.type])
        expect(texts).not.toContain(toBase64Url(saltOf(event.facts.seed, eventIdBytes(event.id), name)));
    }
  });

  it("is empty for a range without events, and passes the check", async () => {
    expect(
      await main(
        ["--initiator", OWNER, "--from", "2026-11-22", "--to", "2026-11-23"].concat(
          ["--database", path],
          ["--output", folder],
        ),
      ),
    ).toBe(0);
    expect(await check()).toEqual([]);
    expect(readFileSync(join(folder, "events.ndjson"), "utf8")).toBe("");
  });

  it("lists an erased field with its time, without its value, and passes the check", async () => {
    const id = eventId(PROMPT);
    const event = (await loadEvents(queryOf(database), [id])).get(id);
    if (typeof event !== "object") throw new Error("no event");
    const facts = eraseFields(event, ["prompt"], SEALED_AT, SCHEMA_VERSION);
    await run("UPDATE user_prompts SET prompt = '', seal = ?1 WHERE id = ?2", formatErased(facts), id);
    await exportDay();
    expect(await check()).toEqual([]);
    const line = lineOf(PROMPT);
    expect(line?.status).toBe("sealed");
    expect(line?.erased["prompt"]).toMatchObject({ at: new Date(SEALED_AT).toISOString(), value_now: "" });
    expect(line?.fields).not.toHaveProperty("prompt");
    expect(line?.salts).not.toHaveProperty("prompt");
    expect(textsOf(folder)).not.toContain(PROMPT.prompt);
  });

  it("survives a rotation of the log's key", async () => {
    const earlier = signer;
    signer = await newSigner();
    await sealWith(signer, earlier);
    await exportDay();
    expect(await check()).toEqual([]);
    const later = signer;
    signer = earlier;
    expect(await check()).toEqual([]);
    signer = later;
    // A key that only the database names: the holder of the key before did not sign it.
    await sealWith(await newSigner());
    folder = join(root, "second");
    await exportDay();
    expect((await check()).join()).toContain("neither known nor signed by a known one");
  });
});

async function sealWith(now: Signer, before?: Signer): Promise<void> {
  await runSealer({ database, signers: before ? [now, before] : [now], now: () => SEALED_AT + 9_000_000 });
}

describe("the statements for wrangler", () => {
  it("find the same as those with parameters", async () => {
    const { query, close } = openSnapshot(path);
    const selection = { initiator: OWNER, ...range };
    const inline: typeof query = (sql, ...parameters) => query(inlined(sql, parameters));
    expect(await collect(inline, selection)).toEqual(await collect(query, selection));
    close();
  });

  // The attack: an id that ends the literal.
  it.each([
    "O'Brien",
    "'; DROP TABLE x; --",
    "?1",
    "a BEGIN TRANSACTION b",
    "$&",
    "Grüße",
    "a\0b",
    "a\nb\u2028c",
  ])("hold the text %j as it is", async (text) => {
    const { query, close } = openSnapshot(path);
    expect(await query(inlined("SELECT ?1 AS a, ?2 AS b", [text, 7]))).toEqual([{ a: text, b: 7 }]);
    close();
  });

  it("hold half a surrogate pair as U+FFFD, and no number that SQL has not", async () => {
    const { query, close } = openSnapshot(path);
    expect(await query(inlined("SELECT ?1 AS a", ["x\ud800"]))).toEqual([{ a: "x\ufffd" }]);
    close();
    expect(() => inlined("SELECT ?1", [Number.NaN])).toThrow(RangeError);
    expect(() => inlined("SELECT ?2", ["a"])).toThrow(RangeError);
  });

  it("write nothing", async () => {
    const { query, close } = openSnapshot(path);
    await expect(query("DELETE FROM journal")).rejects.toThrow("readonly");
    close();
  });
});

describe("a bundle of a changed ledger has the event, marked as", () => {
  const later = { ...PROMPT, interception_id: START.interception_id.replace("-8def-", "-8aaa-") };

  it.each([
    ["altered, where its row was edited", "UPDATE interceptions SET route = '/x' WHERE id = ?1", START],
    [
      "altered, where its row's time of storing was edited",
      "UPDATE interceptions SET start_seal = REPLACE(start_seal, '.m', '.a') WHERE id = ?1",
      START,
    ],
    [
      "altered, where its row denies that it was sealed",
      "UPDATE interceptions SET start_seal = '' WHERE id = ?1",
      START,
    ],
    [
      "altered, where its row names another person",
      "UPDATE interceptions SET initiator_id = 'mallory' WHERE id = ?1",
      START,
    ],
    ["missing, where its row was deleted", "DELETE FROM tool_usages WHERE interception_id = ?1", TOOL],
  ])("%s", async (name, sql, event) => {
    await run(sql, START.interception_id);
    await exportDay();
    const [status] = name.split(",");
    expect(lineOf(event)).toMatchObject({ status, salts: {}, entry: null });
    expect(await check()).toContainEqual(expect.stringContaining(`event ${eventId(event)}: ${status}.`));
    expect(await main(["check", folder])).toBe(1);
  });

  it("pending, until the next checkpoint", async () => {
    await store(database, [later]);
    await exportDay();
    expect(lineOf(later)).toMatchObject({
      status: "pending",
      fields: { prompt: PROMPT.prompt },
      proof: null,
    });
    expect(await check()).toEqual([]);
  });

  it("inserted, where neither the log nor the journal has it", async () => {
    await store(database, [later], SEALED_AT + 1);
    await run("DELETE FROM journal WHERE seq = (SELECT MAX(seq) FROM journal)");
    await exportDay();
    expect(lineOf(later)?.status).toBe("inserted");
    expect((await check()).join()).toContain("inserted.");
  });

  it("unsealed, where it was stored before the ledger had seals", async () => {
    await store(database, [later]);
    await run("DELETE FROM journal WHERE seq = (SELECT MAX(seq) FROM journal)");
    await run("UPDATE user_prompts SET seal = '' WHERE id = ?1", eventId(later));
    await exportDay();
    expect(lineOf(later)).toMatchObject({
      status: "unsealed",
      stored: null,
      fields: { prompt: PROMPT.prompt },
    });
    expect(await check()).toEqual([]);
  });

  it("absent, where its row was gone before it was sealed", async () => {
    const call = { ...START, interception_id: later.interception_id };
    await store(database, [call, later]);
    await run("DELETE FROM user_prompts WHERE id = ?1", eventId(later));
    await seal(database, signer, SEALED_AT + 9_000_000);
    await exportDay();
    expect(lineOf(later)?.status).toBe("absent");
    expect(lineOf(call)?.status).toBe("sealed");
    expect((await check()).join()).toContain("absent.");
  });

  it("unproven, where the tiles are not those of the checkpoint", async () => {
    await run("UPDATE seal_tiles SET hashes = zeroblob(32) || substr(hashes, 33) WHERE id = 0");
    await exportDay();
    expect(lineOf(START)?.status).toBe("unproven");
    expect((await check()).length).toBeGreaterThan(0);
  });

  it("altered, where a number is beyond those of JSON", async () => {
    await run("UPDATE interceptions SET duration_ms = 9007199254740993 WHERE id = ?1", START.interception_id);
    expect(await exportDay()).toBe(0);
    expect(lines().find(({ record_type: type }) => type === "interception_end")?.status).toBe("altered");
  });

  it("unsealed, where there is no log", async () => {
    for (const table of ["seal_tiles", "seal_entries", "seal_checkpoints"]) await run(`DELETE FROM ${table}`);
    await run("UPDATE seal_state SET tree_size = 0, journal_seq = 0");
    await run("DELETE FROM journal");
    await exportDay();
    expect(new Set(lines().map(({ status }) => status))).toEqual(new Set(["unsealed"]));
    expect(readdirSync(folder)).not.toContain("checkpoint");
    expect((await check()).length).toBe(0);
  });
});

/** Replaces the first character of the text behind `marker` in the line of the event. */
const inLine =
  (event: Parameters<typeof eventId>[0], marker: string) =>
  (text: string): string =>
    text
      .split("\n")
      .map((line) => {
        if (!line.includes(`"event_id":"${eventId(event)}"`)) return line;
        const at = line.indexOf(marker) + marker.length;
        return line.slice(0, at) + other(line.charAt(at)) + line.slice(at + 1);
      })
      .join("\n");
const other = (character: string): string =>
  character === "A"
    ? "B"
    : character === "1"
      ? "2"
      : character === "9"
        ? "8"
        : /\d/.test(character)
          ? String(Number(character) + 1)
          : "A";
const behind =
  (marker: string) =>
  (text: string): string => {
    const at = text.indexOf(marker) + marker.length;
    return text.slice(0, at) + other(text.charAt(at)) + text.slice(at + 1);
  };

/** One changed character each: the file, what is said even where the attacker adapts the manifest. */
const CHANGES: readonly (readonly [string, string, (text: string) => string, string])[] = [
  ["a committed value", "events.ndjson", inLine(PROMPT, '"prompt":"'), "the value of prompt, or its salt"],
  ["a plain value", "events.ndjson", inLine(PROMPT, '"created_at":"'), "the value of created_at is not"],
  [
    "a salt",
    "events.ndjson",
    inLine(PROMPT, '"salts":{"initiator_id":"'),
    "the value of initiator_id, or its salt",
  ],
  [
    "a fact of storing",
    "events.ndjson",
    inLine(PROMPT, '"stored":{"at":'),
    "stored is not that of the entry",
  ],
  [
    "an entry's value",
    "events.ndjson",
    inLine(PROMPT, '"entry":"{\\"commitments\\":{\\"initiator_id\\":\\"'),
    "the entry does not have the leaf hash",
  ],
  ["an entry's form", "events.ndjson", inLine(PROMPT, '"entry":"'), "the entry is not one of an event"],
  ["a proof", "events.ndjson", inLine(PROMPT, '"proof":["'), "the proof does not lead from the leaf"],
  ["a leaf hash", "events.ndjson", inLine(PROMPT, '"leaf_hash":"'), "the entry does not have the leaf hash"],
  ["an index", "events.ndjson", inLine(PROMPT, '"index":'), "index is not that of the entry"],
  [
    "a status",
    "events.ndjson",
    (text) => text.replace('"status":"sealed"', '"status":"pending"'),
    "events_by_status is not the number",
  ],
  [
    "an event's absence",
    "events.ndjson",
    (text) => text.slice(text.indexOf("\n") + 1),
    "events is not the number",
  ],
  ["the root", "checkpoint", behind("ai.example.com/records\n30\n"), "the signature of a known key is wrong"],
  ["the size", "checkpoint", behind("ai.example.com/records\n"), "the signature of a known key is wrong"],
  [
    "the signature",
    "checkpoint",
    (text) => text.slice(0, -20) + other(text.charAt(text.length - 20)) + text.slice(-19),
    "the signature of a known key is wrong",
  ],
  [
    "an entry of the log's own",
    "log.ndjson",
    (text) => text.replace("ai.example.com", "ai.example.org"),
    "the proof does not lead from the entry",
  ],
  [
    "an earlier checkpoint",
    "checkpoints.ndjson",
    behind('{"earlier":"ai.example.com/records\\n'),
    "checkpoints.ndjson, line 1: the signature",
  ],
  [
    "a consistency proof",
    "checkpoints.ndjson",
    behind('"proof":["'),
    "checkpoints.ndjson, line 1: the proof",
  ],
  ["a verifier key", "verifier-keys.txt", behind("records+"), "verifier-keys.txt: the keys"],
  ["the person", "manifest.json", behind('"initiator": "'), "has the manifest's initiator"],
  [
    "the range",
    "manifest.json",
    (text) => text.replace('"to": "2026-11-24', '"to": "2026-11-23'),
    "not in the manifest's range",
  ],
  ["a count", "manifest.json", behind('"events": '), "events is not the number"],
  ["a listed hash", "manifest.json", behind('"sha256": "'), "its SHA-256 is not that in the manifest"],
  ["the size in the manifest", "manifest.json", behind('"tree_size": '), "origin and tree_size"],
  ["the manifest's form", "manifest.json", behind('"bundle": "'), "not a manifest of this version"],
];

/** Adds a value, and a member of that name. */
const adding =
  (member: string) =>
  (text: string): string =>
    text
      .replace('"fields":{', '"fields":{"verdict":"guilty",')
      .replace(`"${member}":{`, `"${member}":{"verdict":"AAAAAAAAAAAAAAAAAAAAAA",`);

describe("the check of a bundle", () => {
  it.each(CHANGES)("names a change of %s", async (_, name, change, issue) => {
    copyBundle();
    changeFile(folder, name, change, true);
    expect((await check()).join("\n")).toContain(issue);
    expect(await main(["check", folder])).toBe(1);
  });

  it.each(CHANGES)(
    "names the file of a change of %s, where the manifest's hash is known",
    async (_, name, change) => {
      copyBundle();
      const expected = sha256(readFileSync(join(folder, "manifest.json"), "utf8"));
      changeFile(folder, name, change, false);
      expect((await check(expected)).join("\n")).toContain(`${name}: its SHA-256 is not`);
      changeFile(folder, name === "README.txt" ? "checkpoint" : "README.txt", (text) => `${text} `, true);
      expect((await check(expected)).join("\n")).toContain(
        "manifest.json: its SHA-256 is not the expected one",
      );
    },
  );

  it("names each file that is missing, and one that was added", async () => {
    copyBundle();
    const names = readdirSync(folder);
    expect(names).toHaveLength(7);
    for (const name of names) {
      const content = readFileSync(join(folder, name));
      rmSync(join(folder, name));
      expect((await check()).join("\n")).toContain(`${name}: it is missing`);
      writeFileSync(join(folder, name), content);
    }
    writeFileSync(join(folder, "more.txt"), "");
    expect(await check()).toEqual(["more.txt: the manifest does not list it."]);
  });

  // The attack: a proof of a real event, with a value added that nothing vouches for.
  it("names a value, a salt and an erasure that the entry does not have", async () => {
    copyBundle();
    changeFile(folder, "events.ndjson", adding("salts"), true);
    const issues = (await check()).join("\n");
    expect(issues).toContain("verdict is not part of the entry");
    expect(issues).toContain("the salt or the erasure of verdict is not part");
  });
});
