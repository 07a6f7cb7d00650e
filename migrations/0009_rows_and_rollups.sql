-- Fewer rows per interception. Its usage stands in its own row, and a start that is stored together with its end is one
-- write.

-- The figures of the end's event. A row of `token_usages` is now only usage that was retrieved later, or the usage event of
-- an earlier gateway, whose figures the end has too.
ALTER TABLE interceptions ADD COLUMN input_tokens INTEGER;
ALTER TABLE interceptions ADD COLUMN output_tokens INTEGER;
ALTER TABLE interceptions ADD COLUMN cache_read_input_tokens INTEGER;
ALTER TABLE interceptions ADD COLUMN cache_write_input_tokens INTEGER;
ALTER TABLE interceptions ADD COLUMN usage_metadata TEXT;
ALTER TABLE interceptions ADD COLUMN raw_usage TEXT;

-- Derived: the sums of usage that was retrieved later, and its state. The columns above are the event's, and never change.
ALTER TABLE interceptions ADD COLUMN claimed_usage TEXT;
ALTER TABLE interceptions ADD COLUMN claimed_input_tokens INTEGER;
ALTER TABLE interceptions ADD COLUMN claimed_output_tokens INTEGER;
ALTER TABLE interceptions ADD COLUMN claimed_cache_read_input_tokens INTEGER;
ALTER TABLE interceptions ADD COLUMN claimed_cache_write_input_tokens INTEGER;
-- What totals count. Usage that was retrieved later counts only where the response had none of its own.
ALTER TABLE interceptions ADD COLUMN usage_state TEXT GENERATED ALWAYS AS (
  CASE WHEN outcome = 'queued' OR usage = 'unknown' THEN COALESCE(claimed_usage, usage) ELSE usage END
) VIRTUAL;
ALTER TABLE interceptions ADD COLUMN total_input_tokens INTEGER GENERATED ALWAYS AS (
  COALESCE(input_tokens, 0)
  + CASE WHEN outcome = 'queued' OR usage = 'unknown' THEN COALESCE(claimed_input_tokens, 0) ELSE 0 END
) VIRTUAL;
ALTER TABLE interceptions ADD COLUMN total_output_tokens INTEGER GENERATED ALWAYS AS (
  COALESCE(output_tokens, 0)
  + CASE WHEN outcome = 'queued' OR usage = 'unknown' THEN COALESCE(claimed_output_tokens, 0) ELSE 0 END
) VIRTUAL;
ALTER TABLE interceptions ADD COLUMN total_cache_read_input_tokens INTEGER GENERATED ALWAYS AS (
  COALESCE(cache_read_input_tokens, 0)
  + CASE WHEN outcome = 'queued' OR usage = 'unknown' THEN COALESCE(claimed_cache_read_input_tokens, 0) ELSE 0 END
) VIRTUAL;
ALTER TABLE interceptions ADD COLUMN total_cache_write_input_tokens INTEGER GENERATED ALWAYS AS (
  COALESCE(cache_write_input_tokens, 0)
  + CASE WHEN outcome = 'queued' OR usage = 'unknown' THEN COALESCE(claimed_cache_write_input_tokens, 0) ELSE 0 END
) VIRTUAL;

-- How and when each event was stored (src/records/ledger/stored-facts.ts). Empty in rows from before this migration.
ALTER TABLE interceptions ADD COLUMN start_seal TEXT;
ALTER TABLE interceptions ADD COLUMN end_seal TEXT;
ALTER TABLE passthroughs ADD COLUMN start_seal TEXT;
ALTER TABLE passthroughs ADD COLUMN end_seal TEXT;
ALTER TABLE token_usages ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE user_prompts ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE tool_usages ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE model_thoughts ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE retrieved_usages ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE batch_files ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE initiator_overrides ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE refusals ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE refusal_counts ADD COLUMN seal TEXT NOT NULL DEFAULT '';

UPDATE interceptions SET start_seal = '' WHERE api_key_id IS NOT NULL;
UPDATE interceptions SET end_seal = '' WHERE ended_at IS NOT NULL;
UPDATE passthroughs SET start_seal = '' WHERE api_key_id IS NOT NULL;
UPDATE passthroughs SET end_seal = '' WHERE ended_at IS NOT NULL;

-- The usage event's id is the interception's, with its version and code in place of twelve bits.
UPDATE interceptions SET
  input_tokens = own.input_tokens, output_tokens = own.output_tokens,
  cache_read_input_tokens = own.cache_read_input_tokens, cache_write_input_tokens = own.cache_write_input_tokens
FROM token_usages AS own
WHERE own.interception_id = interceptions.id
  AND own.id = SUBSTR(interceptions.id, 1, 14) || '8200' || SUBSTR(interceptions.id, 19);
UPDATE interceptions SET
  claimed_usage = usage, claimed_input_tokens = claimed.input_tokens, claimed_output_tokens = claimed.output_tokens,
  claimed_cache_read_input_tokens = claimed.cache_read_input_tokens,
  claimed_cache_write_input_tokens = claimed.cache_write_input_tokens
FROM (
  SELECT read.interception_id, SUM(read.input_tokens) AS input_tokens, SUM(read.output_tokens) AS output_tokens,
    SUM(read.cache_read_input_tokens) AS cache_read_input_tokens,
    SUM(read.cache_write_input_tokens) AS cache_write_input_tokens
  FROM token_usages AS read
  WHERE read.id <> SUBSTR(read.interception_id, 1, 14) || '8200' || SUBSTR(read.interception_id, 19)
  GROUP BY read.interception_id
) AS claimed
WHERE claimed.interception_id = interceptions.id;

-- Fewer entries of indices. A call without an end is found by reading the calls of an hour (`open_calls` has those that
-- were stored late). An interception has one entry, by initiator and span of time; the spans in which a session or an actor
-- has interceptions are noted in tables, with one row for all that are in one (src/records/rollups/spans.ts).
DROP INDEX interceptions_open;
DROP INDEX passthroughs_open;
ALTER TABLE interceptions ADD COLUMN span TEXT GENERATED ALWAYS AS (SUBSTR(id, 1, 7)) VIRTUAL;
DROP INDEX interceptions_by_session;
DROP INDEX interceptions_by_actor;
DROP INDEX interceptions_by_initiator;
-- Actor and attribution: under one initiator and session id, one caller's rows are not read for another's.
CREATE INDEX interceptions_by_initiator ON interceptions (initiator_id, span, session_id, actor_id, attribution, id);
DROP INDEX initiator_overrides_by_actor;
CREATE INDEX initiator_overrides_by_actor ON initiator_overrides (actor_id, id) WHERE accepted = 0;

-- Only an OpenAI response can be read later; of every other dialect only batches are, which are queued.
DROP INDEX interceptions_unread;
CREATE INDEX interceptions_unread ON interceptions (provider, provider_response_id)
  WHERE outcome = 'queued' OR usage = 'unknown' AND provider_type = 'openai';

CREATE TABLE session_spans (
  session_id TEXT NOT NULL,
  link_key TEXT NOT NULL,
  span TEXT NOT NULL,
  PRIMARY KEY (session_id, link_key, span)
) WITHOUT ROWID;
INSERT INTO session_spans (session_id, link_key, span)
SELECT session_id, link_key, span FROM interceptions WHERE session_id <> id
UNION
SELECT first.id, first.link_key, first.span FROM interceptions AS i
CROSS JOIN interceptions AS first ON first.id = i.session_id AND first.link_key = i.link_key WHERE i.session_id <> i.id;

-- `initiator_id` is empty for owners that were not accepted.
CREATE TABLE actor_spans (
  actor_id TEXT NOT NULL,
  span TEXT NOT NULL,
  initiator_id TEXT NOT NULL,
  PRIMARY KEY (actor_id, span, initiator_id)
) WITHOUT ROWID;
INSERT INTO actor_spans (actor_id, span, initiator_id)
SELECT actor_id, span, initiator_id FROM interceptions
UNION SELECT actor_id, SUBSTR(id, 1, 7), IIF(accepted = 1, initiator_id, '') FROM initiator_overrides;

-- Calls that were stored without their end after the cron had passed their time.
CREATE TABLE open_calls (
  id TEXT NOT NULL PRIMARY KEY,
  call_table TEXT NOT NULL
) WITHOUT ROWID;

-- One row per stored batch of events, in its transaction: the ids of the events that it stored for the first time, and by
-- how much they move the totals. `seq` increases: the newest row is never deleted.
CREATE TABLE journal (
  seq INTEGER PRIMARY KEY,
  stored_at INTEGER NOT NULL,
  -- Before the texts, which are long: counting the deltas does not read them.
  delta_count INTEGER NOT NULL,
  event_ids TEXT NOT NULL,
  -- A JSON list of [dimension, hour, requests, unknown_usage, input, output, cache read, cache write].
  deltas TEXT NOT NULL
);

-- Totals by hour and by day (UTC). They outlive the interceptions.
CREATE TABLE rollup_dimensions (
  id INTEGER PRIMARY KEY,
  -- A JSON list of all that follows up to the names.
  key TEXT NOT NULL UNIQUE,
  initiator_id TEXT NOT NULL,
  initiator_source TEXT NOT NULL,
  attribution TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  identity_source TEXT NOT NULL,
  client TEXT NOT NULL,
  provider TEXT NOT NULL,
  provider_type TEXT NOT NULL,
  model TEXT,
  workspace_id TEXT,
  own_key_rejected INTEGER NOT NULL,
  -- 0: as above. Coarse ones have fewer columns, the others are empty: 1 the principals and the attribution, 2 the client,
  -- the model and the attribution. Only days have totals of coarse ones, of which there are far fewer.
  coarseness INTEGER NOT NULL DEFAULT 0,
  -- The two coarse ones that it belongs to, once it has been part of a day's total.
  principals INTEGER,
  software INTEGER,
  -- The names in the last interception that had one.
  initiator_name TEXT,
  actor_name TEXT,
  named_by TEXT
);
CREATE INDEX rollup_dimensions_by_initiator ON rollup_dimensions (initiator_id);

CREATE TABLE rollup_hours (
  dimension INTEGER NOT NULL,
  hour TEXT NOT NULL,
  requests INTEGER NOT NULL,
  unknown_usage INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_input_tokens INTEGER NOT NULL,
  cache_write_input_tokens INTEGER NOT NULL,
  PRIMARY KEY (dimension, hour)
) WITHOUT ROWID;
-- Of days that have ended. Those of the current day are in its hours only.
CREATE TABLE rollup_days (
  dimension INTEGER NOT NULL,
  day TEXT NOT NULL,
  requests INTEGER NOT NULL,
  unknown_usage INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cache_read_input_tokens INTEGER NOT NULL,
  cache_write_input_tokens INTEGER NOT NULL,
  PRIMARY KEY (dimension, day)
) WITHOUT ROWID;

-- The totals of the interceptions that are stored.
INSERT INTO rollup_dimensions (
  key, initiator_id, initiator_source, attribution, actor_id, identity_source, client, provider, provider_type, model,
  workspace_id, own_key_rejected, initiator_name, actor_name, named_by
)
SELECT
  json_array(link_key || '', client, provider, provider_type, model, workspace_id, own_key_rejected IS 1),
  initiator_id, link_key ->> 1, attribution, actor_id, identity_source, client, provider, provider_type, model,
  workspace_id, own_key_rejected IS 1, initiator_name,
  CASE WHEN json_valid(metadata) THEN metadata ->> '$.actor_name' END,
  -- The only aggregate is a maximum, so the names are those of its row: the last one that has a name.
  MAX(IIF(COALESCE(initiator_name, CASE WHEN json_valid(metadata) THEN metadata ->> '$.actor_name' END) IS NULL, '', id))
FROM interceptions GROUP BY 1;
INSERT INTO rollup_hours
SELECT dimension.id, SUBSTR(i.started_at, 1, 13), COUNT(*), TOTAL(i.usage_state IS NOT 'final'),
  TOTAL(i.total_input_tokens), TOTAL(i.total_output_tokens), TOTAL(i.total_cache_read_input_tokens),
  TOTAL(i.total_cache_write_input_tokens)
FROM interceptions AS i CROSS JOIN rollup_dimensions AS dimension ON dimension.key =
  json_array(i.link_key || '', i.client, i.provider, i.provider_type, i.model, i.workspace_id, i.own_key_rejected IS 1)
GROUP BY 1, 2;
