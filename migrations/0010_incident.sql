-- Facts that answer an incident. Null in rows of earlier gateways.

-- The credential of an owner header, as on the other events of its request.
ALTER TABLE initiator_overrides ADD COLUMN api_key_id TEXT;

-- Which stored objects a request named or created: a JSON list of ids.
ALTER TABLE passthroughs ADD COLUMN object_ids TEXT;
ALTER TABLE refusals ADD COLUMN object_ids TEXT;

-- SHA-256 of the bodies, 64 hex digits.
ALTER TABLE interceptions ADD COLUMN request_sha256 TEXT;
ALTER TABLE interceptions ADD COLUMN upload_sha256 TEXT;
ALTER TABLE interceptions ADD COLUMN response_sha256 TEXT;
ALTER TABLE passthroughs ADD COLUMN request_sha256 TEXT;

-- The configuration that the call was decided under.
ALTER TABLE interceptions ADD COLUMN config_version TEXT;
ALTER TABLE passthroughs ADD COLUMN config_version TEXT;

-- Where the request came from, as RECORDING.network permits.
ALTER TABLE interceptions ADD COLUMN client_country TEXT;
ALTER TABLE interceptions ADD COLUMN client_ray TEXT;
ALTER TABLE interceptions ADD COLUMN client_ip TEXT;
ALTER TABLE passthroughs ADD COLUMN client_country TEXT;
ALTER TABLE passthroughs ADD COLUMN client_ray TEXT;
ALTER TABLE passthroughs ADD COLUMN client_ip TEXT;
ALTER TABLE refusals ADD COLUMN client_country TEXT;
ALTER TABLE refusals ADD COLUMN client_ray TEXT;
ALTER TABLE refusals ADD COLUMN client_ip TEXT;
