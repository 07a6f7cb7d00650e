-- Requests to erase a person. While one is open, the records Worker erases the person in events that still arrive, and in the
-- objects of the archive.
CREATE TABLE erasures (
  id TEXT NOT NULL PRIMARY KEY,
  -- The name that stands in place of the person's ids.
  pseudonym TEXT NOT NULL UNIQUE,
  -- Salted digests of the person's ids, names and credentials, as JSON. NULL once the erasure is complete.
  person TEXT,
  -- Whether fields that name a person only by accident are erased too.
  technical INTEGER NOT NULL DEFAULT 0,
  -- Milliseconds since 1970.
  requested_at INTEGER NOT NULL,
  -- The sweep of the archive: how often it has passed, and the last key of the pass that is not complete.
  archive_passes INTEGER NOT NULL DEFAULT 0,
  archive_cursor TEXT NOT NULL DEFAULT '',
  -- Objects that were rewritten, and objects that could not be.
  objects_erased INTEGER NOT NULL DEFAULT 0,
  objects_left INTEGER NOT NULL DEFAULT 0,
  finished_at INTEGER
) WITHOUT ROWID;
CREATE INDEX erasures_open ON erasures (id) WHERE person IS NOT NULL;
