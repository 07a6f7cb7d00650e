import { beforeAll, describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import { readTerms } from "../../../src/records/api/kit/search-terms.ts";
import { allOf, column, joined, sql } from "../../../src/records/api/kit/sql.ts";
import { readInstant } from "../../../src/records/api/kit/time.ts";
import { uuidV7, firstUuidAt } from "../../../src/shared/uuid.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { ask, BASE, fault, good, part } from "../../support/in-workerd/api-client.ts";
import {
  anomaly,
  ALICE,
  database,
  emptyLedger,
  idAt,
  insert,
  interception,
  override,
  T0,
  throughLedger,
} from "../../support/in-workerd/api-rows.ts";

beforeAll(async () => {
  await emptyLedger();
  await insert("interceptions", [interception(T0, { client_session_id: "s" })]);
  await insert("initiator_overrides", [override(T0)]);
  await insert("anomalies", [anomaly(T0)]);
});

const pathOf = (path: string): string => path.replace("{session_id}", "s");
/** What is asked by GET. */
const READING = ENDPOINTS.filter(({ body }) => !body);
const LISTS = ["/sessions", "/interceptions", "/overrides", "/anomalies"];
const LIMITED = [...LISTS, "/usage", "/sessions/s"];

const NO_NUMBERS =
  "-1 999999999999999999999 1e3 1E2 0x10 010 +5 %2B5 5.0 5.5 NaN Infinity  %20 %205 5%20 5%00 ten %D9%A5 1,2 null".split(
    " ",
  );

describe("parameters", () => {
  it.each(LIMITED)("%s: a limit is a whole number in its range, in plain digits", async (path) => {
    const most = path === "/sessions/s" ? 200 : 1000;
    for (const limit of ["1", "10", String(most)]) await good(`${path}?limit=${limit}`);
    for (const limit of [...NO_NUMBERS, "0", String(most + 1)]) {
      expect([limit, ...(await fault(`${path}?limit=${limit}`))]).toEqual([limit, 400, "limit"]);
    }
  });

  it.each(LISTS)("%s: an offset likewise", async (path) => {
    for (const offset of ["0", "1", "100000"]) await good(`${path}?offset=${offset}`);
    for (const offset of ["-1", "100001", "1e3", "NaN", ""])
      expect(await fault(`${path}?offset=${offset}`)).toEqual([400, "offset"]);
  });

  it("nothing is taken twice, not even the same", async () => {
    expect(await fault("/usage?limit=10&limit=20")).toEqual([400, "limit"]);
    expect(await fault("/usage?limit=10&limit=10")).toEqual([400, "limit"]);
    expect(await fault("/interceptions?model=a&model=b")).toEqual([400, "model"]);
    expect(await fault("/sessions?q=&q=")).toEqual([400, "q"]);
  });

  it("what is not known is refused; its name is told where it is a plain word, and logged nowhere", async () => {
    for (const { path } of READING) {
      for (const name of ["initator", "no_such", "constructor", "a".repeat(40)]) {
        const { status, text, json, refusal } = await ask(`${pathOf(path)}?${name}=CANARY`);
        expect([path, name, status]).toEqual([path, name, 400]);
        expect(part(json, "validations", 0, "field")).toBe(name);
        expect(text).not.toContain("CANARY");
        expect([refusal?.code, refusal?.data.detail]).toEqual(["filter_unknown", undefined]);
      }
      for (const name of ["LIMIT", "limit%20", "__proto__", "toString", "%3Cscript%3E", "a".repeat(41), ""]) {
        const { status, text, json } = await ask(`${pathOf(path)}?${name}=CANARY`);
        expect([path, name, status]).toEqual([path, name, 400]);
        expect(part(json, "validations", 0, "field")).toBe("query");
        expect(text).not.toMatch(/CANARY|proto|toString|script|aaa/);
      }
    }
  });

  it("a bad one is named, told its rule, and its value is repeated nowhere", async () => {
    const { status, text, json, refusal } = await ask("/interceptions?after_id=CANARY");
    expect(status).toBe(400);
    expect(json).toEqual({
      message: "A query parameter is not valid. (after_id)",
      validations: [{ field: "after_id", detail: "a UUID of 36 characters, with no other cursor beside it" }],
    });
    expect(`${text} ${refusal?.data.detail}`).not.toContain("CANARY");
  });

  it("one name has one rule, as who sent a bad value is told by its name alone", () => {
    const rules = new Map<string, Set<string>>();
    for (const { parameters, body } of ENDPOINTS) {
      const ofParameters = Object.entries(parameters).map(([name, { rule }]) => [name, rule] as const);
      for (const [name, rule] of [...ofParameters, ...Object.entries(body?.rules ?? {})])
        rules.set(name, (rules.get(name) ?? new Set()).add(rule));
    }
    expect([...rules].filter(([, ways]) => ways.size > 1)).toEqual([]);
  });

  it.each([
    [
      "after_id",
      ["x", "", "00000000", `{${idAt(T0)}}`, `urn:uuid:${idAt(T0)}`, `${idAt(T0)}0`, "' OR 1=1 --"],
    ],
    ["attribution", ["", "Signed", "signed ", "all"]],
    ["outcome", ["", "done", "null", "completed,refused"]],
    ["model", ["", "m".repeat(257)]],
    ["initiator", [""]],
    ["started_after", ["", "yesterday", "2026-11-23", "2026-11-23T12:00:00", "1795000000"]],
  ])("%s is refused where it cannot be one", async (name, values) => {
    for (const value of values) {
      const path = `/interceptions?${name}=${encodeURIComponent(value)}`;
      expect([value, ...(await fault(path))]).toEqual([value, 400, name]);
    }
  });

  it("cursors do not mix", async () => {
    const id = idAt(T0);
    expect(await fault(`/interceptions?after_id=${id}&offset=1`)).toEqual([400, "offset"]);
    expect(await fault(`/overrides?after_id=${id}&offset=1`)).toEqual([400, "offset"]);
    expect(await fault(`/sessions?after_id=${id}&offset=1`)).toEqual([400, "offset"]);
    expect(await fault(`/sessions?after_session_id=s&offset=1`)).toEqual([400, "offset"]);
    expect(await fault(`/sessions?after_session_id=s&after_id=${id}`)).toEqual([400, "after_session_id"]);
    expect(await fault(`/sessions/s?after_id=${id}&before_id=${id}`)).toEqual([400, "before_id"]);
    await good(`/interceptions?after_id=${id}&offset=0`);
  });

  it("an id is one in any case", async () => {
    for (const name of ["initiator", "actor"]) {
      const found = await good(`/interceptions?${name}=${ALICE.toUpperCase()}`);
      expect(part(found, "count")).toBe(1);
    }
    expect(part(await good(`/overrides?owner=${ALICE.toUpperCase()}`), "count")).toBe(1);
  });
});

/** Each a known way out of a string, a number or a statement. */
const INJECTIONS = [
  "' OR '1'='1",
  "' OR 1=1 --",
  "'; DROP TABLE interceptions; --",
  '"; DROP TABLE interceptions; --',
  "1; DELETE FROM interceptions",
  "1 UNION SELECT name FROM sqlite_schema",
  "') UNION ALL SELECT sql FROM sqlite_schema --",
  "?1",
  "?",
  ":name",
  "%27%20OR%201%3D1",
  "\\' OR 1=1 --",
  "a\u0000' OR 1=1",
  "’ OR 1=1 --",
  "x' || (SELECT group_concat(sql) FROM sqlite_schema) || '",
  "*/ OR 1=1 /*",
];

// The attack: a filter's value ends the string it was meant to be and goes on as SQL.
describe("SQL in any parameter", () => {
  it.each(READING.map(({ path, parameters }) => [path, Object.keys(parameters)] as const))(
    "%s finds nothing and changes nothing",
    async (path, names) => {
      const all = await ask(pathOf(path));
      for (const name of [...names, "no_such"]) {
        for (const value of INJECTIONS) {
          const query = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
          const { status, text } = await ask(`${pathOf(path)}?${query}`);
          const harmless = status === 200 ? isEmpty(text) : status === 400 || status === 404;
          expect([name, value, harmless]).toEqual([name, value, true]);
          expect(text).not.toMatch(/CREATE TABLE|sqlite_schema/);
        }
      }
      expect((await ask(pathOf(path))).text).toBe(all.text);
    },
  );

  it("nor in a search's value, in a search's key, or in a session's id", async () => {
    for (const value of INJECTIONS) {
      const quoted = value.replaceAll(/["\\]/g, "\\$&");
      const { status, text } = await ask(`/sessions?q=${encodeURIComponent(`model:"${quoted}"`)}`);
      expect([value, status, isEmpty(text)]).toEqual([value, 200, true]);
      expect(await fault(`/sessions?q=${encodeURIComponent(`${value}:x`)}`)).toEqual([400, "q"]);
      expect((await ask(`/sessions/${encodeURIComponent(value)}`)).status).toBe(404);
      expect((await ask(`/sessions/s?initiator=${encodeURIComponent(value)}`)).status).toBe(404);
    }
    const left = await database.prepare("SELECT COUNT(*) AS count FROM interceptions").first("count");
    expect(left).toBe(1);
  });

  it("every text an endpoint asks is one of a few, whatever its parameters' values", async () => {
    const texts = new Set<string>();
    const watched = throughLedger({ onQuery: ({ text }) => texts.add(text) });
    for (const value of INJECTIONS) {
      const query = `model=${encodeURIComponent(value)}&initiator=${encodeURIComponent(value)}`;
      await ask(`/interceptions?${query}`, { database: watched });
    }
    // The page, its size, the count, and four kinds of what belongs to it.
    expect(texts.size).toBe(7);
  });
});

function isEmpty(text: string): boolean {
  const body = JSON.parse(text) as { readonly results?: unknown[]; readonly sessions?: unknown[] };
  return (body.results ?? body.sessions)?.length === 0;
}

describe("the template for SQL", () => {
  it("binds every value and puts in only SQL", () => {
    const inner = sql`b = ${"'; --"}`;
    expect(sql`SELECT ${column("i", "id")} WHERE a = ${1} AND ${inner} AND c = ${null}`).toEqual({
      text: "SELECT i.id WHERE a = ? AND b = ? AND c = ?",
      values: [1, "'; --", null],
    });
  });

  it("joins pieces with their values in order", () => {
    expect(joined([sql`a = ${1}`, sql`b = ${2}`], " AND ")).toEqual({
      text: "a = ? AND b = ?",
      values: [1, 2],
    });
    expect(allOf([])("i")).toEqual({ text: "1", values: [] });
  });

  it.each(["id; --", "i d", "", "ID", "a.b", "1", "é"])("takes %j for no column's name", (name) => {
    expect(() => column("i", name)).toThrow("not a column's name");
    expect(() => column(name, "id")).toThrow("not a column's name");
  });
});

const countOf = async (query: string): Promise<unknown> =>
  part(await good(`/interceptions?${query}`), "count");

describe("times", () => {
  it.each([
    ["2026-11-23T12:00:00Z", T0, true],
    ["2026-11-23t12:00:00z", T0, true],
    ["2026-11-23T13:00:00+01:00", T0, true],
    ["2026-11-23T12:00:00.001Z", T0 + 1, true],
    ["2026-11-23T12:00:00.0010000Z", T0 + 1, true],
    ["2026-11-23T12:00:00.0015Z", T0 + 1, false],
    ["2026-11-23T12:00:00.123456789Z", T0 + 123, false],
    ["2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29), true],
    ["1969-12-31T23:59:59Z", 0, true],
  ])("%s is read", (text, ms, whole) => {
    expect(readInstant(text)).toEqual({ ms, whole });
  });

  it.each([
    "2026-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-11-23T24:00:01Z",
    "2026-11-23T12:60:00Z",
    "2026-11-23T12:00:00+99:00",
    "2026-11-23 12:00:00Z",
    "2026-11-23T12:00:00 01:00",
    "2026-11-23T12:00Z",
    "20261123T120000Z",
    "+002026-11-23T12:00:00Z",
    "2026-11-23T12:00:00.Z",
    "2026-11-23T12:00:00.1234567890Z",
    " 2026-11-23T12:00:00Z",
    "Mon, 23 Nov 2026 12:00:00 GMT",
  ])("%s is none", (text) => {
    expect(readInstant(text)).toBeUndefined();
  });

  it("an id's floor is at or below every id of its millisecond, and above every earlier one", () => {
    forSeeds(2000, (seed) => {
      const random = seededRandom(seed);
      const at = between(random, 1, 4_102_444_800_000);
      expect(uuidV7(at, crypto.randomUUID()) >= firstUuidAt(at)).toBe(true);
      expect(uuidV7(at - 1, crypto.randomUUID()) < firstUuidAt(at)).toBe(true);
    });
  });

  it("both ends are counted in, to the digit", async () => {
    expect(await countOf("started_after=2026-11-23T12:00:00Z")).toBe(1);
    expect(await countOf("started_after=2026-11-23T12:00:00.000000001Z")).toBe(0);
    expect(await countOf("started_after=2026-11-23T12:00:00.001Z")).toBe(0);
    expect(await countOf("started_before=2026-11-23T12:00:00Z")).toBe(1);
    expect(await countOf("started_before=2026-11-23T12:00:00.0009Z")).toBe(1);
    expect(await countOf("started_before=2026-11-23T11:59:59.999Z")).toBe(0);
    expect(await countOf("started_before=1960-01-01T00:00:00Z")).toBe(0);
    expect(await countOf("started_after=2026-11-23T13:00:00%2B01:00")).toBe(1);
  });
});

const q = (text: string): string => `q=${encodeURIComponent(text)}`;

describe("Coder's search", () => {
  it.each<[string, (readonly [string, string])[]]>([
    ["", []],
    ["  ", []],
    ["model:a", [["model", "a"]]],
    ['model:"a b"', [["model", "a b"]]],
    [
      '  model:"a"   client:b ',
      [
        ["model", "a"],
        ["client", "b"],
      ],
    ],
    ['client:"say \\"hi\\" \\\\ there"', [["client", 'say "hi" \\ there']]],
    ["started_after:2026-11-23T12:00:00Z", [["started_after", "2026-11-23T12:00:00Z"]]],
    ['model:""', [["model", ""]]],
    ["model:ü", [["model", "ü"]]],
  ])("%j", (text, terms) => {
    expect(readTerms(text)).toEqual(terms);
  });

  it.each([
    "a",
    "model:",
    ":a",
    "model: a",
    'model:"a',
    'model:a"b"',
    'model:"a"b',
    "Model:a",
    "model:a,client:b c",
    "model:a\nclient:b",
  ])("%j is none", (text) => {
    expect(readTerms(text)).toBeUndefined();
  });

  // The attack: a pattern that can be entered in many ways at one place takes for ever on what almost matches.
  it("is done with 16 KiB of what almost matches", () => {
    for (const unit of ["a", ":", '"', "\\", 'a:"', "a: ", 'a:"\\', "a:a\t\n"]) {
      const many = unit.repeat(16_384 / unit.length);
      expect(readTerms(many)).toBeUndefined();
      expect(readTerms(`model:"${many.replaceAll('"', "")}`)).toBeUndefined();
    }
  });

  it("finds what the parameters of the same names find, and is not mixed with them", async () => {
    for (const path of ["/sessions", "/interceptions"]) {
      const all = await good(path);
      expect(await good(`${path}?q=`)).toEqual(all);
      for (const text of [
        `initiator:"${ALICE}"`,
        'provider:"anthropic" provider_name:anthropic',
        "model:claude-x",
        'client:"Claude Code"',
        "session_id:s",
        'started_after:"2026-11-23T12:00:00Z" started_before:"2026-11-23T12:00:00Z"',
      ])
        expect([text, await good(`${path}?${q(text)}`)]).toEqual([text, all]);
      expect(part(await good(`${path}?${q("model:other")}`), "count")).toBe(0);
      expect(await fault(`${path}?${q("model:a")}&model=a`)).toEqual([400, "q"]);
      expect(await fault(`${path}?${q("model:a model:a")}`)).toEqual([400, "q"]);
      expect(await fault(`${path}?${q("limit:1")}`)).toEqual([400, "q"]);
      expect(await fault(`${path}?${q("actor:a")}`)).toEqual([400, "q"]);
      expect(await fault(`${path}?${q("q:a")}`)).toEqual([400, "q"]);
      expect(await fault(`${path}?${q("started_after:yesterday")}`)).toEqual([400, "started_after"]);
    }
    expect(await fault(`/usage?${q("model:a")}`)).toEqual([400, "q"]);
  });

  it("as Coder's own client sends it", async () => {
    const search = new URLSearchParams({
      q: `initiator:"${ALICE}" started_after:"2026-11-23T12:00:00Z"`,
      limit: "10",
    });
    expect(part(await good(`/sessions?${search.toString()}`), "count")).toBe(1);
    expect(BASE).toBe("/api/v2/ai-gateway");
  });

  it("means a provider's type where it says one, as Coder does, and else its name", async () => {
    await insert("interceptions", [
      interception(T0 + 1, { provider: "team-x", provider_type: "anthropic", client_session_id: "x" }),
      interception(T0 + 2, { provider: "openai", provider_type: "anthropic", client_session_id: "y" }),
    ]);
    const count = async (text: string): Promise<unknown> =>
      part(await good(`/interceptions?${q(text)}`), "count");
    expect(await count("provider:anthropic")).toBe(3);
    expect(await count("provider:openai")).toBe(0);
    expect(await count("provider_name:openai")).toBe(1);
    expect(await count("provider:team-x")).toBe(1);
    expect(part(await good("/interceptions?provider=openai"), "count")).toBe(1);
    expect(await fault(`/interceptions?${q("provider:openai")}&provider_type=openai`)).toEqual([400, "q"]);
    expect(await fault(`/interceptions?${q("provider:openai")}&provider=openai`)).toEqual([400, "q"]);
  });
});
