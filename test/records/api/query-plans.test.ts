/**
 * The plans of the API's queries. Over few rows every plan is fast, so these tests check that no query scans a whole
 * table.
 *
 * Accepted are:
 * - `SEARCH … USING PRIMARY KEY (id<?)`, ordered by id and limited: a walk from the newest that stops when the page (or
 *   the count) is full;
 * - `SEARCH … USING INDEX …` and `SEARCH … USING PRIMARY KEY (id>? AND id<?)`: a range;
 * - `SCAN` of anything but a ledger table: a page that was selected before, a subquery's rows, a JSON array;
 * - `SCAN` of the dimensions of the totals, and of the journal until it is folded: both are bounded.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import { fetchApi } from "../../support/in-workerd/api-client.ts";
import { ANOMALY_TABLE_KEYS } from "../../../src/records/ledger/tables.ts";
import {
  collectStatistics,
  dropStatistics,
  emptyLedger,
  TABLE_NAMES,
} from "../../support/in-workerd/ledger-database.ts";
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
    n % 2
      ? {}
      : {
          client_session_id: `s${n % 700}`,
          initiator_id: `u${n % 30}`,
          actor_id: "coder-agents",
          actor_kind: "service",
          attribution: "asserted",
        },
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
  // Nothing is sealed; the first queries say so.
  expect([path, status]).toEqual([path, /^\/(?:proof|checkpoint)\b/.test(path) ? 404 : 200]);
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

/** The tables that grow with traffic. Each is followed by its alias, where the query has one. */
const GROWING = [
  ...TABLE_NAMES,
  ...Object.keys(ANOMALY_TABLE_KEYS),
  "unauthenticated_events",
  "rollup_hours",
  "rollup_days",
  "session_spans",
  "actor_spans",
];
const REFERENCE = new RegExp(`\\b(${GROWING.join("|")})\\b(?: (?:AS )?([a-z_]+))?`, "g");

const scanned = (step: string): string => /^SCAN (\S+)(?! VIRTUAL)(?: |$)/.exec(step)?.[1] ?? "";

/** The scans of such a table, under its name or an alias. Keywords are in capital letters. */
function scans({ text, steps }: Plan): string[] {
  const names = new Set([...text.matchAll(REFERENCE)].flatMap(([, table, alias]) => [table, alias]));
  return steps.filter((step) => names.has(scanned(step)));
}

const REASONS: Readonly<Record<string, string>> = {
  "/overrides": "form",
  "/unauthenticated-events": "wrong",
};

/** The GET endpoints, which read the ledger. */
const READING = ENDPOINTS.filter(({ isOfGateway }) => !isOfGateway);
const pathOf = (path: string): string => path.replace("{session_id}", "s").replace("{event_id}", idAt(T0));
const DEFAULTS = READING.map(({ path }) => pathOf(path)).filter((path) => path !== "/openapi.json");

/** By the key, or by the index of what the filter names. */
const SUMS_RANGE =
  /^SEARCH x USING (?:INDEX interceptions_by_initiator \(initiator_id=\? AND span=\? AND session_id=\? AND actor_id=\? AND attribution=\?|PRIMARY KEY \(id>\?|INDEX interceptions_by_chat \(chat_id=\?)(?: AND id>\?)? AND id<\?\)$/;

/** The span's order is that of the index. */
const SPAN_SORTED = "USE TEMP B-TREE FOR LAST TERM OF ORDER BY";

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
    "/spend?group_by=actor&then_by=model",
    "/spend?group_by=client&then_by=day",
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
    "/providers/attempts",
    "/providers/attempts?format=csv",
    "/refusals/counts?per=minute",
    "/refusals/counts?per=day&format=csv",
  ])("scans no table for %s", async (path) => {
    const plans = await plansOf(path);
    expect(plans.length).toBeGreaterThan(0);
    expect(plans.flatMap(scans)).toEqual([]);
  });

  it.each(READING.map(({ path, parameters }) => [pathOf(path), parameters] as const))(
    "scans no table for %s with any single filter",
    async (path, parameters) => {
      const values: Readonly<Record<string, string>> = {
        attribution: "signed",
        outcome: "open",
        accepted: "true",
        content: "false",
        id: idAt(T0),
        reason: REASONS[path] ?? "not_found",
        record_type: "refusal",
        verified: "true",
        own_key_rejected: "true",
        action: "read",
        from: "1",
        started_after: "2026-11-01T00:00:00Z",
        started_before: "2026-12-01T00:00:00Z",
        kind: "actor_multiple_owners",
        type: "budget_change",
        interception_id: ALICE,
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
        "then_by",
        "columns",
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
      "/accesses",
      "/budgets/events",
      "/unauthenticated-events",
    ]) {
      const [page] = await plansOf(path);
      expect(page?.steps.some((step) => /^SEARCH [ioaprlbu] USING PRIMARY KEY \(id<\?\)$/.test(step))).toBe(
        true,
      );
      // A session's first client and metadata, and its last prompt: of its own rows.
      const sorted = page?.steps.filter((step) => step.includes("ORDER BY"));
      expect(sorted).toHaveLength(path === "/sessions" ? 3 : 0);
    }
  });

  it("walks the sessions of a time range in key order, and groups none", async () => {
    const [page, count] = await plansOf(
      "/sessions?started_after=2026-11-01T00:00:00Z&started_before=2026-12-01T00:00:00Z",
    );
    for (const plan of [page, count]) {
      expect(plan?.steps).toContain("SEARCH i USING PRIMARY KEY (id>? AND id<?)");
      expect(plan?.steps.filter((step) => step.includes("GROUP BY"))).toEqual([]);
    }
  });

  it("reads ranges of the totals for sums, and of the interceptions only the first and the last hour", async () => {
    for (const path of ["/usage", "/usage?group_by=actor", "/attribution"]) {
      const [sums] = await plansOf(path);
      const reads = sums?.steps.filter((step) => /^(?:SEARCH|SCAN) [rx]\b/.test(step));
      // Each once: the groups are not computed again to be counted.
      expect(reads).toEqual([
        "SEARCH r USING PRIMARY KEY (dimension=? AND day>? AND day<?)",
        "SEARCH r USING PRIMARY KEY (dimension=? AND hour>? AND hour<?)",
        "SEARCH r USING PRIMARY KEY (dimension=? AND hour>? AND hour<?)",
        "SEARCH x USING PRIMARY KEY (id>? AND id<?)",
        "SEARCH x USING PRIMARY KEY (id>? AND id<?)",
      ]);
    }
  });

  it.each(["outcome=completed", "session_id=s", `chat_id=${ALICE}`])(
    "reads a range of the interceptions for sums with the filter %s",
    async (filter) => {
      for (const path of [`/usage?${filter}`, `/usage?${filter}&group_by=actor`, `/attribution?${filter}`]) {
        const [sums] = await plansOf(path);
        const reads = sums?.steps.filter((step) => /^(?:SEARCH|SCAN) [rx]\b/.test(step)) ?? [];
        expect(reads).toEqual([expect.stringMatching(SUMS_RANGE)]);
      }
    },
  );

  it("reads only the rejected owner headers for a list of those", async () => {
    for (const query of ["accepted=false", "reason=form", "accepted=false&reason=form&initiator=x"]) {
      const plans = await plansOf(`/overrides?${query}`);
      const reads = plans.map(({ steps }) => steps.filter((step) => / o\b/.test(step)));
      expect([query, reads]).toEqual([
        query,
        [
          ["SEARCH o USING INDEX initiator_overrides_rejected (id<?)"],
          [
            expect.stringMatching(
              /^SEARCH o USING (?:COVERING )?INDEX initiator_overrides_rejected \(id<\?\)$/,
            ),
          ],
        ],
      ]);
    }
  });

  it("finds one interception by its id", async () => {
    const plans = await plansOf(`/interceptions?id=${idAt(T0)}`);
    const reads = plans.map(({ steps }) => steps.filter((step) => / i\b/.test(step)));
    // The page, its size, and the count.
    expect(reads.slice(0, 3)).toEqual(Array.from({ length: 3 }, () => ["SEARCH i USING PRIMARY KEY (id=?)"]));
  });

  it("does not compute the size of content that is left out", async () => {
    for (const path of ["/interceptions", "/sessions/s"]) {
      const sizes = async (query: string): Promise<number> =>
        (await plansOf(`${path}${query}`)).filter(({ text }) => text.includes("LENGTH(CAST")).length;
      expect([path, await sizes(""), await sizes("?content=false")]).toEqual([path, 1, 0]);
    }
  });

  it("uses the index of an initiator, including the time", async () => {
    const [page] = await plansOf("/interceptions?initiator=x&started_after=2026-11-01T00:00:00Z");
    expect(page?.steps[0]).toBe(
      "SEARCH i USING INDEX interceptions_by_initiator (initiator_id=? AND span>? AND span<?)",
    );
    expect(page?.steps.filter((step) => step.includes("ORDER BY"))).toEqual([SPAN_SORTED]);
  });

  it("finds the rows of an actor in its spans, and sorts those of one span at a time", async () => {
    for (const [path, row] of [
      ["/interceptions", "SEARCH i USING INDEX interceptions_by_initiator (initiator_id=? AND span=?)"],
      ["/overrides", "SEARCH o USING PRIMARY KEY (id=?)"],
    ] as const) {
      const [page] = await plansOf(`${path}?actor=x&started_after=2026-11-01T00:00:00Z`);
      const reads = page?.steps.filter((step) => /^(?:SEARCH|SCAN) (?:noted|one|i|o)\b/.test(step)) ?? [];
      expect(reads[0]).toBe("SEARCH noted USING PRIMARY KEY (actor_id=? AND span>? AND span<?)");
      expect(reads).toContain(row);
      expect(reads.filter((step) => step.startsWith("SCAN"))).toEqual([]);
      expect(page?.steps.filter((step) => step.includes("ORDER BY"))).toEqual([SPAN_SORTED]);
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
    const steps = plan.results.map(({ detail }) => detail);
    expect(scans({ text: "SELECT i.initiator_id FROM interceptions i", steps })).toEqual(steps.slice(0, 1));
    expect(scans({ text: "SELECT 1 FROM rollup_hours AS i JOIN t", steps })).toHaveLength(1);
    expect(scans({ text: "SELECT 1 FROM rollup_dimensions i", steps })).toEqual([]);
  });
});
