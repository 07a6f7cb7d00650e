/**
 * The API's records, as the event field table (src/events/fields.ts) defines them: the columns that are selected, how each
 * is read, and its schema.
 */
import { aboutOf, columnName, type Field as EventField, type FieldKind } from "../../events/field.ts";
import { RECORDS, type RecordDefinition } from "../../events/fields.ts";
import * as row from "./kit/row-mapper.ts";

type Records = Readonly<Record<string, RecordDefinition>>;

const REQUIRED: Readonly<Record<FieldKind, row.Field>> = {
  text: row.TEXT,
  uuid: row.ID,
  time: row.TIME,
  count: row.COUNT,
  integer: row.INTEGER,
  flag: row.FLAG,
  texts: row.TEXTS,
  object: row.JSON_OBJECT,
};
const NULLABLE: Readonly<Record<FieldKind, row.Field>> = {
  text: row.TEXT_OR_NULL,
  uuid: row.ID_OR_NULL,
  time: row.TIME_OR_NULL,
  count: row.COUNT_OR_NULL,
  integer: row.INTEGER_OR_NULL,
  flag: row.FLAG_OR_NULL,
  // An absent list or object is empty.
  texts: row.TEXTS,
  object: row.JSON_OBJECT,
};

const sentence = (about: string): string => `${about.charAt(0).toUpperCase()}${about.slice(1)}.`;

function toField(field: EventField, mayBeAbsent: boolean): row.Field {
  const about = sentence(aboutOf(field));
  const isObject = field.nullable && field.kind === "object";
  const base = isObject
    ? row.OBJECT_OR_NULL
    : (field.nullable || mayBeAbsent ? NULLABLE : REQUIRED)[field.kind];
  const described = row.withDescription(base, about);
  return field.content || field.contentDigest ? row.asContent(described) : described;
}

/** The columns of these records' rows. A column that not every record type fills may be null. */
function fieldsOf(types: readonly string[], records: Records): Record<string, row.Field> {
  const fields: Record<string, row.Field> = {};
  for (const type of types) {
    for (const [name, field] of Object.entries(records[type]?.fields ?? {})) {
      const column = columnName(name, field);
      if (column === null || field.api === false) continue;
      const isInAll = types.every((other) => name in (records[other]?.fields ?? {}));
      fields[column] ??= toField(field, !isInAll);
    }
  }
  return fields;
}

/** Null in a passthrough whose start is not stored, and in an override of an earlier gateway. */
const KEY_ID = row.withDescription(
  row.TEXT_OR_NULL,
  sentence(aboutOf(RECORDS.passthrough_start.fields.api_key_id)),
);
const ROW_ID = row.withDescription(row.ID, "The row's id.");

/** `records`: the event field table; tests pass one with a further field. */
export function apiFieldsOf(records: Records) {
  const { interception_id: id = row.ID, ...interception } = fieldsOf(
    ["interception_start", "interception_end"],
    records,
  );
  const { interception_id: passthroughId = row.ID, ...passthrough } = fieldsOf(
    ["passthrough_start", "passthrough"],
    records,
  );
  const rows = (type: string): row.Fields => ({ id: ROW_ID, ...fieldsOf([type], records) });
  return {
    interception: {
      id,
      ...interception,
      // Each start has it, as a text that is never null in Coder's API.
      api_key_id: row.withDescription(row.TEXT, "Id of the credential, never the credential."),
      usage_state: row.withDescription(
        row.TEXT_OR_NULL,
        "What sums count: `usage`, or the state of usage that was retrieved later, where the response itself had none. `token_usages` has its figures.",
      ),
      session_id: row.withDescription(row.TEXT, "The client's session, else the thread's root, else the id."),
      thread_parent_id: row.ID_OR_NULL,
      thread_root_id: row.ID_OR_NULL,
    },
    tokenUsage: rows("token_usage"),
    userPrompt: rows("prompt_usage"),
    toolUsage: rows("tool_usage"),
    modelThought: rows("model_thought"),
    costCorrection: rows("cost_correction"),
    attempt: rows("upstream_attempt"),
    override: {
      id: ROW_ID,
      accepted: row.withDescription(row.FLAG, "Whether the owner was accepted."),
      ...fieldsOf(["initiator_override", "initiator_override_rejected"], records),
      api_key_id: KEY_ID,
    },
    passthrough: { id: passthroughId, ...passthrough, api_key_id: KEY_ID },
    refusal: rows("refusal"),
    ledgerAccess: rows("ledger_access"),
    budgetEvent: rows("budget_change"),
  };
}

const FIELDS = apiFieldsOf(RECORDS);

export const INTERCEPTION: row.Fields = FIELDS.interception;
export const TOKEN_USAGE: row.Fields = FIELDS.tokenUsage;
export const USER_PROMPT: row.Fields = FIELDS.userPrompt;
export const TOOL_USAGE: row.Fields = FIELDS.toolUsage;
export const MODEL_THOUGHT: row.Fields = FIELDS.modelThought;
export const COST_CORRECTION: row.Fields = FIELDS.costCorrection;
export const ATTEMPT: row.Fields = FIELDS.attempt;
export const OVERRIDE: row.Fields = FIELDS.override;
export const PASSTHROUGH: row.Fields = FIELDS.passthrough;
export const REFUSAL: row.Fields = FIELDS.refusal;
export const LEDGER_ACCESS: row.Fields = FIELDS.ledgerAccess;
export const BUDGET_EVENT: row.Fields = FIELDS.budgetEvent;
