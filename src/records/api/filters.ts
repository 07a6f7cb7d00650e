/** The filters of every endpoint that lists or counts interceptions. */
import { LEDGER_OUTCOMES } from "../../events/ledger-outcomes.ts";
import { ATTRIBUTIONS, meanings, wordsOf } from "../../events/vocabulary.ts";
import { initiatorSourceSql } from "./evidence.ts";
import {
  anyText,
  equals,
  equalsId,
  filter,
  oneOf,
  since,
  STARTED_AFTER,
  STARTED_BEFORE,
  until,
  type Filter,
} from "./kit/parameter.ts";
import { column, sql, type Condition } from "./kit/sql.ts";

/** For tables whose ids begin with a time (UUID version 7). */
export const TIME_FILTERS = {
  started_after: filter(STARTED_AFTER, since),
  started_before: filter(STARTED_BEFORE, until),
} satisfies Record<string, Filter>;

/** One rule for every endpoint: an error names only the parameter, so a name cannot have two rules. */
export const INITIATOR_RULE =
  "must be 1 to 256 characters; required when sessions of several initiators share the session id";

/** The same for the parameters that tell sessions with one id apart. */
const SHARED = "required when sessions that differ in it share the session id";
export const SESSION_RULES = {
  initiator_source: `must be 1 to 256 characters; ${SHARED}`,
  actor: `must be 1 to 256 characters; ${SHARED}`,
  identity_source: `must be 1 to 256 characters; ${SHARED}`,
  attribution: `must be one of ${wordsOf(ATTRIBUTIONS).join(", ")}; ${SHARED}`,
};

/** The principals of a request: a source and an id each. For every table with a caller. */
export const PRINCIPAL_FILTERS = {
  initiator: {
    ...equalsId("initiator_id", "The initiator's id: the principal that the request is attributed to."),
    rule: INITIATOR_RULE,
  },
  initiator_source: {
    ...filter(
      anyText("The source of the initiator's id: `OWNER_ASSERTION.source` for an owner, else the actor's."),
      (alias, value) => sql`${initiatorSourceSql(alias)} = ${value}`,
    ),
    rule: SESSION_RULES.initiator_source,
  },
  actor: {
    ...equalsId("actor_id", "The actor's id: the holder of the credential."),
    rule: SESSION_RULES.actor,
  },
  identity_source: {
    ...equals("identity_source", "The identity source that verified the actor."),
    rule: SESSION_RULES.identity_source,
  },
} satisfies Record<string, Filter>;

/** No index has it: with `actor` or a time, the query reads only the rows of that. */
export const KEY_FILTER: Filter = equals(
  "api_key_id",
  "The id of the credential: the first 16 hex digits of its SHA-256.",
);

/** Reads the list of every row that the other filters select: no index can have its elements. */
export const OBJECT_FILTER: Filter = filter(
  anyText("The provider's id of a stored object, such as a file, that the request named or created."),
  (alias, value) =>
    sql`EXISTS (SELECT 1 FROM json_each(${column(alias, "object_ids")}) AS named WHERE named.value = ${value})`,
);

/** The same for reasons: of rejected owners, and of refusals. */
export const REASON_RULE = "must be one of the reasons that openapi.json lists for this path";

/** Every filter except those on time. */
export const PROPERTY_FILTERS = {
  ...PRINCIPAL_FILTERS,
  client: equals("client", "The calling software, as its headers report it: `Claude Code`."),
  provider: equals("provider", "The provider's configured name."),
  provider_name: equals("provider", "The same as `provider`, under Coder's name."),
  provider_type: equals("provider_type", "The provider's dialect: `openai`, `anthropic`."),
  model: equals("model", "The requested model."),
  attribution: {
    ...filter(
      oneOf(
        wordsOf(ATTRIBUTIONS),
        null,
        `The strength of the evidence for the initiator. ${meanings(ATTRIBUTIONS)}`,
      ),
      (alias, value) => sql`${column(alias, "attribution")} = ${value}`,
    ),
    rule: SESSION_RULES.attribution,
  },
  outcome: filter(
    oneOf(wordsOf(LEDGER_OUTCOMES), null, `How the interception ended. ${meanings(LEDGER_OUTCOMES)}`),
    (alias, value) =>
      value === "open"
        ? sql`${column(alias, "outcome")} IS NULL`
        : sql`${column(alias, "outcome")} = ${value}`,
  ),
  session_id: equals("session_id", "The session's id, exactly."),
  chat_id: equalsId("chat_id", "The id of Coder's chat."),
  workspace_id: equalsId("workspace_id", "The id of Coder's workspace."),
} satisfies Record<string, Filter>;

export const INTERCEPTION_FILTERS = { ...PROPERTY_FILTERS, ...TIME_FILTERS };

/** Not the calls whose own key the provider rejected: any caller can make such calls up, for any owner. */
export const isCounted: Condition = (alias) => sql`${column(alias, "own_key_rejected")} IS NOT 1`;

/** The filters of totals. */
export const TOTAL_FILTERS = {
  ...PROPERTY_FILTERS,
  own_key_rejected: {
    ...filter(
      oneOf(
        ["true", "false"],
        "false",
        "Whether to count, in place of all others, the requests whose own key the provider rejected. Any caller can send such a request for any owner.",
      ),
      (alias, value) => (value === "true" ? sql`${column(alias, "own_key_rejected")} = 1` : isCounted(alias)),
    ),
    absent: isCounted,
  },
} satisfies Record<string, Filter>;
