-- Delegation by token: the parties that act for the initiator, a JSON list of ids. Null in rows of earlier gateways.
ALTER TABLE interceptions ADD COLUMN delegation_chain TEXT;
ALTER TABLE initiator_overrides ADD COLUMN delegation_chain TEXT;

-- Chat, subchat and workspace as named by a caller whose word for them is no evidence: a JSON object. Their own columns are
-- then null.

ALTER TABLE interceptions ADD COLUMN claimed_ids TEXT;
ALTER TABLE passthroughs ADD COLUMN claimed_ids TEXT;
ALTER TABLE initiator_overrides ADD COLUMN claimed_ids TEXT;

-- Whether the provider rejected the client's own key. Null in events of earlier gateways: as if it had not.

ALTER TABLE interceptions ADD COLUMN own_key_rejected INTEGER;
ALTER TABLE passthroughs ADD COLUMN own_key_rejected INTEGER;
