-- Sub-agents, the prompts before this request, what changes the price, and the provider's own usage object.

ALTER TABLE interceptions ADD COLUMN earlier_prompt_count INTEGER;
ALTER TABLE interceptions ADD COLUMN prompt_hashes TEXT;
ALTER TABLE interceptions ADD COLUMN earlier_prompt_hashes TEXT;
ALTER TABLE interceptions ADD COLUMN agent_id TEXT;
ALTER TABLE interceptions ADD COLUMN parent_agent_id TEXT;
ALTER TABLE interceptions ADD COLUMN client_prompt_id TEXT;
ALTER TABLE interceptions ADD COLUMN request_class TEXT;
ALTER TABLE interceptions ADD COLUMN service_tier TEXT;
ALTER TABLE interceptions ADD COLUMN speed TEXT;
ALTER TABLE interceptions ADD COLUMN inference_geo TEXT;
ALTER TABLE interceptions ADD COLUMN reported_cost TEXT;

ALTER TABLE token_usages ADD COLUMN raw_usage TEXT;

-- The kind of the client, and its word for its own user.

ALTER TABLE interceptions ADD COLUMN client_kind TEXT;
ALTER TABLE interceptions ADD COLUMN end_user TEXT;

-- The coding that a compressed request body came in.

ALTER TABLE interceptions ADD COLUMN request_encoding TEXT;

-- The side that requested the usage of a stream.

ALTER TABLE interceptions ADD COLUMN usage_opt_in TEXT;
