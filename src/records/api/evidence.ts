/**
 * The evidence of an aggregate. A sum is worth no more than the weakest of its interceptions, so it carries that
 * attribution, and says whether there are others. A name is only taken from the strongest of them.
 */
import {
  ATTRIBUTIONS,
  EARLIER_OWNER_SOURCE,
  OWNER_ATTRIBUTIONS,
  wordsOf,
  type Attribution,
} from "../../events/vocabulary.ts";
import * as schema from "../../shared/json-schema.ts";
import type { Row } from "./kit/query-ledger.ts";
import { number } from "./kit/row-mapper.ts";
import { column, sql, type Sql } from "./kit/sql.ts";

/** Strongest first. */
const WORDS = wordsOf(ATTRIBUTIONS);

export const EVIDENCE_FIELDS = {
  attribution: schema.withDescription(
    schema.TEXT,
    `The weakest attribution of its interceptions; strongest first: ${WORDS.map((word) => `\`${word}\``).join(", ")}.`,
  ),
  mixed: schema.withDescription(schema.FLAG, "Whether its interceptions have several attributions."),
};

export type Evidence = { readonly attribution: Attribution; readonly mixed: boolean };

const quoted = (words: Iterable<string>): string => [...words].map((word) => `'${word}'`).join(", ");
const raw = (text: string): Sql => ({ text, values: [] });

/** An interception's attribution as one digit, 0 for the strongest. A word of a later version is weaker than all others. */
export function rankSql(alias: string): Sql {
  const cases = WORDS.map((word, rank) => `WHEN '${word}' THEN ${rank}`).join(" ");
  return raw(`CASE ${column(alias, "attribution").text} ${cases} ELSE ${WORDS.length} END`);
}

/** The columns that `toEvidence` reads, over the interceptions of a group. */
export const evidenceSql = (alias: string): Sql =>
  sql`MIN(${rankSql(alias)}) AS strongest, MAX(${rankSql(alias)}) AS weakest`;

const wordAt = (rank: number): Attribution => WORDS[rank] ?? "claimed";

export function toEvidence(row: Row | undefined): Evidence {
  const weakest = number(row?.["weakest"]);
  return { attribution: wordAt(weakest), mixed: weakest !== number(row?.["strongest"]) };
}

/** The evidence of interceptions with these attributions, of which there is at least one. */
export function evidenceOf(attributions: readonly string[]): Evidence {
  const ranks = attributions.map((word) => (WORDS as readonly string[]).indexOf(word));
  const known = ranks.map((rank) => (rank < 0 ? WORDS.length : rank));
  return { attribution: wordAt(Math.max(...known)), mixed: new Set(attributions).size > 1 };
}

/** Sorts after every name. */
const NO_NAME = raw("char(1114111)");

/** The first name among the group's strongest interceptions; null where no name is among them, even if a weaker one has a name. */
export const strongestName = (alias: string, name: Sql): Sql =>
  sql`NULLIF(SUBSTR(MIN(${rankSql(alias)} || COALESCE(${name}, ${NO_NAME})), 2), ${NO_NAME})`;

/** The source of the initiator's id, also in a row of an earlier version. */
export function initiatorSourceSql(alias: string): Sql {
  const [source, attribution, actor] = ["initiator_source", "attribution", "identity_source"].map((name) =>
    column(alias, name),
  ) as [Sql, Sql, Sql];
  return sql`COALESCE(${source}, CASE WHEN ${attribution} IN (${raw(quoted(OWNER_ATTRIBUTIONS))})
    THEN ${raw(quoted([EARLIER_OWNER_SOURCE]))} ELSE ${actor} END)`;
}
