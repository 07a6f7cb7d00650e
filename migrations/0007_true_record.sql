-- Sub-agents, the prompts before this request, what changes the price, and the provider's own usage object.

ALTER TABLE interceptions ADD COLUMN earlier_prompt_count INTEGER;
ALTER TABLE interceptions ADD COLUMN prompt_hashes TEXT;
ALTER TABLE interceptions ADD COLUMN earlier_prompt_hashes TEXT;
ALTER TABLE interceptions ADD COLUMN agent_id TEXT;
ALTER TABLE interceptions ADD COLUMN parent_agent_id TEXT;
ALTER TABLE interceptions ADD COLUMN client_prompt_id TEXT;
ALTER TABLE interceptions ADD COLUMN request_class TEXT;
ALTER TABLE interceptions ADD COLUMN service_tier TEXT;
ALTER TABLE interceptions ADD COLUMN speed TEXT;
ALTER TABLE interceptions ADD COLUMN inference_geo TEXT;
ALTER TABLE interceptions ADD COLUMN reported_cost TEXT;

ALTER TABLE token_usages ADD COLUMN raw_usage TEXT;

-- The kind of the client, and its word for its own user.

ALTER TABLE interceptions ADD COLUMN client_kind TEXT;
ALTER TABLE interceptions ADD COLUMN end_user TEXT;

-- The coding that a compressed request body came in.

ALTER TABLE interceptions ADD COLUMN request_encoding TEXT;

-- The side that requested the usage of a stream.

ALTER TABLE interceptions ADD COLUMN usage_opt_in TEXT;

-- Usage that a management request read later: of a background response, and of each result of a batch. A row is counted
-- once, under `usage_of`; it is copied to `token_usages` for the interception that created the response or the batch.

CREATE TABLE retrieved_usages (
  id TEXT NOT NULL,
  interception_id TEXT NOT NULL,
  retrieval_id TEXT NOT NULL,
  initiator_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  usage_of TEXT NOT NULL,
  provider_response_id TEXT NOT NULL,
  response_model TEXT,
  input_tokens INTEGER,
  output_tokens INTEGER,
  cache_read_input_tokens INTEGER,
  cache_write_input_tokens INTEGER,
  usage TEXT NOT NULL,
  metadata TEXT NOT NULL,
  raw_usage TEXT,
  created_at TEXT NOT NULL,
  PRIMARY KEY (interception_id, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX retrieved_usages_of ON retrieved_usages (usage_of);
CREATE INDEX retrieved_usages_created ON retrieved_usages (provider, provider_response_id);
CREATE INDEX interceptions_unread ON interceptions (provider, provider_response_id)
WHERE outcome = 'queued' OR usage = 'unknown';

-- The batch whose results a file has. The file itself does not name it.

CREATE TABLE batch_files (
  id TEXT NOT NULL,
  interception_id TEXT NOT NULL,
  retrieval_id TEXT NOT NULL,
  initiator_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  provider_response_id TEXT NOT NULL,
  file_id TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (interception_id, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX batch_files_of ON batch_files (provider, file_id);
CREATE INDEX batch_files_batch ON batch_files (provider, provider_response_id);

-- Requests that are forwarded without being intercepted. As in `interceptions`, start and end arrive in any order.

CREATE TABLE passthroughs (
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
  delegated_key_id TEXT,
  delegated_source TEXT,
  method TEXT NOT NULL,
  provider TEXT NOT NULL,
  provider_type TEXT NOT NULL,
  route TEXT NOT NULL,
  started_at TEXT NOT NULL,
  worker_version TEXT,
  -- Of the start.
  api_key_id TEXT,
  metadata TEXT,
  initiator_name TEXT,
  -- Of the end. The cron sets the outcome `orphaned` where the end never arrived.
  outcome TEXT,
  status INTEGER,
  error TEXT,
  duration_ms INTEGER,
  usage_of TEXT,
  result_count INTEGER,
  ended_at TEXT,
  provider_request_id TEXT,
  provider_ray TEXT,
  response_encoding TEXT
) WITHOUT ROWID;
CREATE INDEX passthroughs_by_initiator ON passthroughs (initiator_id, id);
CREATE INDEX passthroughs_by_actor ON passthroughs (actor_id, id);
CREATE INDEX passthroughs_open ON passthroughs (started_at) WHERE outcome IS NULL;

-- Refusals: each one with a verified actor, and a bounded number of the others, which are counted in `refusal_counts`.

CREATE TABLE refusals (
  id TEXT NOT NULL PRIMARY KEY,
  interception_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  status INTEGER NOT NULL,
  detail TEXT,
  method TEXT NOT NULL,
  provider TEXT,
  route TEXT,
  client TEXT,
  actor_id TEXT,
  actor_kind TEXT,
  initiator_id TEXT,
  created_at TEXT NOT NULL,
  worker_version TEXT,
  -- Null in events of earlier gateways: as if the actor were not verified.
  identity_source TEXT,
  actor_verified INTEGER
) WITHOUT ROWID;
-- For the bound of the rows without a verified actor, and for the sums of those with one.
CREATE INDEX refusals_unverified ON refusals (reason, created_at) WHERE actor_verified IS NOT 1;
CREATE INDEX refusals_verified ON refusals (created_at, reason, provider) WHERE actor_verified = 1;
CREATE INDEX refusals_by_actor ON refusals (actor_id, id) WHERE actor_id IS NOT NULL;

-- Refusals without a verified actor: one row per event, until the cron merges those of one minute, reason and provider.
-- `merged`: the ends of the ids that were merged into the row, each after a space; null before the cron has seen it.
CREATE TABLE refusal_counts (
  id TEXT NOT NULL PRIMARY KEY,
  minute TEXT NOT NULL,
  reason TEXT NOT NULL,
  provider TEXT,
  refusals INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  merged TEXT
) WITHOUT ROWID;
CREATE INDEX refusal_counts_of ON refusal_counts (minute, reason, provider);
CREATE INDEX refusal_counts_new ON refusal_counts (minute) WHERE merged IS NULL;
CREATE INDEX refusal_counts_merged ON refusal_counts (minute) WHERE merged > '';
