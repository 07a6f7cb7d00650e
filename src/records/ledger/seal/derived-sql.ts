/**
 * SQL that finds derived values of the ledger that do not follow from its events. Each statement selects the rows that differ:
 * `id`, and `detail` in words. Its parameter is a list of boundaries as JSON (`Boundaries`): what was deleted before them
 * cannot be computed again.
 */
import {
  actorName,
  contribution,
  currentCost,
  DIMENSION_COLUMNS,
  type DimensionColumn,
  dimensionKey,
  hourOf,
  keyPart,
  MEASURES,
} from "../../rollups/contribution-sql.ts";
import { COARSE_COLUMNS, COARSENESS } from "../../rollups/coarse-sql.ts";
import { CLOSED_DAYS, deltasOf, UNFOLDED } from "../../rollups/unfolded.ts";
import type { LedgerTable } from "../../../events/fields.ts";
import { STORED_FIELDS } from "./schema.ts";
import { ORPHANED } from "../open-calls-sql.ts";
import { TABLES, type CallTable, type Columns } from "../tables.ts";
import { latestCall } from "../write/thread-sql.ts";
import { UNAUTHENTICATED_TABLE } from "../write/unauthenticated.ts";
import { CLAIMED, CLAIMED_MEASURES, claimedSum, isOfResponse, takesUsage } from "../write/retrieved-sql.ts";

export type Boundaries = {
  /** The first id that a purge of the table has not reached; empty where none was. */
  readonly interceptions: string;
  readonly tool_usages: string;
  /** RFC 3339, in UTC. */
  readonly retrieved_usages: string;
  /** As an id: an older correction may be deleted. */
  readonly cost_corrections: string;
  /** The first hour of which all interceptions and the total are there, as `rollup_hours` has it. */
  readonly hours: string;
  /** The first day of which all hours are there. */
  readonly days: string;
};

const boundary = (name: keyof Boundaries): string => `(?1 ->> '$.${name}')`;

/** A half without its event has no values, except those that the cron gives to a call without an end, all of them or none. */
function emptyHalf(table: CallTable, half: "start" | "end"): string {
  const seal = `${half}_seal`;
  const ofCron = half === "end" ? Object.entries(ORPHANED[table]) : [];
  const others = Object.keys((TABLES[table] as Readonly<Record<string, Columns>>)[half] ?? {}).filter(
    (column) => column !== seal && ofCron.every(([name]) => name !== column),
  );
  const isClosed = ofCron.map(([column, value]) => `r.${column} IS '${value}'`).join(" AND ");
  const isOpen = ofCron.map(([column]) => `r.${column} IS NULL`).join(" AND ");
  const differs = [
    ...others.map((column) => `r.${column} IS NOT NULL`),
    ...(ofCron.length > 0 ? [`NOT (${isClosed} OR ${isOpen})`] : []),
  ];
  return `SELECT r.id, 'a value of the ${half}, which is not there' AS detail
FROM ${table} AS r WHERE r.${seal} IS NULL AND (${differs.join(" OR ")})`;
}

/** Two record types share the table: a row has the values of its own. */
function othersFields(type: "initiator_override" | "initiator_override_rejected", accepted: 0 | 1): string {
  const own = new Set(STORED_FIELDS[type].map(({ column }) => column));
  const others = Object.keys(TABLES.events.initiator_overrides).filter(
    (column) => !own.has(column) && !["id", "seal", "accepted"].includes(column),
  );
  return `SELECT r.id, 'a value of another record type' AS detail
FROM initiator_overrides AS r WHERE r.accepted = ${accepted} AND (${["0", ...others.map((column) => `r.${column} IS NOT NULL`)].join(" OR ")})`;
}

/** The latest call before the boundary may be gone: a parent from there cannot be computed again. */
const PARENTS = `
SELECT id, 'thread_parent_id' AS detail FROM (
  SELECT child.id, child.thread_parent_id AS parent, ${latestCall("child")} AS expected FROM interceptions AS child
  WHERE child.correlating_tool_call_id IS NOT NULL OR child.thread_parent_id IS NOT NULL
) WHERE parent IS NOT expected
  AND NOT (COALESCE(parent, '') > COALESCE(expected, '') AND parent < MAX(${boundary("tool_usages")}, ${boundary("interceptions")}))`;

const ROOTS = `
SELECT child.id, 'thread_root_id' AS detail
FROM interceptions AS child LEFT JOIN interceptions AS parent ON parent.id = child.thread_parent_id
WHERE child.thread_root_id IS NOT IIF(
    child.thread_parent_id IS NULL, NULL, COALESCE(parent.thread_root_id, child.thread_parent_id))
  AND NOT COALESCE(parent.id IS NULL AND child.thread_root_id <= child.thread_parent_id
    AND child.thread_parent_id < ${boundary("interceptions")}, FALSE)`;

const CALL_KEYS = `
SELECT call.id, 'link_key' AS detail
FROM tool_usages AS call LEFT JOIN interceptions AS maker ON maker.id = call.interception_id
WHERE call.link_key IS NOT maker.link_key`;

const TOKENS = CLAIMED_MEASURES.filter((name) => name !== "cost_micros");
const COPIED = [...TOKENS, "usage", "provider_response_id", "metadata", "raw_usage", "created_at"];

/** A copy of usage that was retrieved later must be that of its event. */
const COPIES = `
SELECT copy.interception_id AS id, 'a copy of retrieved usage' AS detail
FROM token_usages AS copy LEFT JOIN retrieved_usages AS read ON read.usage_of = copy.id
LEFT JOIN interceptions AS i ON i.id = copy.interception_id
WHERE copy.id NOT GLOB '????????-????-????-????-????????????'
  AND (i.id IS NULL OR copy.seal <> '' OR copy.initiator_id <> i.initiator_id
    OR (read.id IS NULL AND copy.created_at >= ${boundary("retrieved_usages")})
    OR (read.id IS NOT NULL AND read.interception_id >= ${boundary("cost_corrections")}
      AND copy.cost_micros IS NOT ${currentCost("read.cost_micros", "read.interception_id")})
    OR (read.id IS NOT NULL AND (${COPIED.map((name) => `copy.${name} IS NOT read.${name}`).join(" OR ")})))`;

const UNCLAIMED = `
SELECT i.id, 'a claim of retrieved usage is missing' AS detail
FROM retrieved_usages AS read
LEFT JOIN batch_files AS file ON file.provider = read.provider AND file.file_id = read.provider_response_id
CROSS JOIN interceptions AS i ON i.provider = read.provider
  AND i.provider_response_id = COALESCE(file.provider_response_id, read.provider_response_id) AND ${takesUsage("i")}
WHERE NOT EXISTS (SELECT 1 FROM token_usages AS copy WHERE copy.interception_id = i.id AND copy.id = read.usage_of)`;

/** `partial` for the results of a batch, which can have further ones. Migration 0009 did not tell these apart. */
const CLAIMED_USAGE = `(SELECT IIF(
    ${isOfResponse("read.id", "interceptions.provider", "interceptions.provider_response_id")} OR end_seal = '', read.usage, 'partial'
  ) ${CLAIMED} LIMIT 1)`;

const CLAIMS = `
SELECT interceptions.id, 'claimed usage' AS detail FROM interceptions
WHERE (COALESCE(claimed_usage, ${CLAIMED_MEASURES.map((name) => `claimed_${name}`).join(", ")}) IS NOT NULL OR EXISTS (SELECT 1 ${CLAIMED}))
  AND (claimed_usage IS NOT ${CLAIMED_USAGE}
    OR ${CLAIMED_MEASURES.map((name) => `claimed_${name} IS NOT ${claimedSum(name)}`).join(" OR ")})`;

const RECORDS_OF_DELETIONS = `
SELECT id, 'a deletion of what was not there yet' AS detail FROM ledger_accesses WHERE action = 'purge' AND before > created_at AND target <> '${UNAUTHENTICATED_TABLE}'`;

/** By these tables the API finds the rows of a session and of an actor. */
const SESSION_SPANS = `
SELECT i.id, 'its session is not noted' AS detail FROM interceptions AS i
WHERE i.session_id <> i.id AND NOT EXISTS (SELECT 1 FROM session_spans AS noted
  WHERE noted.session_id = i.session_id AND noted.link_key = i.link_key AND noted.span = i.span)`;
const actorSpans = (table: LedgerTable, span: string, initiator: string): string => `
SELECT r.id, 'its actor is not noted' AS detail FROM ${table} AS r
WHERE NOT EXISTS (SELECT 1 FROM actor_spans AS noted
  WHERE noted.actor_id = r.actor_id AND noted.span = ${span} AND noted.initiator_id = ${initiator})`;

/** Statements about the rows of calls, with the table whose row `id` is. */
export const DERIVED_ROWS: readonly {
  readonly table: LedgerTable;
  readonly sql: string;
}[] = [
  { table: "interceptions", sql: emptyHalf("interceptions", "start") },
  { table: "interceptions", sql: emptyHalf("interceptions", "end") },
  { table: "passthroughs", sql: emptyHalf("passthroughs", "start") },
  { table: "passthroughs", sql: emptyHalf("passthroughs", "end") },
  { table: "initiator_overrides", sql: othersFields("initiator_override", 1) },
  { table: "initiator_overrides", sql: othersFields("initiator_override_rejected", 0) },
  { table: "interceptions", sql: PARENTS },
  { table: "interceptions", sql: ROOTS },
  { table: "tool_usages", sql: CALL_KEYS },
  { table: "interceptions", sql: COPIES },
  { table: "interceptions", sql: UNCLAIMED },
  { table: "interceptions", sql: CLAIMS },
  { table: "interceptions", sql: SESSION_SPANS },
  { table: "interceptions", sql: actorSpans("interceptions", "r.span", "r.initiator_id") },
  {
    table: "initiator_overrides",
    sql: actorSpans("initiator_overrides", "SUBSTR(r.id, 1, 7)", "IIF(r.accepted = 1, r.initiator_id, '')"),
  },
  { table: "ledger_accesses", sql: RECORDS_OF_DELETIONS },
];

const measures = MEASURES.join(", ");
const isAny = MEASURES.map((name) => `TOTAL(${name}) <> 0`).join(" OR ");

/** Selects what two sums by (dimension, period) differ in, in one pass: a join of the two would compare each with each. */
const compare = (a: string, b: string): string => `
SELECT dimension AS id, period AS detail FROM (
  SELECT dimension, period, ${measures} FROM (${a})
  UNION ALL SELECT dimension, period, ${MEASURES.map((name) => `-${name}`).join(", ")} FROM (${b})
) GROUP BY 1, 2 HAVING ${isAny}`;

/** The totals of an hour are those of its interceptions, where all of them are there. */
const HOURS = compare(
  `SELECT dimension, hour AS period, ${measures} FROM (
    SELECT dimension, hour, ${measures} FROM rollup_hours UNION ALL ${deltasOf(UNFOLDED)}
  ) WHERE hour >= ${boundary("hours")}`,
  `SELECT COALESCE(d.id, 0) AS dimension, ${hourOf("i")} AS period, ${MEASURES.map((name) => `${contribution(name, "i")} AS ${name}`).join(", ")}
  FROM interceptions AS i LEFT JOIN rollup_dimensions AS d ON d.key = ${dimensionKey("i")}
  WHERE ${hourOf("i")} >= ${boundary("hours")}`,
);

type Kind = keyof typeof COARSE_COLUMNS;
const KINDS = Object.keys(COARSE_COLUMNS) as readonly Kind[];

/** A sum would take a text as 0. */
const NUMBERS = (["hour", "day"] as const).map(
  (period) => `
SELECT dimension AS id, ${period} AS detail FROM rollup_${period}s
WHERE ${MEASURES.map((name) => `typeof(${name}) <> 'integer'`).join(" OR ")}`,
);

/** The totals of a day that has ended are those of its hours. */
const days = (target: "id" | Kind): string =>
  compare(
    `SELECT r.dimension, r.day AS period, ${MEASURES.map((name) => `r.${name}`).join(", ")}
  FROM rollup_dimensions AS d CROSS JOIN rollup_days AS r ON r.dimension = d.id
  WHERE d.coarseness = ${target === "id" ? COARSENESS.none : COARSENESS[target]} AND r.day >= ${boundary("days")}`,
    `SELECT d.${target} AS dimension, SUBSTR(r.hour, 1, 10) AS period, ${MEASURES.map((name) => `r.${name}`).join(", ")}
  FROM rollup_dimensions AS d CROSS JOIN rollup_hours AS r ON r.dimension = d.id
  WHERE d.coarseness = ${COARSENESS.none} AND r.hour >= ${boundary("days")} AND r.hour < ${CLOSED_DAYS}`,
  );

/** The columns of a dimension are those of its key. */
const DIMENSIONS = `
SELECT d.id, 'a column of the dimension' AS detail FROM rollup_dimensions AS d
WHERE d.coarseness = ${COARSENESS.none}
  AND IIF(json_valid(d.key), ${DIMENSION_COLUMNS.map((name) => `d.${name} IS NOT ${keyPart(name, "d")}`).join(" OR ")}, TRUE)`;

/** A name is that of the interception that it was taken from. */
const NAMES = `
SELECT d.id, 'a name of the dimension' AS detail
FROM rollup_dimensions AS d CROSS JOIN interceptions AS i ON i.id = d.named_by
WHERE d.initiator_name IS NOT i.initiator_name OR d.actor_name IS NOT ${actorName("i")}`;

/** Statements about totals; `id` is a dimension. */
export const DERIVED_TOTALS: readonly string[] = [
  ...NUMBERS,
  HOURS,
  days("id"),
  ...KINDS.map(days),
  DIMENSIONS,
  NAMES,
  ...KINDS.map(coarse),
];

/** The coarse dimension of each, and its columns: those that it does not have are empty. */
function coarse(kind: Kind): string {
  const columns: readonly DimensionColumn[] = COARSE_COLUMNS[kind];
  const key = `json_array('${kind}', ${columns.map((name) => `d.${name}`).join(", ")})`;
  const differs = DIMENSION_COLUMNS.map(
    (name) =>
      `c.${name} IS NOT ${columns.includes(name) ? `d.${name}` : name === "own_key_rejected" ? "0" : "''"}`,
  );
  return `SELECT d.id, 'the coarse dimension: ${kind}' AS detail
FROM rollup_dimensions AS d LEFT JOIN rollup_dimensions AS c ON c.id = d.${kind}
WHERE d.coarseness = ${COARSENESS.none} AND d.${kind} IS NOT NULL
  AND (c.coarseness IS NOT ${COARSENESS[kind]} OR c.key <> ${key} OR ${differs.join(" OR ")})`;
}
