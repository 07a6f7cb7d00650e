/** GET /interceptions: single interceptions, newest first, each with everything recorded about it. */
import { Refusal } from "../../../shared/refusal.ts";
import { idBounds, interceptionsFor } from "../interception-source.ts";
import { checkSize, NO_SIZE, sizeSql, SIZE_NOTE } from "../kit/response-size.ts";
import { endpoint } from "../kit/endpoint.ts";
import {
  ATTEMPT,
  COST_CORRECTION,
  INTERCEPTION,
  MODEL_THOUGHT,
  TOKEN_USAGE,
  TOOL_USAGE,
  USER_PROMPT,
} from "../fields.ts";
import { INTERCEPTION_FILTERS, KEY_FILTER } from "../filters.ts";
import type { Row } from "../kit/query-ledger.ts";
import {
  AFTER_ID,
  checkCursors,
  COUNT_FIELDS,
  countFields,
  countSql,
  cutPage,
  LIMIT,
  OFFSET,
  AFTER_EVERY_ID,
} from "../kit/page.ts";
import { anyText, filter, uuid, type Filter } from "../kit/parameter.ts";
import { SEARCH } from "../kit/query.ts";
import { schemasOf, selected, text, textOrNull, toRecord, type Fields } from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { column, sql, type Sql } from "../kit/sql.ts";
import { usageRowsSql } from "../usage-rows.ts";
import { isActorRow, toUserDto, USER } from "../user-dto.ts";

const COUNT_CAP = 10_000;

const OWNED = {
  token_usages: TOKEN_USAGE,
  user_prompts: USER_PROMPT,
  tool_usages: TOOL_USAGE,
  model_thoughts: MODEL_THOUGHT,
  cost_corrections: COST_CORRECTION,
  attempts: ATTEMPT,
};

const ID: Filter = filter(
  uuid("The interception's id."),
  (alias, value) => sql`${column(alias, "id")} = ${value}`,
);

/** No index has it, as for `KEY_FILTER`. */
const BODY: Filter = {
  ...filter(
    anyText(
      "SHA-256 of the request's body, 64 lower-case hex digits; also of a form or a batch. Needs the scope `content`.",
    ),
    (alias, value) =>
      sql`(${column(alias, "request_sha256")} = ${value} OR ${column(alias, "upload_sha256")} = ${value})`,
  ),
  content: true,
};

const listOf = (fields: Fields): schema.Schema => schema.list(schema.object(schemasOf(fields)));

export const interceptions = endpoint({
  path: "/interceptions",
  summary: "Interceptions, newest first",
  description:
    "Each interception has its usage, prompt, tool calls and the model's thoughts, as far as those are recorded. If it has `cost_corrections`, its cost is the cost of the last correction. The former cost of the first correction is the recorded cost. `attempts` is empty where the request was sent to its provider once.",
  filters: { id: ID, ...INTERCEPTION_FILTERS, api_key_id: KEY_FILTER, request_sha256: BODY },
  parameters: {
    q: SEARCH,
    limit: { ...LIMIT, description: `${LIMIT.description} ${SIZE_NOTE}` },
    offset: OFFSET,
    after_id: AFTER_ID,
  },
  response: schema.object({
    ...COUNT_FIELDS,
    results: schema.list(
      schema.object({
        ...schemasOf(INTERCEPTION),
        initiator: USER,
        token_usages: listOf(TOKEN_USAGE),
        user_prompts: listOf(USER_PROMPT),
        tool_usages: listOf(TOOL_USAGE),
        model_thoughts: listOf(MODEL_THOUGHT),
        cost_corrections: listOf(COST_CORRECTION),
        attempts: listOf(ATTEMPT),
      }),
    ),
  }),
  handle: async ({ limit, offset, after_id }, matches, { query, sent, readsContent }) => {
    const refusal = checkCursors({ after_id, offset });
    if (refusal) return refusal;
    const before = after_id ?? AFTER_EVERY_ID;
    const { from, where, order } = interceptionsFor({ sent, alias: "i", ...idBounds(sent, before) });
    const all = interceptionsFor({ sent, alias: "i", ...idBounds(sent, AFTER_EVERY_ID) });
    const pageSql = (columns: Sql, rows: number): Sql =>
      sql`SELECT ${columns} FROM ${from} WHERE i.id < ${before} AND ${where} AND ${matches("i")}
        ORDER BY ${order} LIMIT ${rows} OFFSET ${offset}`;
    const result = await query([
      pageSql(selected("i", INTERCEPTION, readsContent), limit + 1),
      readsContent ? sizeSql(pageSql(sql`i.id`, limit)) : NO_SIZE,
      countSql(
        COUNT_CAP,
        sql`SELECT 1 FROM ${all.from} WHERE i.id < ${AFTER_EVERY_ID} AND ${all.where} AND ${matches("i")}`,
      ),
    ]);
    if (result instanceof Refusal) return result;
    const tooLarge = checkSize(result[1]);
    if (tooLarge) return tooLarge;
    const count = countFields(COUNT_CAP, result[2]);
    const { rows, page } = cutPage(result[0], limit, count, ({ id }) => ({ after_id: text(id) }));
    const ids = JSON.stringify(rows.map(({ id }) => id));
    const owned = await query([
      sql`${usageRowsSql(sql`SELECT value FROM json_each(${ids})`)} ORDER BY id`,
      sql`SELECT ${selected("p", USER_PROMPT, readsContent)} FROM user_prompts p WHERE ${among(ids)} ORDER BY p.id`,
      sql`SELECT ${selected("u", TOOL_USAGE, readsContent)} FROM tool_usages u WHERE ${among(ids)} ORDER BY u.position, u.id`,
      sql`SELECT ${selected("m", MODEL_THOUGHT, readsContent)} FROM model_thoughts m WHERE ${among(ids)} ORDER BY m.position, m.id`,
      sql`SELECT ${selected("c", COST_CORRECTION, readsContent)} FROM cost_corrections c WHERE EXISTS (SELECT 1 FROM cost_corrections WHERE interception_id > '') AND ${among(ids)} ORDER BY c.id`,
      sql`SELECT ${selected("t", ATTEMPT, readsContent)} FROM upstream_attempts t WHERE EXISTS (SELECT 1 FROM upstream_attempts WHERE interception_id > '') AND ${among(ids)} ORDER BY t.id`,
    ]);
    if (owned instanceof Refusal) return owned;
    const [tokenUsages, userPrompts, toolUsages, modelThoughts, corrections, attempts] = owned;
    const group = (found: readonly Row[], fields: Fields): Owned =>
      byInterception(found, fields, readsContent);
    const byId = {
      token_usages: group(tokenUsages, TOKEN_USAGE),
      user_prompts: group(userPrompts, USER_PROMPT),
      tool_usages: group(toolUsages, TOOL_USAGE),
      model_thoughts: group(modelThoughts, MODEL_THOUGHT),
      cost_corrections: group(corrections, COST_CORRECTION),
      attempts: group(attempts, ATTEMPT),
    };
    const results = rows.map((row) => ({
      ...toRecord(row, INTERCEPTION, readsContent),
      ...ownedBy(row, byId),
    }));
    return { body: { ...count, results }, page };
  },
});

/** Selects by the ids that were read: a page read again could have other rows by now. */
const among = (ids: string): Sql => sql`interception_id IN (SELECT value FROM json_each(${ids}))`;

type Owned = ReadonlyMap<string, readonly Record<string, unknown>[]>;

function byInterception(rows: readonly Row[], fields: Fields, readsContent: boolean): Owned {
  const groups = Map.groupBy(rows, (row) => text(row["interception_id"]));
  return new Map(
    [...groups].map(([id, group]) => [id, group.map((row) => toRecord(row, fields, readsContent))]),
  );
}

/** The initiator in Coder's form, and the records of the interception. */
function ownedBy(row: Row, owned: Readonly<Record<keyof typeof OWNED, Owned>>): Record<string, unknown> {
  const id = text(row["id"]);
  const initiator = text(row["initiator_id"]);
  const corrections = owned.cost_corrections.get(id) ?? [];
  return {
    ...currentCost(corrections.at(-1)),
    initiator: toUserDto({
      id: initiator,
      ownerName: textOrNull(row["initiator_name"]),
      isActor: isActorRow(row),
      metadata: row["metadata"],
    }),
    token_usages: owned.token_usages.get(id) ?? [],
    user_prompts: owned.user_prompts.get(id) ?? [],
    tool_usages: owned.tool_usages.get(id) ?? [],
    model_thoughts: owned.model_thoughts.get(id) ?? [],
    cost_corrections: corrections,
    attempts: owned.attempts.get(id) ?? [],
  };
}

/** The cost that the last correction has, in place of the recorded one. */
function currentCost(last: Record<string, unknown> | undefined): Record<string, unknown> {
  if (last === undefined) return {};
  const { cost_micros, cost_source, price_version } = last;
  return { cost_micros, cost_source, price_version };
}
