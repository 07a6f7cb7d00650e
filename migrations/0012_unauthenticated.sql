-- Events without a valid MAC, kept apart from the ledger's tables: they may be made up, and count nowhere. One row per event,
-- of which the first one stays.
CREATE TABLE unauthenticated_events (
  -- A UUIDv7 of the time of storing. The event's own time is its sender's word, and could outlive every retention.
  id TEXT PRIMARY KEY,
  event_id TEXT NOT NULL UNIQUE,
  record_type TEXT NOT NULL,
  interception_id TEXT NOT NULL,
  -- The event as JSON. One that is too large has only its type and id here.
  event TEXT NOT NULL,
  -- missing, unknown_key, wrong or reserved_type
  reason TEXT NOT NULL,
  -- The key that the MAC names, which proves nothing; NULL where it names none.
  mac_key_id TEXT,
  -- q queue, r RPC, d dead-letter queue, p replay
  via TEXT NOT NULL,
  -- Milliseconds since 1970.
  stored_at INTEGER NOT NULL
) WITHOUT ROWID;
