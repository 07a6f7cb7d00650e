-- Histograms of latency, and counts of failures, in the totals (src/records/rollups/latency-sql.ts).
-- Interceptions from before this migration have none: the cursor is the last of them.
INSERT INTO upkeep_cursors (job, cursor) SELECT 'before latencies', MAX(id) FROM interceptions WHERE true HAVING COUNT(*) > 0;

ALTER TABLE rollup_hours ADD COLUMN first_byte_250 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN first_byte_500 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN first_byte_1000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN first_byte_2000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN first_byte_4000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN first_byte_8000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN first_byte_16000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN first_byte_over INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN duration_1000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN duration_3000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN duration_6000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN duration_12000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN duration_24000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN duration_60000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN duration_150000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN duration_over INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN failed_client_error INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN failed_rate_limited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN failed_server_error INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN failed_broken INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_hours ADD COLUMN failed_cancelled INTEGER NOT NULL DEFAULT 0;

ALTER TABLE rollup_days ADD COLUMN first_byte_250 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN first_byte_500 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN first_byte_1000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN first_byte_2000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN first_byte_4000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN first_byte_8000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN first_byte_16000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN first_byte_over INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN duration_1000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN duration_3000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN duration_6000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN duration_12000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN duration_24000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN duration_60000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN duration_150000 INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN duration_over INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN failed_client_error INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN failed_rate_limited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN failed_server_error INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN failed_broken INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_days ADD COLUMN failed_cancelled INTEGER NOT NULL DEFAULT 0;

-- Deltas that are not folded yet get a zero for each new column.
UPDATE journal SET deltas = (
  SELECT json_group_array(json(
    SUBSTR(delta.value, 1, LENGTH(delta.value) - 1) || ',0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]'
  )) FROM json_each(journal.deltas) AS delta
) WHERE seq > COALESCE((SELECT CAST(cursor AS INTEGER) FROM upkeep_cursors WHERE job = 'folded'), 0);
