/**
 * The plans of the API's queries. Over few rows every plan is fast, so these tests check that no query scans a whole
 * table.
 *
 * Accepted are:
 * - `SEARCH … USING PRIMARY KEY (id<?)`, ordered by id and limited: a walk from the newest that stops when the page (or
 *   the count) is full;
 * - `SEARCH … USING INDEX …` and `SEARCH … USING PRIMARY KEY (id>? AND id<?)`: a range;
 * - `SCAN` of anything but a ledger table: a page that was selected before, a subquery's rows, a JSON array.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import { fetchApi } from "../../support/in-workerd/api-client.ts";
import { collectStatistics, dropStatistics, emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import {
  ALICE,
  database,
  idAt,
  insert,
  interception,
  override,
  passthrough,
  T0,
  wrapLedger,
  tokenUsage,
  toolUsage,
  type BoundQuery,
  type Row,
} from "../../support/in-workerd/api-rows.ts";

/** A new ledger. The Worker itself never collects statistics. */
async function withoutStatistics(): Promise<void> {
  await emptyLedger();
  await dropStatistics(database);
  await insertOne();
}

/** The state after an operator has run `PRAGMA optimize` with the migrations: every partial index counts as empty. */
async function withStatisticsOfNoRows(): Promise<void> {
  await emptyLedger();
  await collectStatistics(database);
  await insertOne();
}

async function insertOne(): Promise<void> {
  await insert("interceptions", [interception(T0, { client_session_id: "s" })]);
}

/** One session has half of everything. */
async function withStatisticsOfManyRows(): Promise<void> {
  await insertMany((n) =>
    n % 2 ? {} : { client_session_id: `s${n % 700}`, initiator_id: `u${n % 30}`, actor_id: "coder-agents" },
  );
}

/** Statistics by which an index on a session, an initiator or an actor does not narrow a search. */
async function withStatisticsOfOneSession(): Promise<void> {
  await insertMany(() => ({}));
}

async function insertMany(columnsOf: (n: number) => Row): Promise<void> {
  await emptyLedger();
  await insertOne();
  const rows = Array.from({ length: 3000 }, (_, n) =>
    interception(T0 + 1 + n * 60_000, {
      client_session_id: "s",
      initiator_id: ALICE,
      actor_id: ALICE,
      model: `m${n % 5}`,
      ...columnsOf(n),
    }),
  );
  await insert("interceptions", [...rows, interception(T0 + 2, { client_session_id: "s" })]);
  await insert(
    "token_usages",
    rows.map((row) => tokenUsage(row)),
  );
  await insert(
    "tool_usages",
    rows.map((row) => toolUsage(row, 0)),
  );
  await insert(
    "initiator_overrides",
    rows.slice(0, 500).map((_, n) => override(T0 + n)),
  );
  await insert(
    "passthroughs",
    rows
      .slice(0, 1500)
      .map(({ actor_id = null, initiator_id = null }, n) => passthrough(T0 + n, { actor_id, initiator_id })),
  );
  await collectStatistics(database);
  const collected = await database.prepare("SELECT COUNT(*) AS count FROM sqlite_stat1").first("count");
  expect(collected).toBeGreaterThan(5);
}

type Plan = { readonly text: string; readonly steps: readonly string[] };

/** The plan of every query that the request runs. */
async function plansOf(path: string): Promise<Plan[]> {
  const queries: BoundQuery[] = [];
  const observed = wrapLedger({ onQuery: (query) => queries.push(query) });
  const { status } = await fetchApi(path, { database: observed });
  expect([path, status]).toEqual([path, 200]);
  return Promise.all(
    queries.map(async ({ text, values }) => {
      const plan = await database
        .prepare(`EXPLAIN QUERY PLAN ${text}`)
        .bind(...values)
        .all<{ detail: string }>();
      return { text, steps: plan.results.map(({ detail }) => detail) };
    }),
  );
}

/** A scan of a ledger table, under its name or its alias in the API's queries. */
const TABLES =
  /^SCAN (?:[a-z]|interceptions|token_usages|user_prompts|tool_usages|model_thoughts|initiator_overrides|passthroughs|anomalies|refusals|refusal_counts|unauthenticated_events)\b/;
/** Accepted scans: `h` is the page of sessions that was selected before, `x` the members of a JSON object. */
const ACCEPTED = /^SCAN (?:h|x VIRTUAL TABLE\b.*)$/;

const scans = (plan: Plan): string[] =>
  plan.steps.filter((step) => TABLES.test(step) && !ACCEPTED.test(step));

const REASONS: Readonly<Record<string, string>> = {
  "/overrides": "form",
  "/unauthenticated-events": "wrong",
};

/** The GET endpoints, which read the ledger. */
const READING = ENDPOINTS.filter(({ body }) => !body);
const DEFAULTS = READING.map(({ path }) => path.replace("{session_id}", "s")).filter(
  (path) => path !== "/openapi.json",
);

async function queryCounts(): Promise<number[]> {
  return Promise.all(DEFAULTS.map(async (path) => (await plansOf(path)).length));
}

describe.each([
  ["without statistics", withoutStatistics],
  ["with statistics of an empty ledger", withStatisticsOfNoRows],
  ["with statistics of 3,000 interceptions", withStatisticsOfManyRows],
  ["with statistics of 3,000 interceptions in one session", withStatisticsOfOneSession],
])("query plans %s", (_, fill) => {
  const oneSession = fill === withStatisticsOfOneSession;
  beforeAll(fill);
  // Other test files share the database.
  afterAll(() => dropStatistics(database));

  it.each([
    ...DEFAULTS,
    `/sessions/${idAt(T0)}`,
    `/sessions?after_id=${idAt(T0 + 1)}`,
    "/sessions?after_session_id=s",
    "/usage?group_by=actor",
    "/usage?group_by=client",
    "/usage?group_by=provider",
    "/usage?group_by=model",
    "/usage?group_by=day",
    "/usage?format=csv",
    "/usage?order=key&after_key=x",
    "/usage?order=key&after_key=x&after_source=y",
    "/usage?offset=1",
    "/refusals?verified=false",
    "/refusals/counts?per=minute",
    "/refusals/counts?per=day&format=csv",
  ])("scans no table for %s", async (path) => {
    const plans = await plansOf(path);
    expect(plans.length).toBeGreaterThan(0);
    expect(plans.flatMap(scans)).toEqual([]);
  });

  it.each(READING.map(({ path, parameters }) => [path.replace("{session_id}", "s"), parameters] as const))(
    "scans no table for %s with any single filter",
    async (path, parameters) => {
      const values: Readonly<Record<string, string>> = {
        attribution: "signed",
        outcome: "open",
        accepted: "true",
        reason: REASONS[path] ?? "not_found",
        record_type: "refusal",
        verified: "true",
        own_key_rejected: "true",
        started_after: "2026-11-01T00:00:00Z",
        started_before: "2026-12-01T00:00:00Z",
        kind: "actor_multiple_owners",
        method: "GET",
        status: "200",
        seen_after: "2026-11-01T00:00:00Z",
        seen_before: "2026-12-01T00:00:00Z",
      };
      const paging = new Set([
        "limit",
        "offset",
        "q",
        "format",
        "group_by",
        "after_id",
        "before_id",
        "after_session_id",
        "order",
        "after_key",
        "after_source",
        "per",
      ]);
      for (const name of Object.keys(parameters).filter((parameter) => !paging.has(parameter))) {
        if (path.startsWith("/sessions/s")) continue;
        const plans = await plansOf(`${path}?${name}=${values[name] ?? "x"}`);
        expect([name, plans.flatMap(scans)]).toEqual([name, []]);
      }
    },
  );

  it("walks a page in key order, so that the limit ends the walk", async () => {
    for (const path of [
      "/sessions",
      "/interceptions",
      "/overrides",
      "/passthroughs",
      "/anomalies",
      "/refusals",
      "/unauthenticated-events",
    ]) {
      const [page] = await plansOf(path);
      expect(page?.steps.some((step) => /^SEARCH [ioapru] USING PRIMARY KEY \(id<\?\)$/.test(step))).toBe(
        true,
      );
      expect(page?.steps.filter((step) => step.includes("ORDER BY"))).toEqual([]);
    }
  });

  it("reads a range of the key for sums", async () => {
    for (const path of ["/usage", "/usage?group_by=actor", "/attribution"]) {
      const [sums] = await plansOf(path);
      const reads = sums?.steps.filter((step) => /^(?:SEARCH|SCAN) i\b/.test(step));
      // Once: the groups are not computed again to be counted.
      expect(reads).toEqual(["SEARCH i USING PRIMARY KEY (id>? AND id<?)"]);
    }
  });

  it("uses the index of an initiator or an actor, including the time", async () => {
    for (const name of ["initiator", "actor"]) {
      const [page] = await plansOf(`/interceptions?${name}=x&started_after=2026-11-01T00:00:00Z`);
      // Where every row has the same initiator, that index does not narrow the search; the time range does.
      const expected = oneSession
        ? "SEARCH i USING PRIMARY KEY (id>? AND id<?)"
        : `SEARCH i USING INDEX interceptions_by_${name} (${name}_id=? AND id>? AND id<?)`;
      expect(page?.steps[0]).toBe(expected);
    }
  });

  it("uses the index of a passthrough's initiator or actor, including the time", async () => {
    for (const name of ["initiator", "actor"]) {
      const [page] = await plansOf(`/passthroughs?${name}=x&started_after=2026-11-01T00:00:00Z`);
      const expected = oneSession
        ? "SEARCH p USING PRIMARY KEY (id>? AND id<?)"
        : `SEARCH p USING INDEX passthroughs_by_${name} (${name}_id=? AND id>? AND id<?)`;
      expect(page?.steps[0]).toBe(expected);
    }
  });

  it("runs a fixed number of queries, regardless of the number of rows", async () => {
    const few = await queryCounts();
    await insert(
      "interceptions",
      Array.from({ length: 200 }, (__, n) =>
        interception(T0 + 7 + n, { client_session_id: n % 2 ? "s" : null }),
      ),
    );
    expect(await queryCounts()).toEqual(few);
    expect(Math.max(...few)).toBeLessThanOrEqual(10);
  });

  it("detects a full scan (self-check)", async () => {
    const plan = await database
      .prepare("EXPLAIN QUERY PLAN SELECT i.initiator_id, COUNT(*) FROM interceptions i GROUP BY 1")
      .all<{ detail: string }>();
    expect(scans({ text: "", steps: plan.results.map(({ detail }) => detail) })).not.toEqual([]);
  });
});
