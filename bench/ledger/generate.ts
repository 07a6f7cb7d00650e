/**
 * Fills the ledger by SQL, without the consumer: the interceptions of a month with their tool calls, owner overrides, journal
 * and totals. The product's own statements insert the rows, from events that SQL makes of a template. A row depends on its
 * index only, so that runs are comparable.
 */
import { toLedgerEvents } from "../../src/events/ledger-events.ts";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { closeDays } from "../../src/records/ledger/rollups/fold.ts";
import { callsInto, insertInto } from "../../src/records/ledger/write/insert-sql.ts";
import {
  actorName,
  contribution,
  DIMENSION_COLUMNS,
  dimensionKey,
  dimensionValue,
  hourOf,
  MEASURES,
} from "../../src/records/rollups/contribution-sql.ts";
import { NOW, SPAN_MS, traffic } from "./traffic.ts";

/** D1 bounds the memory of a statement. */
const ROWS_PER_STATEMENT = 2_000;
/** A batch of a busy consumer. */
const INTERCEPTIONS_PER_BATCH = 50;

/** Parameters of each statement, which arrive as floating-point numbers: the first index, the index after the last one, the number of interceptions in the month. */
const NUMBERS = `WITH RECURSIVE
  number (at) AS (SELECT CAST(?1 AS INTEGER) UNION ALL SELECT at + 1 FROM number WHERE at + 1 < ?2),
  timed AS (SELECT at, ${NOW - SPAN_MS} + at * ${SPAN_MS} / CAST(?3 AS INTEGER) AS ms FROM number),
  call AS (
    SELECT at, ms, printf('%012x', ms) AS hex, strftime('%Y-%m-%dT%H:%M:%fZ', ms / 1000.0, 'unixepoch') AS started,
      strftime('%Y-%m-%dT%H:%M:%fZ', (ms + 4000) / 1000.0, 'unixepoch') AS ended,
      at * 263 % 500 AS person, at % 3 <> 0 AS asserted, (at / 7) % 6 < 4 AS completed
    FROM timed
  )`;

const ID_END = "'-8000-' || printf('%012x', at)";
const ID = `substr(hex, 1, 8) || '-' || substr(hex, 9) || '-7' || printf('%03x', at % 4096) || ${ID_END}`;
/** As events/event-id.ts makes it: the record type's code with the position 0. */
const eventId = (code: string): string =>
  `substr(hex, 1, 8) || '-' || substr(hex, 9) || '-8${code}' || ${ID_END}`;

const OWNER = "printf('%08x-1815-4a10-8a00-00000000ada1', person)";
const ACTOR = "'service-' || (person % 5)";
const INITIATOR = `IIF(asserted, ${OWNER}, ${ACTOR})`;
const ifCompleted = (value: string): string => `IIF(completed, ${value}, NULL)`;
/** Base64url of 16 bytes: the last character has four of its six bits. */
const seal = (letter: string): string => `'${letter}' || printf('%020d', at) || 'A.${NOW.toString(36)}.q.'`;

const CALLER = {
  interception_id: ID,
  actor_id: ACTOR,
  initiator_id: INITIATOR,
  attribution: "IIF(asserted, 'asserted', 'authenticated')",
  initiator_source: "IIF(asserted, 'coder', 'keys')",
  client: "IIF(at % 10, 'Coder Agents', 'Codex')",
  client_session_id: `IIF(at % 4, 'session-' || ${INITIATOR} || '-' || (at * 10 / CAST(?3 AS INTEGER)), NULL)`,
};

const CALL = {
  ...CALLER,
  provider: "IIF(at % 2, 'anthropic', 'openai')",
  provider_type: "IIF(at % 2, 'anthropic', 'openai')",
  model: "'model-' || (person + (at % 5 = 0)) % 4",
  started_at: "started",
  ended_at: "ended",
  msg_id: "printf('resp_%012x', at)",
  outcome: "CASE (at / 7) % 6 WHEN 4 THEN 'cancelled' WHEN 5 THEN 'upstream_error' ELSE 'completed' END",
  usage: "IIF(completed, 'final', 'unknown')",
  input_tokens: ifCompleted("1200 + at % 700"),
  output_tokens: ifCompleted("150 + at % 90"),
  cache_read_input_tokens: ifCompleted("9000"),
  start_seal: seal("s"),
  end_seal: seal("e"),
};

const TOOL = {
  id: eventId("400"),
  interception_id: ID,
  initiator_id: INITIATOR,
  tool_call_id: "'call-' || at",
  created_at: "ended",
  seal: seal("t"),
};

const OVERRIDE = { ...CALLER, id: eventId("600"), owner_id: OWNER, created_at: "started", seal: seal("o") };

/**
 * The product's statement, with events of one kind in place of its parameter. They are materialized, because SQLite would
 * otherwise make an event once for each of its columns.
 */
function generated(
  insert: string,
  template: object,
  values: Readonly<Record<string, string>>,
  where = "true",
): string {
  const set = Object.entries(values).map(([name, sql]) => `'$.${name}', ${sql}`);
  const json = JSON.stringify(template).replaceAll("'", "''");
  return `${NUMBERS},
  event AS MATERIALIZED (SELECT json_set('${json}', ${set.join(", ")}) AS value FROM call WHERE ${where})
  ${insert.replace("json_each(?1)", "event")}`;
}

function templates(): { readonly call: object; readonly tool: object; readonly override: object } {
  const all = toLedgerEvents([...traffic(1, 1, 100), ...traffic(2, 1, 100)]);
  const of = (type: InterceptorEvent["record_type"]): object => {
    const found = all.find(({ record_type }) => record_type === type);
    if (!found) throw new Error(`the traffic has no ${type}`);
    return found;
  };
  return {
    call: { ...of("interception_start"), ...of("interception_end"), correlating_tool_call_id: null },
    tool: of("tool_usage"),
    override: { ...of("initiator_override"), accepted: true },
  };
}

/** One row of the journal for each batch of the consumer. The totals have its deltas already. */
const JOURNAL = `${NUMBERS}
INSERT INTO journal (stored_at, event_ids, deltas, delta_count)
SELECT ${NOW}, json_group_array(id), '[]', 0 FROM (
  SELECT at, ${eventId("000")} AS id FROM call UNION ALL SELECT at, ${eventId("100")} FROM call
  UNION ALL SELECT at, ${eventId("400")} FROM call WHERE at % 2 = 0
  UNION ALL SELECT at, ${eventId("600")} FROM call WHERE asserted
) GROUP BY at / ${INTERCEPTIONS_PER_BATCH}`;

const measures = MEASURES.map((name) => `TOTAL(${contribution(name, "i")})`).join(", ");
const stored = `call CROSS JOIN interceptions AS i ON i.id = ${ID}`;

/** The totals of the statement's interceptions. The names are those of the group's latest row that has one. */
const TOTALS: readonly string[] = [
  `${NUMBERS}
  INSERT INTO rollup_dimensions (key, ${DIMENSION_COLUMNS.join(", ")}, initiator_name, actor_name, named_by)
  SELECT ${dimensionKey("i")}, ${DIMENSION_COLUMNS.map((name) => dimensionValue(name, "i")).join(", ")},
    i.initiator_name, ${actorName("i")}, MAX(IIF(COALESCE(i.initiator_name, ${actorName("i")}) IS NULL, '', i.id))
  FROM ${stored} GROUP BY 1 ON CONFLICT (key) DO NOTHING`,
  `${NUMBERS}
  INSERT INTO rollup_hours (dimension, hour, ${MEASURES.join(", ")})
  SELECT d.id, ${hourOf("i")}, ${measures}
  FROM ${stored} CROSS JOIN rollup_dimensions AS d ON d.key = ${dimensionKey("i")} WHERE true GROUP BY 1, 2
  ON CONFLICT (dimension, hour) DO UPDATE SET ${MEASURES.map((name) => `${name} = ${name} + excluded.${name}`).join(", ")}`,
];

const FOLDED = `INSERT INTO upkeep_cursors (job, cursor) SELECT 'folded', CAST(MAX(seq) AS TEXT) FROM journal WHERE true
ON CONFLICT (job) DO UPDATE SET cursor = excluded.cursor`;

/** Of the whole ledger, as the migration notes those of older rows: the consumer notes them batch by batch. */
const SPANS = [
  `INSERT INTO session_spans (session_id, link_key, span)
  SELECT session_id, link_key, span FROM interceptions WHERE session_id <> id
  UNION SELECT first.id, first.link_key, first.span FROM interceptions AS i
  CROSS JOIN interceptions AS first ON first.id = i.session_id AND first.link_key = i.link_key
  WHERE i.session_id <> i.id`,
  `INSERT INTO actor_spans (actor_id, span, initiator_id) SELECT actor_id, span, initiator_id FROM interceptions
  UNION SELECT actor_id, SUBSTR(id, 1, 7), initiator_id FROM initiator_overrides`,
];

/** `count` interceptions; on average each has 3.17 events. `onProgress` gets the number of those that are stored. */
export async function generateLedger(
  database: D1Database,
  count: number,
  onProgress: (stored: number) => void = () => undefined,
): Promise<void> {
  const { call, tool, override } = templates();
  const statements = [
    generated(callsInto("interceptions"), call, CALL),
    generated(insertInto("tool_usages"), tool, TOOL, "at % 2 = 0"),
    generated(insertInto("initiator_overrides"), override, OVERRIDE, "asserted"),
    ...TOTALS,
    JOURNAL,
  ];
  for (let from = 0; from < count; from += ROWS_PER_STATEMENT) {
    const end = Math.min(count, from + ROWS_PER_STATEMENT);
    for (const sql of statements) await database.prepare(sql).bind(from, end, count).run();
    onProgress(end);
  }
  for (const sql of [...SPANS, FOLDED]) await database.prepare(sql).run();
  await closeDays(database, NOW);
}
