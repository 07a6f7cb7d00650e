-- How it was decided whose word counts: which rule spoke, what signature and directory said, who lost (JSON). And what
-- a gateway that delegates tells of the user behind it.

ALTER TABLE initiator_overrides ADD COLUMN owner_username TEXT;
ALTER TABLE initiator_overrides ADD COLUMN rule TEXT;
ALTER TABLE initiator_overrides ADD COLUMN signature TEXT;
ALTER TABLE initiator_overrides ADD COLUMN directory TEXT;
ALTER TABLE initiator_overrides ADD COLUMN candidates TEXT;
ALTER TABLE initiator_overrides ADD COLUMN delegated_key_id TEXT;
ALTER TABLE initiator_overrides ADD COLUMN delegated_source TEXT;

ALTER TABLE interceptions ADD COLUMN initiator_name TEXT;
ALTER TABLE interceptions ADD COLUMN delegated_key_id TEXT;
ALTER TABLE interceptions ADD COLUMN delegated_source TEXT;
