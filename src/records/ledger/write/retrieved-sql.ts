/**
 * The SQL that gives usage that was read later to the interception that created the response or the batch. The interception,
 * the usage and the file of a batch may be stored in any order. A row of `token_usages` has the id `usage_of`, so it exists
 * once.
 */
import { ERASED_RESPONSE } from "../erased-texts.ts";
import type { InterceptorEvent } from "../../../events/event.ts";
import { currentCost } from "../../rollups/contribution-sql.ts";
import { movesOf } from "../rollups/journal-sql.ts";

/** Usage that was read, by `usage_of` or by its event; or a response or a batch by its id, for all of its usage. */
export type Claim =
  | { readonly usage_of: string }
  | { readonly read_id: string }
  | { readonly provider: string; readonly created_id: string };

/**
 * The dialect whose responses can be read later. A client that disconnected leaves such a response with unknown usage; of every
 * other dialect only batches are read, which are queued.
 */
const RETRIEVED_TYPE = "openai";

/** The claim that an event makes possible; null if it makes none. */
export function claimOf(event: InterceptorEvent): Claim | null {
  switch (event.record_type) {
    case "retrieved_usage":
      return { usage_of: event.usage_of };
    case "cost_correction":
      return event.corrects === "retrieved_usage" ? { read_id: event.interception_id } : null;
    case "batch_file":
      return { provider: event.provider, created_id: event.msg_id };
    case "interception_end": {
      const { provider, provider_type: type, msg_id: id, outcome, usage } = event;
      return id !== null && (outcome === "queued" || (usage === "unknown" && type === RETRIEVED_TYPE))
        ? { provider, created_id: id }
        : null;
    }
    default:
      return null;
  }
}

/** Each claimed usage, with the provider's id of the response or the batch that it belongs to. `json`: the parameter. */
const found = (json: string): string => `
claims (usage_of, provider, created_id) AS MATERIALIZED (
  SELECT COALESCE(value ->> 'usage_of', (SELECT fixed.usage_of FROM retrieved_usages AS fixed WHERE fixed.interception_id = value ->> 'read_id')),
    value ->> 'provider', value ->> 'created_id' FROM json_each(${json}, '$.claims')
),
found (usage_of, created_id) AS MATERIALIZED (
  SELECT read.usage_of, COALESCE(file.provider_response_id, read.provider_response_id)
  FROM claims
  CROSS JOIN retrieved_usages AS read ON read.usage_of = claims.usage_of
  LEFT JOIN batch_files AS file ON file.provider = read.provider AND file.file_id = read.provider_response_id
  UNION
  SELECT read.usage_of, claims.created_id
  FROM claims
  CROSS JOIN retrieved_usages AS read
    ON read.provider = claims.provider AND read.provider_response_id = claims.created_id
  UNION
  SELECT read.usage_of, claims.created_id
  FROM claims
  CROSS JOIN batch_files AS file
    ON file.provider = claims.provider AND file.provider_response_id = claims.created_id
  CROSS JOIN retrieved_usages AS read
    ON read.provider = file.provider AND read.provider_response_id = file.file_id
)`;

/**
 * Whether an interception takes usage that was retrieved later: one with usage of its own needs none. In the words of the index
 * `interceptions_unread`.
 */
export const takesUsage = (alias: string): string =>
  `(${alias}.outcome = 'queued' OR ${alias}.usage = 'unknown' AND ${alias}.provider_type = '${RETRIEVED_TYPE}')`;

const CREATOR = `
CROSS JOIN retrieved_usages AS read ON read.usage_of = found.usage_of
CROSS JOIN interceptions AS i ON i.provider = read.provider AND i.provider_response_id = found.created_id
  AND ${takesUsage("i")}`;

const CLAIM_USAGES = `
WITH ${found("?1")}
INSERT INTO token_usages (
  id, interception_id, initiator_id, provider_response_id, input_tokens, output_tokens, cache_read_input_tokens,
  cache_write_input_tokens, usage, metadata, raw_usage, created_at, cost_micros
)
SELECT read.usage_of, i.id, i.initiator_id, read.provider_response_id, read.input_tokens, read.output_tokens,
  read.cache_read_input_tokens, read.cache_write_input_tokens, read.usage, read.metadata, read.raw_usage, read.created_at,
  ${currentCost("read.cost_micros", "read.interception_id")}
FROM found ${CREATOR}
WHERE true
ON CONFLICT (interception_id, id) DO UPDATE SET cost_micros = excluded.cost_micros
WHERE cost_micros IS NOT excluded.cost_micros`.trim();

/** The id of an interception's own usage event, which an earlier gateway may have sent. */
const OWN_USAGE = "SUBSTR(interceptions.id, 1, 14) || '8200' || SUBSTR(interceptions.id, 19)";

/** The usages of an interception that were retrieved later. */
export const CLAIMED = `FROM token_usages AS read WHERE read.interception_id = interceptions.id AND read.id <> ${OWN_USAGE}`;

export const CLAIMED_MEASURES = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_write_input_tokens",
  "cost_micros",
] as const;

export const claimedSum = (name: string): string => `(SELECT SUM(${name}) ${CLAIMED})`;

/**
 * Whether a usage is that of a response, and not of one of the results of a batch. After an erasure its name begins so
 * (erase/field-rules.ts).
 */
export const isOfResponse = (usageOf: string, provider: string, responseId: string): string =>
  `(${usageOf} = ${provider} || '/' || ${responseId} OR ${usageOf} GLOB '${ERASED_RESPONSE}*')`;

/** The state and the sums of claimed usage: `partial` while a batch can have further results. */
const MARK_CLAIMED = `
WITH ${found("?1")},
claimed (id, usage) AS MATERIALIZED (
  SELECT i.id, IIF(${isOfResponse("read.usage_of", "read.provider", "found.created_id")}, read.usage, 'partial')
  FROM found ${CREATOR}
)
UPDATE interceptions SET claimed_usage = claimed.usage,
  ${CLAIMED_MEASURES.map((name) => `claimed_${name} = ${claimedSum(name)}`).join(",\n  ")}
FROM claimed
WHERE interceptions.id = claimed.id AND interceptions.id IN (SELECT id FROM claimed)`.trim();

const MOVES = movesOf(found("(SELECT json FROM batch)"), `SELECT DISTINCT i.id FROM found ${CREATOR}`);

/** In their order. Parameter: `{"part":…,"at":…,"claims":[…]}`, of which the first two are the journal's. */
export const CLAIM_STATEMENTS: readonly string[] = [MOVES.open, CLAIM_USAGES, MARK_CLAIMED, MOVES.close];
