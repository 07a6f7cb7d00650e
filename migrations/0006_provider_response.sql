-- The gateway's version that served an interception, and headers of the provider's response: its id of the request and
-- its `cf-ray`, which its support needs, and a content encoding that was not requested.

ALTER TABLE interceptions ADD COLUMN worker_version TEXT;
ALTER TABLE interceptions ADD COLUMN provider_request_id TEXT;
ALTER TABLE interceptions ADD COLUMN provider_ray TEXT;
ALTER TABLE interceptions ADD COLUMN response_encoding TEXT;
