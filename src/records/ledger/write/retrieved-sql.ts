/**
 * The SQL that gives usage that was read later to the interception that created the response or the batch. Either may be
 * stored first; a row of `token_usages` has the id `usage_of`, so it exists once.
 */

/** Parameter of the statements, as a JSON array: what was created, by its provider's id. */
export type Created = { readonly provider: string; readonly msg_id: string };

const CREATED = `
created (provider, msg_id) AS MATERIALIZED (
  SELECT value ->> 'provider', value ->> 'msg_id' FROM json_each(?1)
)`;

export const CLAIM_USAGES = `
WITH ${CREATED}
INSERT INTO token_usages (
  id, interception_id, initiator_id, provider_response_id, input_tokens, output_tokens, cache_read_input_tokens,
  cache_write_input_tokens, usage, metadata, raw_usage, created_at
)
SELECT read.usage_of, i.id, i.initiator_id, read.provider_response_id, read.input_tokens, read.output_tokens,
  read.cache_read_input_tokens, read.cache_write_input_tokens, read.usage, read.metadata, read.raw_usage, read.created_at
FROM created
CROSS JOIN interceptions AS i ON i.provider = created.provider AND i.provider_response_id = created.msg_id
  AND i.outcome = 'queued'
CROSS JOIN retrieved_usages AS read ON read.provider = created.provider AND read.provider_response_id = created.msg_id
WHERE true
ON CONFLICT (interception_id, id) DO NOTHING`.trim();

/** The state of an interception's usage: `partial` while a batch can have further results. */
export const MARK_CLAIMED = `
WITH ${CREATED},
claimed (id, usage) AS MATERIALIZED (
  SELECT i.id, IIF(read.usage_of = read.provider || '/' || read.provider_response_id, read.usage, 'partial')
  FROM created
  CROSS JOIN interceptions AS i ON i.provider = created.provider AND i.provider_response_id = created.msg_id
    AND i.outcome = 'queued'
  CROSS JOIN retrieved_usages AS read ON read.provider = created.provider AND read.provider_response_id = created.msg_id
)
UPDATE interceptions SET usage = claimed.usage FROM claimed
WHERE interceptions.id = claimed.id AND interceptions.id IN (SELECT id FROM claimed)`.trim();
