-- Sub-agents, the prompts before this request, and the provider's own usage object.

ALTER TABLE interceptions ADD COLUMN earlier_prompt_count INTEGER;
ALTER TABLE interceptions ADD COLUMN prompt_hashes TEXT;
ALTER TABLE interceptions ADD COLUMN earlier_prompt_hashes TEXT;
ALTER TABLE interceptions ADD COLUMN agent_id TEXT;
ALTER TABLE interceptions ADD COLUMN parent_agent_id TEXT;
ALTER TABLE interceptions ADD COLUMN client_prompt_id TEXT;
ALTER TABLE interceptions ADD COLUMN request_class TEXT;

ALTER TABLE token_usages ADD COLUMN raw_usage TEXT;
