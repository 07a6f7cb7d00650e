-- Calls that the gateway refused count in no histogram of durations: they say nothing about the provider. Those from before the
-- Worker of this migration did, and their totals stay (src/records/rollups/latency-sql.ts). That Worker is deployed after the
-- migration, so the cursor is the id of an hour later.
INSERT INTO upkeep_cursors (job, cursor)
SELECT 'before refused latencies', SUBSTR(hex, 1, 8) || '-' || SUBSTR(hex, 9)
FROM (SELECT printf('%012x', 1000 * (unixepoch() + 3600)) AS hex) WHERE EXISTS (SELECT 1 FROM interceptions);
