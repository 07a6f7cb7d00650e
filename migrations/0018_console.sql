-- Sessions of the console, and sign-in attempts by minute and address. They are not part of the ledger: the rows are not
-- sealed, and are deleted after they expire (src/records/console).
CREATE TABLE console_sessions (
  -- SHA-256 of the cookie's value. The value itself is not stored.
  id_sha256 TEXT NOT NULL PRIMARY KEY,
  way TEXT NOT NULL,
  name TEXT NOT NULL,
  subject TEXT NOT NULL,
  roles TEXT NOT NULL,
  scopes TEXT NOT NULL,
  -- Milliseconds since 1970.
  created_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE console_attempts (
  minute INTEGER NOT NULL,
  address TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  PRIMARY KEY (minute, address)
) WITHOUT ROWID;
