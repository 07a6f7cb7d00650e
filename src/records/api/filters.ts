/** What interceptions can be chosen by, wherever they are listed or counted. */
import type { Attribution } from "../../gateway/initiator/decision.ts";
import type { Outcome } from "../../gateway/observation/outcome.ts";
import {
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
import { column, sql } from "./kit/sql.ts";

/** Written out with its meaning, and checked to be all of them. */
const ATTRIBUTIONS: Readonly<Record<Attribution, string>> = {
  signed: "an owner header with a verified signature",
  asserted: "an owner header from an actor that may assert, unsigned",
  authenticated: "the actor, verified",
  unverified: "only a fingerprint of the client's own provider key",
};

/** `orphaned` is the ledger's own: a start whose end never came. `open` is what has none yet. */
const OUTCOMES: Readonly<Record<Outcome | "orphaned" | "open", string>> = {
  completed: "the answer reached its end",
  cancelled: "the client left",
  truncated: "the provider broke off",
  stalled: "the provider fell silent",
  upstream_error: "the provider failed, or said so",
  refused: "the gateway answered instead",
  orphaned: "its end was never recorded",
  open: "it has not ended yet",
};

const meanings = (words: Readonly<Record<string, string>>): string =>
  Object.entries(words)
    .map(([word, meaning]) => `\`${word}\`: ${meaning}`)
    .join(" · ");

const keys = <Word extends string>(words: Readonly<Record<Word, string>>): Word[] =>
  Object.keys(words) as Word[];

/** Of anything whose id begins with its time. */
export const TIME_FILTERS = {
  started_after: filter(STARTED_AFTER, since),
  started_before: filter(STARTED_BEFORE, until),
} satisfies Record<string, Filter>;

/** One sentence for every place where an initiator is named. */
export const INITIATOR_RULE =
  "a text of 1 to 256 characters; needed for a session whose id several initiators have";

/** By anything but time. */
export const PROPERTY_FILTERS = {
  initiator: { ...equalsId("initiator_id", "On whose account: the initiator's id."), rule: INITIATOR_RULE },
  actor: equalsId("actor_id", "Whose credential called: the actor's id."),
  client: equals("client", "The calling software, by its own word: `Claude Code`."),
  provider: equals("provider", "The provider's configured name."),
  provider_name: equals("provider", "The same as `provider`: Coder's word for it."),
  provider_type: equals("provider_type", "The provider's dialect: `openai`, `anthropic`."),
  model: equals("model", "The model as it was asked for."),
  attribution: filter(
    oneOf(keys(ATTRIBUTIONS), null, `How far the initiator can be believed. ${meanings(ATTRIBUTIONS)}`),
    (alias, value) => sql`${column(alias, "attribution")} = ${value}`,
  ),
  outcome: filter(oneOf(keys(OUTCOMES), null, `How it ended. ${meanings(OUTCOMES)}`), (alias, value) =>
    value === "open" ? sql`${column(alias, "outcome")} IS NULL` : sql`${column(alias, "outcome")} = ${value}`,
  ),
  session_id: equals("session_id", "The session's id, to the letter."),
  chat_id: equalsId("chat_id", "Coder's id of the chat."),
  workspace_id: equalsId("workspace_id", "Coder's id of the workspace."),
} satisfies Record<string, Filter>;

export const INTERCEPTION_FILTERS = { ...PROPERTY_FILTERS, ...TIME_FILTERS };
