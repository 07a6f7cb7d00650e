-- Calls that the gateway refused count in no histogram of durations: they say nothing about the provider. Those from before this
-- migration did, and their totals stay: the cursor is the last of them (src/records/rollups/latency-sql.ts).
INSERT INTO upkeep_cursors (job, cursor) SELECT 'before refused latencies', MAX(id) FROM interceptions WHERE true HAVING COUNT(*) > 0;
