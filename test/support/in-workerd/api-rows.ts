/**
 * Ledger rows, inserted by the tests' own SQL. Each builder returns a complete row; a test overrides only the columns that
 * it is about.
 */
import { env } from "cloudflare:workers";
import { closeDays } from "../../../src/records/ledger/rollups/fold.ts";
import { OWNER_ATTRIBUTIONS } from "../../../src/events/vocabulary.ts";
import {
  actorName,
  contribution,
  DIMENSION_COLUMNS,
  dimensionKey,
  dimensionValue,
  hourOf,
  MEASURES,
} from "../../../src/records/rollups/contribution-sql.ts";
import { uuidV7 } from "../../../src/shared/uuid.ts";

/** 2026-11-23T12:00:00.000Z. */
export const T0 = Date.UTC(2026, 10, 23, 12);

export const ALICE = "7f3c2a10-1234-4abc-9def-000000000001";
export const BOB = "7f3c2a10-1234-4abc-9def-000000000002";

type Cell = string | number | null;
export type Row = Readonly<Record<string, Cell>>;

export type TableName =
  | "interceptions"
  | "token_usages"
  | "user_prompts"
  | "tool_usages"
  | "model_thoughts"
  | "initiator_overrides"
  | "passthroughs"
  | "anomalies"
  | "refusals"
  | "refusal_counts"
  | "budget_events"
  | "upstream_attempts"
  | "unauthenticated_events";

export const database = (env as { readonly LEDGER: D1Database }).LEDGER;

export type BoundQuery = { readonly text: string; readonly values: readonly unknown[] };

/** The tests' ledger, with its queries observed or changed, or failing. */
export function wrapLedger({
  onQuery = () => undefined,
  change = (text) => text,
  failure = null,
}: {
  readonly onQuery?: (query: BoundQuery) => void;
  readonly change?: (text: string) => string;
  readonly failure?: Error | null;
}): D1Database {
  const wrapped: Pick<D1Database, "prepare" | "batch"> = {
    prepare: (text) => {
      const statement = database.prepare(change(text));
      const bind = (...values: unknown[]): D1PreparedStatement => {
        onQuery({ text, values });
        return statement.bind(...values);
      };
      return Object.assign(Object.create(statement) as D1PreparedStatement, { bind });
    },
    batch: async (statements) => {
      if (failure) throw failure;
      return database.batch(statements);
    },
  };
  // The API uses only these two methods.
  return wrapped as D1Database;
}

/** Inserts the rows. Interceptions are in the totals too, as where the ledger has stored their events. */
export async function insert(table: TableName, rows: readonly Row[]): Promise<void> {
  for (let at = 0; at < rows.length; at += 500) {
    await database.batch(
      rows.slice(at, at + 500).map((row) => {
        const names = Object.keys(row);
        const placeholders = names.map(() => "?").join(", ");
        return database
          .prepare(`INSERT INTO ${table} (${names.join(", ")}) VALUES (${placeholders})`)
          .bind(...Object.values(row));
      }),
    );
  }
  await database.batch(SPANS.map((text) => database.prepare(text)));
  if (table !== "interceptions") return;
  await database.batch(TOTALS.map((text) => database.prepare(text)));
  const newest = await database.prepare("SELECT MAX(hour) AS hour FROM rollup_hours").first<string>("hour");
  // As the cron does on the day of the newest one.
  await closeDays(database, Date.parse(`${newest ?? "1970-01-01T00"}:00:00Z`));
}

/** Makes the totals by hour of the interceptions that are stored, in place of all earlier totals. */
const TOTALS: readonly string[] = [
  ...["rollup_dimensions", "rollup_hours", "rollup_days"].map((table) => `DELETE FROM ${table}`),
  "DELETE FROM upkeep_cursors WHERE job = 'days'",
  "UPDATE journal SET deltas = '[]', delta_count = 0",
  // The only aggregate is a maximum, so the names are those of its row: the last one that has a name.
  `INSERT INTO rollup_dimensions (key, ${DIMENSION_COLUMNS.join(", ")}, initiator_name, actor_name, named_by)
  SELECT ${dimensionKey("i")}, ${DIMENSION_COLUMNS.map((name) => dimensionValue(name, "i")).join(", ")},
    i.initiator_name, ${actorName("i")}, MAX(IIF(COALESCE(i.initiator_name, ${actorName("i")}) IS NULL, '', i.id))
  FROM interceptions i GROUP BY 1`,
  `INSERT INTO rollup_hours SELECT d.id, ${hourOf("i")}, ${MEASURES.map((name) => `TOTAL(${contribution(name, "i")})`).join(", ")}
  FROM interceptions i CROSS JOIN rollup_dimensions d ON d.key = ${dimensionKey("i")} GROUP BY 1, 2`,
];

/** Notes the spans of all rows, as migration 0009 does. */
const SPANS: readonly string[] = [
  `INSERT OR IGNORE INTO session_spans SELECT session_id, link_key, span FROM interceptions WHERE session_id <> id
  UNION SELECT first.id, first.link_key, first.span FROM interceptions AS i
  CROSS JOIN interceptions AS first ON first.id = i.session_id AND first.link_key = i.link_key WHERE i.session_id <> i.id`,
  `INSERT OR IGNORE INTO actor_spans SELECT actor_id, span, initiator_id FROM interceptions
  UNION SELECT actor_id, SUBSTR(id, 1, 7), IIF(accepted = 1, initiator_id, '') FROM initiator_overrides`,
];

/** The id of the `n`th interception in a millisecond (UUID version 7). */
export function idAt(at: number, n = 0): string {
  return uuidV7(at, `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`);
}

export const iso = (at: number): string => new Date(at).toISOString();

/** The source of the initiator's id: Coder's for an owner, else the actor's. */
const withSource = (row: Row): Row => ({
  initiator_source: OWNER_ATTRIBUTIONS.has(String(row["attribution"]))
    ? "coder"
    : (row["identity_source"] ?? null),
  ...row,
});

/** A completed interception with final usage, by Alice herself, without a client session id. */
export function interception(at: number, over: Row = {}, n = 0): Row {
  return withSource({
    id: idAt(at, n),
    actor_id: ALICE,
    actor_kind: "user",
    initiator_id: ALICE,
    attribution: "authenticated",
    identity_source: "keys",
    client: "Claude Code",
    user_agent: "claude-cli/2.1.330",
    client_session_id: null,
    chat_id: null,
    subchat_id: null,
    workspace_id: null,
    delegated_key_id: null,
    delegated_source: null,
    claimed_ids: null,
    provider: "anthropic",
    provider_type: "anthropic",
    route: "/v1/messages",
    model: "claude-x",
    streaming: 1,
    credential_kind: "centralized",
    credential_hint: "sk-a...xyz1",
    started_at: iso(at),
    worker_version: "0d0d0d0d-0000-4000-8000-00000000000d",
    api_key_id: "0123456789abcdef",
    metadata: '{"actor_name":"alice"}',
    initiator_name: null,
    flags: "[]",
    correlating_tool_call_id: null,
    prompt_count: 1,
    earlier_prompt_count: 0,
    prompt_hashes: "[]",
    earlier_prompt_hashes: "[]",
    agent_id: null,
    parent_agent_id: null,
    client_prompt_id: null,
    request_class: null,
    client_kind: null,
    end_user: null,
    request_encoding: null,
    delegation_chain: "[]",
    outcome: "completed",
    ended_at: iso(at + 900),
    status: 200,
    finish_reason: "end_turn",
    error: null,
    error_message: null,
    usage: "final",
    usage_invalid: 0,
    observation: "complete",
    provider_response_id: "msg_1",
    response_model: "claude-x-2026",
    service_tier: null,
    speed: null,
    inference_geo: null,
    reported_cost: null,
    response_bytes: 4321,
    first_byte_ms: 300,
    duration_ms: 900,
    tool_call_count: 0,
    thought_count: 0,
    provider_request_id: "req_0123456789abcdef",
    provider_ray: "8a1b2c3d4e5f6071-FRA",
    response_encoding: null,
    own_key_rejected: 0,
    upload_sha256: null,
    response_sha256: "45".repeat(32),
    usage_opt_in: null,
    request_sha256: "01".repeat(32),
    config_version: "fedcba9876543210",
    client_country: "NL",
    client_ray: "8a1b2c3d4e5f6070-AMS",
    client_ip: "203.0.113.0/24",
    thread_parent_id: null,
    thread_root_id: null,
    ...over,
  });
}

/** The columns of an interception whose response reported its usage. */
export const used = (over: Row = {}): Row => ({
  input_tokens: 10,
  output_tokens: 20,
  cache_read_input_tokens: 3,
  cache_write_input_tokens: null,
  usage_metadata: '{"web_search_requests":1}',
  raw_usage: '{"input_tokens":10}',
  cost_micros: 250,
  cost_source: "computed",
  price_version: "2026-09-23.01234567",
  ...over,
});

/** The id of the usage record that the API makes of these columns. */
export const ownUsageId = (of: Row): string =>
  `${String(of["id"]).slice(0, 14)}8200${String(of["id"]).slice(18)}`;

/** The common columns of a row that belongs to an interception. Its id has the same millisecond and differs by `n`. */
function owned({ id, initiator_id: initiator, started_at: at }: Row, n: number): Row {
  const ownId = `${String(id).slice(0, 14)}8${String(id).slice(15, 24)}${n.toString(16).padStart(4, "0")}${String(id).slice(28)}`;
  return { id: ownId, interception_id: id ?? null, initiator_id: initiator ?? null, created_at: at ?? null };
}

/** Usage that was retrieved later. */
export function tokenUsage(of: Row, over: Row = {}): Row {
  return {
    ...owned(of, 1),
    provider_response_id: "msg_1",
    input_tokens: 10,
    output_tokens: 20,
    cache_read_input_tokens: 3,
    cache_write_input_tokens: null,
    usage: "final",
    metadata: '{"web_search_requests":1}',
    raw_usage: '{"input_tokens":10}',
    ...over,
  };
}

export function userPrompt(of: Row, prompt: string): Row {
  return { ...owned(of, 2), provider_response_id: null, prompt, truncated: 0, metadata: "{}" };
}

export function toolUsage(of: Row, position: number, over: Row = {}): Row {
  return {
    ...owned(of, 0x100 + position),
    position,
    provider_response_id: "msg_1",
    provider_tool_call_id: `toolu_${position}`,
    tool: "Bash",
    input: '{"command":"ls"}',
    truncated: 0,
    server_url: null,
    injected: 0,
    invocation_error: null,
    metadata: '{"kind":"tool_use"}',
    ...over,
  };
}

export function upstreamAttempt(of: Row, position: number, over: Row = {}): Row {
  const { initiator_id: _, ...ids } = owned(of, 0x300 + position);
  return {
    ...ids,
    position,
    provider: "openai",
    sent_model: null,
    key_hint: "sk-p...abcd",
    reason: "rate_limited",
    status: 429,
    waited_ms: 0,
    duration_ms: 30,
    cost_micros: 0,
    ai_gateway_log_id: null,
    ai_gateway_cache: null,
    started_at: iso(T0),
    seal: "s",
    ...over,
  };
}

export function modelThought(of: Row, position: number, content: string): Row {
  return {
    ...owned(of, 0x200 + position),
    position,
    provider_response_id: "msg_1",
    content,
    truncated: 0,
    metadata: "{}",
  };
}

/** An accepted assertion: a service account named Alice as the owner. */
export function override(at: number, over: Row = {}, n = 0): Row {
  return withSource({
    id: idAt(at, n),
    interception_id: idAt(at, n),
    accepted: 1,
    actor_id: "coder-agents",
    actor_kind: "service",
    identity_source: "keys",
    initiator_id: ALICE,
    attribution: "asserted",
    owner_id: ALICE,
    reason: null,
    value_length: null,
    value_sha256: null,
    client: "Coder Agents",
    user_agent: "coder-agents/v2.30.0 (linux/amd64)",
    client_session_id: null,
    chat_id: null,
    subchat_id: null,
    workspace_id: null,
    delegated_key_id: null,
    delegated_source: null,
    claimed_ids: null,
    provider: "openai",
    created_at: iso(at),
    owner_username: "alice",
    rule: "listed",
    signature: "off",
    directory: "active",
    delegation_chain: "[]",
    api_key_id: "0123456789abcdef",
    ...over,
  });
}

/** Alice read a list of files. */
export function passthrough(at: number, over: Row = {}, n = 0): Row {
  return withSource({
    id: idAt(at, n),
    actor_id: ALICE,
    actor_kind: "user",
    initiator_id: ALICE,
    attribution: "authenticated",
    identity_source: "keys",
    client: "Claude Code",
    user_agent: "claude-cli/2.1.330",
    client_session_id: null,
    chat_id: null,
    subchat_id: null,
    workspace_id: null,
    delegated_key_id: null,
    delegated_source: null,
    claimed_ids: null,
    method: "GET",
    provider: "anthropic",
    provider_type: "anthropic",
    route: "/v1/files",
    started_at: iso(at),
    worker_version: "0d0d0d0d-0000-4000-8000-00000000000d",
    api_key_id: "0123456789abcdef",
    metadata: '{"actor_name":"alice"}',
    initiator_name: null,
    outcome: "completed",
    status: 200,
    error: null,
    duration_ms: 30,
    usage_of: null,
    result_count: 0,
    ended_at: iso(at + 30),
    provider_request_id: "req_0123456789abcdef",
    provider_ray: "8a1b2c3d4e5f6071-FRA",
    response_encoding: null,
    own_key_rejected: 0,
    object_ids: "[]",
    request_sha256: null,
    config_version: "fedcba9876543210",
    client_country: "NL",
    client_ray: "8a1b2c3d4e5f6070-AMS",
    client_ip: null,
    ...over,
  });
}

/** Two initiators used one chat id. */
export function anomaly(at: number, over: Row = {}, n = 0): Row {
  return {
    id: idAt(at, n),
    kind: "chat_multiple_initiators",
    subject: "0a0a0a0a-0000-4000-8000-00000000000a",
    first_interception_id: idAt(at),
    last_interception_id: idAt(at + 1000),
    count: 2,
    details: JSON.stringify({ initiators: [ALICE, BOB], actors: ["coder-agents"] }),
    first_seen: iso(at),
    last_seen: iso(at + 1000),
    ...over,
  };
}

/** A refusal without a verified actor. */
export function refusal(at: number, over: Row = {}, n = 0): Row {
  return {
    id: idAt(at, n),
    interception_id: idAt(at, n),
    reason: "invalid_credential",
    status: 401,
    detail: "no such client key",
    method: "POST",
    provider: "openai-prod",
    route: "/chat/completions",
    client: "Unknown",
    actor_id: null,
    actor_kind: null,
    initiator_id: null,
    created_at: iso(at),
    worker_version: null,
    identity_source: null,
    actor_verified: 0,
    api_key_id: "0123456789abcdef",
    initiator_source: null,
    client_country: null,
    client_ray: null,
    client_ip: null,
    object_ids: "[]",
    ...over,
  };
}

/**
 * A budget that refused a call, for the first time in its period.
 * @param type the second of the four bits groups of the record type in the id: 0 for a threshold, 1 for a refusal, 4 for a change.
 */
export function budgetEvent(at: number, over: Row = {}, type = 1): Row {
  const id = idAt(at);
  return {
    id: `${id.slice(0, 14)}8f${type}0${id.slice(18)}`,
    interception_id: id,
    position: 0,
    rule: "budget:people",
    subject_kind: "principal",
    subject_source: "coder",
    subject_id: ALICE,
    initiator_id: ALICE,
    actor_id: ALICE,
    measure: "dollars",
    percent: null,
    amount: 1_200_000,
    spent: 49_000_000,
    reserved: 0,
    allowance: 50_000_000,
    resets_at: iso(at + 86_400_000),
    change: null,
    changed_by: null,
    charges: null,
    created_at: iso(at),
    seal: "s",
    ...over,
  };
}

/** The columns of a refusal with a verified actor. */
export const VERIFIED: Row = {
  reason: "model_not_allowed",
  status: 403,
  actor_id: ALICE,
  actor_kind: "user",
  initiator_id: ALICE,
  identity_source: "coder",
  initiator_source: "coder",
  actor_verified: 1,
};

/** The counts of one isolate. */
export function unauthenticatedEvent(at: number, over: Row = {}, n = 0): Row {
  const event = { record_type: "interception_start", interception_id: idAt(at, n), initiator_id: BOB };
  return {
    id: idAt(at, n),
    event_id: idAt(at, n),
    record_type: "interception_start",
    interception_id: idAt(at, n),
    event: JSON.stringify(event),
    reason: "missing",
    mac_key_id: null,
    via: "q",
    stored_at: at,
    ...over,
  };
}

export function refusalCount(at: number, refusals: number, over: Row = {}, n = 0): Row {
  return {
    id: idAt(at, n),
    minute: iso(Math.floor(at / 60_000) * 60_000),
    reason: "invalid_credential",
    provider: "openai-prod",
    refusals,
    created_at: iso(at),
    merged: null,
    ...over,
  };
}
