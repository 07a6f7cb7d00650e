-- Costs that `npm run reprice` found to be others. The rows of calls and of retrieved usage keep what was recorded at the time.
CREATE TABLE cost_corrections (
  -- The corrected call, or the own id of retrieved usage: a correction is as old as what it corrects, and is deleted with it.
  interception_id TEXT NOT NULL,
  -- In the order of `position`, of which the last one counts.
  id TEXT NOT NULL,
  position INTEGER NOT NULL,
  corrects TEXT NOT NULL,
  cost_micros INTEGER,
  cost_source TEXT NOT NULL,
  price_version TEXT,
  former_cost_micros INTEGER,
  former_cost_source TEXT NOT NULL,
  former_price_version TEXT,
  difference_micros INTEGER NOT NULL,
  cause TEXT NOT NULL,
  corrected_by TEXT NOT NULL,
  created_at TEXT NOT NULL,
  seal TEXT NOT NULL,
  PRIMARY KEY (interception_id, id)
) WITHOUT ROWID;

-- What the price of retrieved usage depends on beside its figures. NULL in rows from before this migration.
ALTER TABLE retrieved_usages ADD COLUMN price_terms TEXT;
