-- Who did what with the records: reads through the API, deletions, holds, erasures.
CREATE TABLE ledger_accesses (
  id TEXT NOT NULL PRIMARY KEY,
  interception_id TEXT NOT NULL,
  action TEXT NOT NULL,
  by TEXT NOT NULL,
  target TEXT NOT NULL,
  parameters TEXT NOT NULL,
  rows INTEGER NOT NULL,
  before TEXT,
  cause TEXT,
  created_at TEXT NOT NULL,
  seal TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

-- Legal holds: the rows of a principal or a session are not deleted while one is in force.
CREATE TABLE legal_holds (
  id TEXT NOT NULL PRIMARY KEY,
  -- An id of a principal (as initiator and as actor, of any source), or a client's id of a session. One of the two.
  principal_id TEXT,
  session_id TEXT,
  reason TEXT NOT NULL,
  created_at TEXT NOT NULL
) WITHOUT ROWID;
