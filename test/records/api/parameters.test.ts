import { beforeAll, describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import { readTerms } from "../../../src/records/api/kit/search-terms.ts";
import { allOf, column, joined, sql } from "../../../src/records/api/kit/sql.ts";
import { readInstant } from "../../../src/records/api/kit/time.ts";
import { REFUSALS } from "../../../src/shared/refusal.ts";
import { uuidV7, firstUuidAt } from "../../../src/shared/uuid.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { fetchApi, BASE, fetchFault, fetchOk, part } from "../../support/in-workerd/api-client.ts";
import {
  anomaly,
  ALICE,
  database,
  idAt,
  insert,
  interception,
  override,
  T0,
  wrapLedger,
} from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

beforeAll(async () => {
  await emptyLedger();
  await insert("interceptions", [interception(T0, { client_session_id: "s" })]);
  await insert("initiator_overrides", [override(T0)]);
  await insert("anomalies", [anomaly(T0)]);
});

const pathOf = (path: string): string => path.replace("{session_id}", "s");
/** The GET endpoints, which read the ledger. */
const READING = ENDPOINTS.filter(({ isOfGateway }) => !isOfGateway);
const LISTS = [
  "/sessions",
  "/interceptions",
  "/overrides",
  "/passthroughs",
  "/anomalies",
  "/refusals",
  "/unauthenticated-events",
];
const LIMITED = [...LISTS, "/usage", "/refusals/counts", "/providers/attempts", "/sessions/s"];

const NOT_INTEGERS =
  "-1 999999999999999999999 1e3 1E2 0x10 010 +5 %2B5 5.0 5.5 NaN Infinity  %20 %205 5%20 5%00 ten %D9%A5 1,2 null".split(
    " ",
  );

describe("parameters", () => {
  it.each(LIMITED)("%s accepts a limit only as an integer in its range, in plain digits", async (path) => {
    const max = path === "/sessions/s" ? 200 : 1000;
    for (const limit of ["1", "10", String(max)]) await fetchOk(`${path}?limit=${limit}`);
    for (const limit of [...NOT_INTEGERS, "0", String(max + 1)]) {
      expect([limit, ...(await fetchFault(`${path}?limit=${limit}`))]).toEqual([limit, 400, "limit"]);
    }
  });

  it.each([...LISTS, "/usage"])(
    "%s accepts an offset only as an integer in its range, in plain digits",
    async (path) => {
      for (const offset of ["0", "1", "100000"]) await fetchOk(`${path}?offset=${offset}`);
      for (const offset of ["-1", "100001", "1e3", "NaN", ""])
        expect(await fetchFault(`${path}?offset=${offset}`)).toEqual([400, "offset"]);
    },
  );

  it("rejects a parameter that is sent twice, even with the same value", async () => {
    expect(await fetchFault("/usage?limit=10&limit=20")).toEqual([400, "limit"]);
    expect(await fetchFault("/usage?limit=10&limit=10")).toEqual([400, "limit"]);
    expect(await fetchFault("/interceptions?model=a&model=b")).toEqual([400, "model"]);
    expect(await fetchFault("/sessions?q=&q=")).toEqual([400, "q"]);
  });

  it("rejects an unknown parameter; the response names it if it is a plain word, the log does not", async () => {
    for (const { path } of READING) {
      for (const name of ["initator", "no_such", "constructor", "a".repeat(40)]) {
        const { status, text, json, refusal } = await fetchApi(`${pathOf(path)}?${name}=CANARY`);
        expect([path, name, status]).toEqual([path, name, 400]);
        expect(part(json, "validations", 0, "field")).toBe(name);
        expect(text).not.toContain("CANARY");
        expect([refusal?.code, refusal?.data.detail]).toEqual(["filter_unknown", undefined]);
      }
      for (const name of ["LIMIT", "limit%20", "__proto__", "toString", "%3Cscript%3E", "a".repeat(41), ""]) {
        const { status, text, json } = await fetchApi(`${pathOf(path)}?${name}=CANARY`);
        expect([path, name, status]).toEqual([path, name, 400]);
        expect(part(json, "validations", 0, "field")).toBe("query");
        expect(text).not.toMatch(/CANARY|proto|toString|script|aaa/);
      }
    }
  });

  it("names an invalid parameter and its rule, and never repeats its value", async () => {
    const { status, text, json, refusal } = await fetchApi("/interceptions?after_id=CANARY");
    expect(status).toBe(400);
    expect(json).toEqual({
      message: `${REFUSALS.filter_invalid[1]} (after_id)`,
      validations: [{ field: "after_id", detail: "must be a UUID of 36 characters, and the only cursor" }],
    });
    expect(`${text} ${refusal?.data.detail}`).not.toContain("CANARY");
  });

  it("has one rule per parameter name, because an error names only the parameter", () => {
    const rules = new Map<string, Set<string>>();
    for (const { parameters, body } of ENDPOINTS) {
      const parameterRules = Object.entries(parameters).map(([name, { rule }]) => [name, rule] as const);
      for (const [name, rule] of [...parameterRules, ...Object.entries(body?.rules ?? {})])
        rules.set(name, (rules.get(name) ?? new Set()).add(rule));
    }
    expect([...rules].filter(([, distinct]) => distinct.size > 1)).toEqual([]);
  });

  it.each([
    [
      "after_id",
      ["x", "", "00000000", `{${idAt(T0)}}`, `urn:uuid:${idAt(T0)}`, `${idAt(T0)}0`, "' OR 1=1 --"],
    ],
    ["id", ["x", "", `{${idAt(T0)}}`, `${idAt(T0)}0`, "~"]],
    ["attribution", ["", "Signed", "signed ", "all"]],
    ["outcome", ["", "done", "null", "completed,refused"]],
    ["model", ["", "m".repeat(257)]],
    ["initiator", [""]],
    ["started_after", ["", "yesterday", "2026-11-23", "2026-11-23T12:00:00", "1795000000"]],
  ])("rejects an invalid %s", async (name, values) => {
    for (const value of values) {
      const path = `/interceptions?${name}=${encodeURIComponent(value)}`;
      expect([value, ...(await fetchFault(path))]).toEqual([value, 400, name]);
    }
  });

  it("rejects an invalid method or status of passthroughs", async () => {
    for (const method of ["", "get", "TRACE", "GET,POST"])
      expect(await fetchFault(`/passthroughs?method=${method}`)).toEqual([400, "method"]);
    for (const status of ["", "99", "600", "2e2", "200.0", "2xx"])
      expect(await fetchFault(`/passthroughs?status=${status}`)).toEqual([400, "status"]);
  });

  it("rejects a second cursor", async () => {
    const id = idAt(T0);
    expect(await fetchFault(`/passthroughs?after_id=${id}&offset=1`)).toEqual([400, "offset"]);
    expect(await fetchFault(`/interceptions?after_id=${id}&offset=1`)).toEqual([400, "offset"]);
    expect(await fetchFault(`/overrides?after_id=${id}&offset=1`)).toEqual([400, "offset"]);
    expect(await fetchFault(`/sessions?after_id=${id}&offset=1`)).toEqual([400, "offset"]);
    expect(await fetchFault(`/sessions?after_session_id=s&offset=1`)).toEqual([400, "offset"]);
    expect(await fetchFault(`/sessions?after_session_id=s&after_id=${id}`)).toEqual([
      400,
      "after_session_id",
    ]);
    expect(await fetchFault(`/sessions/s?after_id=${id}&before_id=${id}`)).toEqual([400, "before_id"]);
    expect(await fetchFault("/usage?order=key&after_key=a&offset=1")).toEqual([400, "offset"]);
    expect(await fetchFault("/usage?after_key=a")).toEqual([400, "after_key"]);
    await fetchOk(`/interceptions?after_id=${id}&offset=0`);
  });

  it("matches an id in any case", async () => {
    for (const name of ["initiator", "actor"]) {
      const list = await fetchOk(`/interceptions?${name}=${ALICE.toUpperCase()}`);
      expect(part(list, "count")).toBe(1);
    }
    expect(part(await fetchOk(`/overrides?owner=${ALICE.toUpperCase()}`), "count")).toBe(1);
  });
});

/** Known ways to break out of a string, a number or a statement. */
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

// The attack: a filter's value closes its string literal and continues as SQL.
describe("SQL in a parameter", () => {
  it.each(READING.map(({ path, parameters }) => [path, Object.keys(parameters)] as const))(
    "%s matches nothing and changes nothing",
    async (path, names) => {
      const all = await fetchApi(pathOf(path));
      for (const name of [...names, "no_such"]) {
        for (const value of INJECTIONS) {
          const query = `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
          const { status, text } = await fetchApi(`${pathOf(path)}?${query}`);
          const harmless = status === 200 ? isEmpty(text) : status === 400 || status === 404;
          expect([name, value, harmless]).toEqual([name, value, true]);
          expect(text).not.toMatch(/CREATE TABLE|sqlite_schema/);
        }
      }
      expect((await fetchApi(pathOf(path))).text).toBe(all.text);
    },
  );

  it("matches nothing in a search value, a search key, or a session id", async () => {
    for (const value of INJECTIONS) {
      const quoted = value.replaceAll(/["\\]/g, "\\$&");
      const { status, text } = await fetchApi(`/sessions?q=${encodeURIComponent(`model:"${quoted}"`)}`);
      expect([value, status, isEmpty(text)]).toEqual([value, 200, true]);
      expect(await fetchFault(`/sessions?q=${encodeURIComponent(`${value}:x`)}`)).toEqual([400, "q"]);
      expect((await fetchApi(`/sessions/${encodeURIComponent(value)}`)).status).toBe(404);
      expect((await fetchApi(`/sessions/s?initiator=${encodeURIComponent(value)}`)).status).toBe(404);
    }
    const count = await database.prepare("SELECT COUNT(*) AS count FROM interceptions").first("count");
    expect(count).toBe(1);
  });

  it("does not change the text of a query", async () => {
    const texts = new Set<string>();
    const observed = wrapLedger({ onQuery: ({ text }) => texts.add(text) });
    for (const value of INJECTIONS) {
      const query = `model=${encodeURIComponent(value)}&initiator=${encodeURIComponent(value)}`;
      await fetchApi(`/interceptions?${query}`, { database: observed });
    }
    // The page, its size, the count, and the six tables of rows that belong to it.
    expect(texts.size).toBe(9);
  });
});

function isEmpty(text: string): boolean {
  const body = JSON.parse(text) as { readonly results?: unknown[]; readonly sessions?: unknown[] };
  return (body.results ?? body.sessions)?.length === 0;
}

describe("the SQL template", () => {
  it("binds every value and inserts only SQL", () => {
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

  it.each(["id; --", "i d", "", "ID", "a.b", "1", "é"])("rejects %j as a column's name", (name) => {
    expect(() => column("i", name)).toThrow("not a column's name");
    expect(() => column(name, "id")).toThrow("not a column's name");
  });
});

const countOf = async (query: string): Promise<unknown> =>
  part(await fetchOk(`/interceptions?${query}`), "count");

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
  ])("parses %s", (text, ms, isExact) => {
    expect(readInstant(text)).toEqual({ ms, isExact });
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
  ])("rejects %s", (text) => {
    expect(readInstant(text)).toBeUndefined();
  });

  it("sorts a millisecond's first id at or before its ids, and after every earlier id", () => {
    forSeeds(2000, (seed) => {
      const random = seededRandom(seed);
      const at = between(random, 1, 4_102_444_800_000);
      expect(uuidV7(at, crypto.randomUUID()) >= firstUuidAt(at)).toBe(true);
      expect(uuidV7(at - 1, crypto.randomUUID()) < firstUuidAt(at)).toBe(true);
    });
  });

  it("includes both ends of a range exactly", async () => {
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
  ])("parses %j", (text, terms) => {
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
  ])("rejects %j", (text) => {
    expect(readTerms(text)).toBeUndefined();
  });

  // The attack: a pattern that can match one position in many ways backtracks exponentially on an almost-match (ReDoS).
  it("rejects 16 KiB of almost-matches in linear time", () => {
    for (const unit of ["a", ":", '"', "\\", 'a:"', "a: ", 'a:"\\', "a:a\t\n"]) {
      const repeated = unit.repeat(16_384 / unit.length);
      expect(readTerms(repeated)).toBeUndefined();
      expect(readTerms(`model:"${repeated.replaceAll('"', "")}`)).toBeUndefined();
    }
  });

  it("matches as the parameters of the same names do, and rejects a key repeated as a parameter", async () => {
    for (const path of ["/sessions", "/interceptions"]) {
      const all = await fetchOk(path);
      expect(await fetchOk(`${path}?q=`)).toEqual(all);
      for (const text of [
        `initiator:"${ALICE}"`,
        'provider:"anthropic" provider_name:anthropic',
        "model:claude-x",
        'client:"Claude Code"',
        "session_id:s",
        'started_after:"2026-11-23T12:00:00Z" started_before:"2026-11-23T12:00:00Z"',
      ])
        expect([text, await fetchOk(`${path}?${q(text)}`)]).toEqual([text, all]);
      expect(part(await fetchOk(`${path}?${q("model:other")}`), "count")).toBe(0);
      expect(await fetchFault(`${path}?${q("model:a")}&model=a`)).toEqual([400, "q"]);
      expect(await fetchFault(`${path}?${q("model:a model:a")}`)).toEqual([400, "q"]);
      expect(await fetchFault(`${path}?${q("limit:1")}`)).toEqual([400, "q"]);
      expect(await fetchFault(`${path}?${q("actor:a")}`)).toEqual([400, "q"]);
      expect(await fetchFault(`${path}?${q("q:a")}`)).toEqual([400, "q"]);
      expect(await fetchFault(`${path}?${q("started_after:yesterday")}`)).toEqual([400, "started_after"]);
    }
    expect(await fetchFault(`/usage?${q("model:a")}`)).toEqual([400, "q"]);
  });

  it("accepts the form that Coder's own client sends", async () => {
    const search = new URLSearchParams({
      q: `initiator:"${ALICE}" started_after:"2026-11-23T12:00:00Z"`,
      limit: "10",
    });
    expect(part(await fetchOk(`/sessions?${search.toString()}`), "count")).toBe(1);
    expect(BASE).toBe("/api/v2/ai-gateway");
  });

  it("reads `provider` as a type where the value is one, as Coder does, and else as a name", async () => {
    await insert("interceptions", [
      interception(T0 + 1, { provider: "team-x", provider_type: "anthropic", client_session_id: "x" }),
      interception(T0 + 2, { provider: "openai", provider_type: "anthropic", client_session_id: "y" }),
    ]);
    const count = async (text: string): Promise<unknown> =>
      part(await fetchOk(`/interceptions?${q(text)}`), "count");
    expect(await count("provider:anthropic")).toBe(3);
    expect(await count("provider:openai")).toBe(0);
    expect(await count("provider_name:openai")).toBe(1);
    expect(await count("provider:team-x")).toBe(1);
    expect(part(await fetchOk("/interceptions?provider=openai"), "count")).toBe(1);
    expect(await fetchFault(`/interceptions?${q("provider:openai")}&provider_type=openai`)).toEqual([
      400,
      "q",
    ]);
    expect(await fetchFault(`/interceptions?${q("provider:openai")}&provider=openai`)).toEqual([400, "q"]);
  });
});
