/**
 * User texts that a session's requests held as earlier prompts and that no earlier interception brought as a prompt: the
 * client made up that part of the history, or had it elsewhere. Only hashes of texts are compared.
 */
import { contentSchema } from "./kit/content.ts";
import type { Row } from "./kit/query-ledger.ts";
import { parseJson } from "../../shared/json.ts";
import * as schema from "../../shared/json-schema.ts";
import { inSession, linkParts, type SessionKey } from "./session-key.ts";
import { sql, type Sql } from "./kit/sql.ts";

const MAX_SHOWN = 50;
/** The interceptions of the initiator before the session that are searched, as a client may continue an older one. */
const MAX_OLDER = 2000;
/** Those of other actors or attributions are read too, and not searched. */
const MAX_READ = 3 * MAX_OLDER;

const UNRECORDED = schema.object({
  sha256: schema.withDescription(schema.TEXT, "As in `earlier_prompt_hashes`."),
  interception_id: schema.withDescription(schema.UUID, "The first interception whose request has the text."),
});

export const UNRECORDED_PROMPTS = {
  unrecorded_prompts: schema.withDescription(
    contentSchema(schema.list(UNRECORDED)),
    `Earlier user texts in this session's requests that were not sent as a prompt before, in it or in the initiator's ${MAX_OLDER} interceptions before it; at most ${MAX_SHOWN}. Empty where prompts are not recorded.`,
  ),
  unrecorded_prompts_are_capped: schema.orNull(schema.FLAG),
};

/** A JSON list, as one value. A text that is sent as a prompt only later was not recorded when it was claimed. */
export function unrecordedPromptsSql(key: SessionKey): Sql {
  const [initiator] = linkParts(key.linkKey);
  const members = sql`SELECT i.id, i.prompt_hashes, i.earlier_prompt_hashes FROM interceptions i
    WHERE ${inSession("i", key)}`;
  const read = sql`SELECT i.id, i.link_key, i.prompt_hashes FROM interceptions i
    INDEXED BY interceptions_by_initiator
    WHERE i.initiator_id = ${initiator} AND i.span <= (SELECT SUBSTR(MIN(id), 1, 7) FROM members)
      AND i.id < (SELECT MIN(id) FROM members)
    ORDER BY i.span DESC, i.id DESC LIMIT ${MAX_READ}`;
  // Others can record texts on the initiator's account: those vouch for nothing here.
  const older = sql`SELECT id, prompt_hashes FROM (${read}) WHERE link_key = ${key.linkKey} LIMIT ${MAX_OLDER}`;
  return sql`WITH members AS MATERIALIZED (${members}),
    recorded AS MATERIALIZED (
      SELECT hash.value AS sha256, MIN(brought.id) AS id
      FROM (SELECT id, prompt_hashes FROM members UNION ALL SELECT id, prompt_hashes FROM (${older})) brought,
        json_each(COALESCE(brought.prompt_hashes, '[]')) hash
      GROUP BY hash.value),
    claimed AS MATERIALIZED (
      SELECT hash.value AS sha256, MIN(member.id) AS id
      FROM members member, json_each(COALESCE(member.earlier_prompt_hashes, '[]')) hash
      GROUP BY hash.value)
    SELECT json_group_array(json_object('sha256', found.sha256, 'interception_id', found.id)) FROM (
      SELECT claimed.sha256, claimed.id FROM claimed
      LEFT JOIN recorded ON recorded.sha256 = claimed.sha256 AND recorded.id < claimed.id
      WHERE recorded.id IS NULL ORDER BY claimed.id, claimed.sha256 LIMIT ${MAX_SHOWN + 1}) found`;
}

/** `value`: the result of `unrecordedPromptsSql`. */
export function toUnrecordedPrompts(value: Row[string] | undefined): Record<string, unknown> {
  const list = typeof value === "string" ? parseJson(value) : null;
  const found = Array.isArray(list) ? list : [];
  return {
    unrecorded_prompts: found.slice(0, MAX_SHOWN),
    unrecorded_prompts_are_capped: found.length > MAX_SHOWN,
  };
}
