-- What calls cost, in millionths of a US dollar. NULL where that is not known, and in rows from before this migration.

-- The sums that totals count are expressions now (src/records/rollups/contribution-sql.ts): a table has 100 columns at most.
ALTER TABLE interceptions DROP COLUMN total_input_tokens;
ALTER TABLE interceptions DROP COLUMN total_output_tokens;
ALTER TABLE interceptions DROP COLUMN total_cache_read_input_tokens;
ALTER TABLE interceptions DROP COLUMN total_cache_write_input_tokens;

ALTER TABLE interceptions ADD COLUMN cost_micros INTEGER;
ALTER TABLE interceptions ADD COLUMN cost_source TEXT;
ALTER TABLE interceptions ADD COLUMN price_version TEXT;
ALTER TABLE retrieved_usages ADD COLUMN cost_micros INTEGER;
ALTER TABLE retrieved_usages ADD COLUMN cost_source TEXT;
ALTER TABLE retrieved_usages ADD COLUMN price_version TEXT;

-- Derived: the cost of usage that was retrieved later.
ALTER TABLE token_usages ADD COLUMN cost_micros INTEGER;
ALTER TABLE interceptions ADD COLUMN claimed_cost_micros INTEGER;

ALTER TABLE rollup_hours ADD COLUMN cost_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN unpriced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN cost_micros INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN unpriced INTEGER NOT NULL DEFAULT 0;
-- No interception so far has a cost.
UPDATE rollup_hours SET unpriced = requests;
UPDATE rollup_days SET unpriced = requests;
UPDATE journal SET deltas = (
  SELECT json_group_array(json_insert(delta.value, '$[#]', 0, '$[#]', delta.value ->> 2)) FROM json_each(journal.deltas) AS delta
) WHERE seq > COALESCE((SELECT CAST(cursor AS INTEGER) FROM upkeep_cursors WHERE job = 'folded'), 0);
