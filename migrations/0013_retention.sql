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

-- The last records of deletion of each table are kept: they say why its rows are gone.
CREATE INDEX ledger_accesses_purges ON ledger_accesses (target, id) WHERE action = 'purge';

-- Deletions that are not recorded as events yet, by table and reason.
CREATE TABLE noted_deletions (
  deleted_table TEXT NOT NULL,
  reason TEXT NOT NULL,
  -- Milliseconds since 1970.
  before INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  PRIMARY KEY (deleted_table, reason)
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
