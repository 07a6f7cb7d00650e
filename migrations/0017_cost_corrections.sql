-- Corrections of costs, as `npm run reprice` computes them. The rows of calls and of retrieved usage keep the recorded cost.
CREATE TABLE cost_corrections (
  -- Id of the corrected call, or of the corrected retrieved usage. Retention deletes both rows at the same age.
  interception_id TEXT NOT NULL,
  -- Ids sort in the order of `position`. The last correction counts.
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

-- Facts that decide the price of retrieved usage beside its token counts. NULL in rows from before this migration.
ALTER TABLE retrieved_usages ADD COLUMN price_terms TEXT;
