-- What a bill and a per-user question need: sub-agents, prompts before this request, facts that change the price, and the
-- provider's own usage object.

ALTER TABLE interceptions ADD COLUMN earlier_prompt_count INTEGER;
ALTER TABLE interceptions ADD COLUMN agent_id TEXT;
ALTER TABLE interceptions ADD COLUMN parent_agent_id TEXT;
ALTER TABLE interceptions ADD COLUMN client_prompt_id TEXT;
ALTER TABLE interceptions ADD COLUMN request_class TEXT;
ALTER TABLE interceptions ADD COLUMN end_user TEXT;
ALTER TABLE interceptions ADD COLUMN request_encoding TEXT;
ALTER TABLE interceptions ADD COLUMN usage_opt_in TEXT;
ALTER TABLE interceptions ADD COLUMN service_tier TEXT;
ALTER TABLE interceptions ADD COLUMN speed TEXT;
ALTER TABLE interceptions ADD COLUMN inference_geo TEXT;
ALTER TABLE interceptions ADD COLUMN reported_cost TEXT;

ALTER TABLE token_usages ADD COLUMN raw_usage TEXT;
ALTER TABLE token_usages ADD COLUMN usage_of TEXT;
