-- Delegation by token: the parties that act for the initiator, a JSON list of ids. Null in rows of earlier gateways.
ALTER TABLE interceptions ADD COLUMN delegation_chain TEXT;
ALTER TABLE initiator_overrides ADD COLUMN delegation_chain TEXT;
