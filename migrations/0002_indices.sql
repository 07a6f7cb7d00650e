-- Each index costs a row written for each row it holds: only what a default query or the ledger's own upkeep reads by.

CREATE INDEX interceptions_by_initiator ON interceptions (initiator_id, id);
CREATE INDEX interceptions_by_actor ON interceptions (actor_id, id);
CREATE INDEX interceptions_by_session ON interceptions (session_id, initiator_id, id);
-- To link threads (src/records/ledger/write/thread-sql.ts): who waits for a tool, and what hangs below a parent that moves. With those
-- already linked too, as a later tool of the same id may be nearer; and taking them out again would be one more write.
CREATE INDEX interceptions_by_correlation ON interceptions (correlating_tool_call_id, initiator_id, id)
  WHERE correlating_tool_call_id IS NOT NULL;
CREATE INDEX interceptions_by_parent ON interceptions (thread_parent_id) WHERE thread_parent_id IS NOT NULL;
-- Those still open.
CREATE INDEX interceptions_open ON interceptions (started_at) WHERE outcome IS NULL;
CREATE INDEX tool_usages_by_call ON tool_usages (provider_tool_call_id, initiator_id, interception_id)
  WHERE provider_tool_call_id IS NOT NULL;

CREATE INDEX initiator_overrides_by_actor ON initiator_overrides (actor_id, id);
CREATE INDEX initiator_overrides_by_owner ON initiator_overrides (owner_id, id) WHERE owner_id IS NOT NULL;
