-- Delegation by token: the parties that act for the initiator, a JSON list of ids. Null in rows of earlier gateways.
ALTER TABLE interceptions ADD COLUMN delegation_chain TEXT;
ALTER TABLE initiator_overrides ADD COLUMN delegation_chain TEXT;

-- Chat, subchat and workspace as named by a caller whose word for them is no evidence: a JSON object. Their own columns are
-- then null.

ALTER TABLE interceptions ADD COLUMN claimed_ids TEXT;
ALTER TABLE passthroughs ADD COLUMN claimed_ids TEXT;
ALTER TABLE initiator_overrides ADD COLUMN claimed_ids TEXT;

-- Whether the provider rejected the client's own key. Null in events of earlier gateways: as if it had not.

ALTER TABLE interceptions ADD COLUMN own_key_rejected INTEGER;
ALTER TABLE passthroughs ADD COLUMN own_key_rejected INTEGER;

-- A principal is (source, id). Sessions and threads link only rows of one actor, one initiator and one attribution.

ALTER TABLE interceptions ADD COLUMN initiator_source TEXT;
ALTER TABLE passthroughs ADD COLUMN initiator_source TEXT;
ALTER TABLE initiator_overrides ADD COLUMN initiator_source TEXT;
ALTER TABLE refusals ADD COLUMN initiator_source TEXT;
ALTER TABLE refusals ADD COLUMN api_key_id TEXT;

-- Rows of earlier gateways: an owner's id was one of Coder's.
UPDATE interceptions SET initiator_source =
  CASE WHEN attribution IN ('asserted', 'signed', 'claimed') THEN 'coder' ELSE identity_source END;
UPDATE passthroughs SET initiator_source =
  CASE WHEN attribution IN ('asserted', 'signed', 'claimed') THEN 'coder' ELSE identity_source END;
UPDATE initiator_overrides SET initiator_source =
  CASE WHEN attribution IN ('asserted', 'signed', 'claimed') THEN 'coder' ELSE identity_source END;

-- The initiator first: a filter on its id is a range of this text. A row without `initiator_source` cannot be told from
-- those above.
ALTER TABLE interceptions ADD COLUMN link_key TEXT GENERATED ALWAYS AS (json_array(
  initiator_id,
  COALESCE(
    initiator_source,
    CASE WHEN attribution IN ('asserted', 'signed', 'claimed') THEN 'coder' ELSE identity_source END
  ),
  attribution, actor_id, identity_source
)) VIRTUAL;

-- Filled in by the ledger: the key of the interception that made the call. Null until that is stored.
ALTER TABLE tool_usages ADD COLUMN link_key TEXT;
UPDATE tool_usages SET link_key = (SELECT i.link_key FROM interceptions AS i WHERE i.id = tool_usages.interception_id);

DROP INDEX interceptions_by_session;
CREATE INDEX interceptions_by_session ON interceptions (session_id, link_key, id);
DROP INDEX interceptions_by_correlation;
CREATE INDEX interceptions_by_correlation ON interceptions (correlating_tool_call_id, link_key, id)
  WHERE correlating_tool_call_id IS NOT NULL;
DROP INDEX tool_usages_by_call;
CREATE INDEX tool_usages_by_call ON tool_usages (provider_tool_call_id, link_key, interception_id)
  WHERE provider_tool_call_id IS NOT NULL;

-- Threads that were linked by the initiator's id alone: a row whose parent has another key begins a thread of its own.
UPDATE interceptions SET thread_parent_id = NULL, thread_root_id = NULL
  WHERE thread_parent_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM interceptions AS parent
    WHERE parent.id = interceptions.thread_parent_id AND parent.link_key <> interceptions.link_key
  );
WITH RECURSIVE cut (id, root_id) AS (
  SELECT top.id, top.id FROM interceptions AS top
  WHERE top.correlating_tool_call_id IS NOT NULL AND top.thread_parent_id IS NULL
  UNION
  SELECT child.id, cut.root_id FROM cut CROSS JOIN interceptions AS child ON child.thread_parent_id = cut.id
)
UPDATE interceptions SET thread_root_id = cut.root_id FROM cut
  WHERE interceptions.id = cut.id AND interceptions.thread_parent_id IS NOT NULL
    AND interceptions.thread_root_id IS NOT cut.root_id;

-- Principals as one text, a source and an id. A source's name has no colon.
ALTER TABLE interceptions ADD COLUMN actor_principal TEXT
  GENERATED ALWAYS AS (identity_source || ':' || actor_id) VIRTUAL;
ALTER TABLE interceptions ADD COLUMN initiator_principal TEXT
  GENERATED ALWAYS AS ((link_key ->> 1) || ':' || initiator_id) VIRTUAL;
DROP INDEX interceptions_by_chat;
CREATE INDEX interceptions_by_chat ON interceptions (chat_id, actor_principal, initiator_principal, id)
  WHERE chat_id IS NOT NULL AND flags = '[]';

-- The owners that each actor asserted, by hour. It replaces `owner_actors`, which knew no sources.
DROP TABLE owner_actors;
CREATE TABLE actor_owners (
  hour TEXT NOT NULL,
  actor TEXT NOT NULL,
  owner TEXT NOT NULL,
  first_id TEXT NOT NULL,
  last_id TEXT NOT NULL,
  PRIMARY KEY (hour, actor, owner)
) WITHOUT ROWID;
CREATE INDEX actor_owners_by_owner ON actor_owners (owner, hour, actor);

-- By actor and hour: its owners, the requests that a provider served, and those of them without a usage figure.
CREATE TABLE actor_hours (
  hour TEXT NOT NULL,
  actor TEXT NOT NULL,
  owners INTEGER NOT NULL,
  served INTEGER NOT NULL,
  unknown INTEGER NOT NULL,
  last_id TEXT NOT NULL,
  PRIMARY KEY (hour, actor)
) WITHOUT ROWID;
CREATE INDEX actor_hours_by_actor ON actor_hours (actor, hour);

-- Refusals by credential and hour.
CREATE TABLE key_refusals (
  hour TEXT NOT NULL,
  api_key_id TEXT NOT NULL,
  refusals INTEGER NOT NULL,
  last_id TEXT NOT NULL,
  PRIMARY KEY (hour, api_key_id)
) WITHOUT ROWID;
