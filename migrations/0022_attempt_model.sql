-- The id of the model that an attempt was sent with, where the gateway replaced the one that the client named.
ALTER TABLE upstream_attempts ADD COLUMN sent_model TEXT;
