-- The ledger: Coder's tables, and what became of each owner header. Names follow Coder's where it has one.
--
-- No foreign keys: what a queue delivers comes in any order, so that an answer's tools may be stored before the
-- interception that they belong to. Ids are UUIDs that begin with the time (an interception's is its version 7, every
-- other row's is made of it), so the order of the primary key is that of time; a span of time is a range of ids, and
-- neither listing nor purging needs an index on a date. What
-- belongs to an interception is kept under its id, so that finding it needs no index either. Booleans are 0 and 1, times RFC 3339 in UTC, JSON is text.

CREATE TABLE interceptions (
  id TEXT NOT NULL PRIMARY KEY,
  actor_id TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  initiator_id TEXT NOT NULL,
  attribution TEXT NOT NULL,
  identity_source TEXT NOT NULL,
  client TEXT NOT NULL,
  user_agent TEXT,
  client_session_id TEXT,
  chat_id TEXT,
  subchat_id TEXT,
  workspace_id TEXT,
  provider TEXT NOT NULL,
  provider_type TEXT NOT NULL,
  route TEXT NOT NULL,
  model TEXT,
  streaming INTEGER NOT NULL,
  credential_kind TEXT NOT NULL,
  credential_hint TEXT,
  started_at TEXT NOT NULL,
  -- Known from the start's event.
  api_key_id TEXT,
  metadata TEXT,
  correlating_tool_call_id TEXT,
  prompt_count INTEGER,
  -- Known from the end's event; an outcome 'orphaned' is the cron's, for a start whose end never came.
  outcome TEXT,
  ended_at TEXT,
  status INTEGER,
  finish_reason TEXT,
  error TEXT,
  error_message TEXT,
  usage TEXT,
  usage_flagged INTEGER,
  observation TEXT,
  provider_response_id TEXT,
  response_model TEXT,
  response_bytes INTEGER,
  first_byte_ms INTEGER,
  duration_ms INTEGER,
  tool_call_count INTEGER,
  thought_count INTEGER,
  -- Filled in by the ledger: the interception that asked for the tool whose result this one brings back, and the first
  -- of such a chain.
  thread_parent_id TEXT,
  thread_root_id TEXT,
  session_id TEXT GENERATED ALWAYS AS (COALESCE(client_session_id, thread_root_id, id)) VIRTUAL
) WITHOUT ROWID;

CREATE TABLE token_usages (
  id TEXT NOT NULL,
  interception_id TEXT NOT NULL,
  initiator_id TEXT NOT NULL,
  provider_response_id TEXT,
  input_tokens INTEGER,
  output_tokens INTEGER,
  cache_read_input_tokens INTEGER,
  cache_write_input_tokens INTEGER,
  usage TEXT NOT NULL,
  metadata TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (interception_id, id)
) WITHOUT ROWID;

CREATE TABLE user_prompts (
  id TEXT NOT NULL,
  interception_id TEXT NOT NULL,
  initiator_id TEXT NOT NULL,
  provider_response_id TEXT,
  prompt TEXT NOT NULL,
  truncated INTEGER NOT NULL,
  metadata TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (interception_id, id)
) WITHOUT ROWID;

CREATE TABLE tool_usages (
  id TEXT NOT NULL,
  interception_id TEXT NOT NULL,
  initiator_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  provider_response_id TEXT,
  provider_tool_call_id TEXT,
  tool TEXT NOT NULL,
  input TEXT,
  truncated INTEGER NOT NULL,
  server_url TEXT,
  injected INTEGER NOT NULL,
  invocation_error TEXT,
  metadata TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (interception_id, id)
) WITHOUT ROWID;

CREATE TABLE model_thoughts (
  id TEXT NOT NULL,
  interception_id TEXT NOT NULL,
  initiator_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  provider_response_id TEXT,
  content TEXT NOT NULL,
  truncated INTEGER NOT NULL,
  metadata TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (interception_id, id)
) WITHOUT ROWID;

CREATE TABLE initiator_overrides (
  id TEXT NOT NULL PRIMARY KEY,
  interception_id TEXT NOT NULL,
  accepted INTEGER NOT NULL,
  actor_id TEXT NOT NULL,
  actor_kind TEXT NOT NULL,
  identity_source TEXT NOT NULL,
  initiator_id TEXT NOT NULL,
  attribution TEXT NOT NULL,
  -- Whom the header named, where it counted; of what did not count only length and hash are known.
  owner_id TEXT,
  reason TEXT,
  value_length INTEGER,
  value_sha256 TEXT,
  client TEXT NOT NULL,
  user_agent TEXT,
  client_session_id TEXT,
  chat_id TEXT,
  subchat_id TEXT,
  workspace_id TEXT,
  provider TEXT NOT NULL,
  created_at TEXT NOT NULL
) WITHOUT ROWID;
