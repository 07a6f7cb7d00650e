-- The field's own names, settled before anyone depends on the old ones. `rejection_reason` was `why_lost`, `usage_invalid`
-- was `usage_flagged`; observations were `whole` and `capped`, and four kinds of anomalies had other names.

ALTER TABLE interceptions RENAME COLUMN usage_flagged TO usage_invalid;

UPDATE interceptions SET observation = CASE observation WHEN 'whole' THEN 'complete' ELSE 'truncated' END
  WHERE observation IN ('whole', 'capped');

-- Stored as JSON text; the key stands only in the entries of this list.
UPDATE initiator_overrides SET candidates = REPLACE(candidates, '"why_lost":', '"rejection_reason":')
  WHERE candidates IS NOT NULL;

UPDATE anomalies SET kind = CASE kind
  WHEN 'chat_of_several' THEN 'chat_multiple_initiators'
  WHEN 'owner_switched' THEN 'actor_multiple_owners'
  WHEN 'owner_of_many_actors' THEN 'owner_many_actors'
  WHEN 'asserted_rising' THEN 'asserted_share_spike'
  ELSE kind END;
