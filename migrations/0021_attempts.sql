-- The attempts of requests that were sent to their provider more than once. A request with one attempt has no row.
CREATE TABLE upstream_attempts (
  -- Id of the interception or passthrough. Retention deletes its row at the same age, or for a passthrough at its own.
  interception_id TEXT NOT NULL,
  -- Ids sort in the order of `position`.
  id TEXT NOT NULL,
  position INTEGER NOT NULL,
  provider TEXT NOT NULL,
  key_hint TEXT,
  reason TEXT NOT NULL,
  status INTEGER,
  waited_ms INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  cost_micros INTEGER,
  started_at TEXT NOT NULL,
  created_at TEXT NOT NULL,
  seal TEXT NOT NULL,
  PRIMARY KEY (interception_id, id)
) WITHOUT ROWID;
