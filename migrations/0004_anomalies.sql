-- Watching for lies: what is odd about one request (flags, a JSON list of words, on its row), and what is odd about many
-- (anomalies, found by the cron in interceptions that it has not looked at yet).
--
-- Every table but the cursor is keyed by what an id begins with, so that what is too old is a range of the key.

ALTER TABLE interceptions ADD COLUMN flags TEXT;

-- Who has spoken in a chat for whom. Not those whose owner header did not count: they are on their actor's account for
-- want of an owner, and would be taken for a second one.
CREATE INDEX interceptions_by_chat ON interceptions (chat_id, actor_id, initiator_id, id)
  WHERE chat_id IS NOT NULL AND flags = '[]';

-- One row per kind, subject and day (in UTC): the id is made of the three.
CREATE TABLE anomalies (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  first_interception_id TEXT NOT NULL,
  last_interception_id TEXT NOT NULL,
  count INTEGER NOT NULL,
  details TEXT NOT NULL,
  first_seen TEXT NOT NULL,
  last_seen TEXT NOT NULL
) WITHOUT ROWID;

-- Who has asserted an owner, by day.
CREATE TABLE owner_actors (
  day TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  first_id TEXT NOT NULL,
  last_id TEXT NOT NULL,
  PRIMARY KEY (day, owner_id, actor_id)
) WITHOUT ROWID;

-- Requests by hour and by how far their initiators can be believed.
CREATE TABLE attribution_hours (
  hour TEXT NOT NULL,
  attribution TEXT NOT NULL,
  requests INTEGER NOT NULL,
  first_id TEXT NOT NULL,
  last_id TEXT NOT NULL,
  PRIMARY KEY (hour, attribution)
) WITHOUT ROWID;

-- How far each of the cron's jobs has come: the last id that it has looked at.
CREATE TABLE upkeep_cursors (
  job TEXT NOT NULL PRIMARY KEY,
  cursor TEXT NOT NULL
) WITHOUT ROWID;
