-- The entry of an attempt in the logs of Cloudflare AI Gateway. A request through it has a row also where it was sent once.
ALTER TABLE upstream_attempts ADD COLUMN ai_gateway_log_id TEXT;
ALTER TABLE upstream_attempts ADD COLUMN ai_gateway_cache TEXT;
