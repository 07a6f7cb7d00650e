-- Events of budgets and rate limits: thresholds, refusals, overruns, changes, and charges that could not be delivered to an object.
CREATE TABLE budget_events (
  id TEXT NOT NULL PRIMARY KEY,
  interception_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  rule TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_source TEXT,
  subject_id TEXT,
  initiator_id TEXT,
  actor_id TEXT,
  measure TEXT NOT NULL,
  percent INTEGER,
  amount INTEGER,
  spent INTEGER,
  reserved INTEGER,
  allowance INTEGER,
  resets_at TEXT,
  change TEXT,
  changed_by TEXT,
  charges TEXT,
  created_at TEXT NOT NULL,
  seal TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX budget_events_by_interception ON budget_events (interception_id);
