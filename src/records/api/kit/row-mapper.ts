/**
 * Maps ledger rows to JSON. One table of fields per record says which columns are selected, how each is read, and what
 * its schema is.
 */
import type { Row } from "./query-ledger.ts";
import { parseJson, parseObject, type JsonObject } from "../../../shared/json.ts";
import * as schema from "../../../shared/json-schema.ts";
import type { Schema } from "../../../shared/json-schema.ts";
import { contentSchema } from "./content.ts";
import { column, joined, type Sql, type Value } from "./sql.ts";

export type Field = {
  readonly schema: Schema;
  readonly read: (value: Value | undefined) => unknown;
  /** Recorded content, or a digest of it: null for those who may not read content. */
  readonly content?: true;
};
export type Fields = Readonly<Record<string, Field>>;

export const textOrNull = (value: Value | undefined): string | null => (value == null ? null : String(value));
/** For Coder's fields that are always texts: NULL becomes "". */
export const text = (value: Value | undefined): string => textOrNull(value) ?? "";
const numberOrNull = (value: Value | undefined): number | null => (typeof value === "number" ? value : null);
export const number = (value: Value | undefined): number => numberOrNull(value) ?? 0;
export const flag = (value: Value | undefined): boolean => value === 1;

/** A column that holds a JSON object. An unreadable value becomes {}, so that one bad row does not hide the others. */
export function json(value: Value | undefined): JsonObject {
  return (typeof value === "string" ? parseObject(value) : null) ?? {};
}

/** A column that holds a JSON array of texts, sorted. */
export function texts(value: Value | undefined): string[] {
  const list = typeof value === "string" ? parseJson(value) : null;
  return Array.isArray(list) ? list.filter((item) => typeof item === "string").toSorted() : [];
}

export const ID: Field = { schema: schema.UUID, read: text };
export const TEXT: Field = { schema: schema.TEXT, read: text };
export const TIME: Field = { schema: schema.TIME, read: text };
export const COUNT: Field = { schema: schema.COUNT, read: number };
export const INTEGER: Field = { schema: schema.INTEGER, read: number };
export const FLAG: Field = { schema: schema.FLAG, read: flag };
export const JSON_OBJECT: Field = { schema: schema.METADATA, read: json };
export const OBJECT_OR_NULL: Field = {
  schema: schema.orNull(schema.METADATA),
  read: (value) => (value == null ? null : json(value)),
};
export const ID_OR_NULL: Field = { schema: schema.orNull(schema.UUID), read: textOrNull };
export const TEXT_OR_NULL: Field = { schema: schema.orNull(schema.TEXT), read: textOrNull };
export const TIME_OR_NULL: Field = { schema: schema.orNull(schema.TIME), read: textOrNull };
export const COUNT_OR_NULL: Field = { schema: schema.orNull(schema.COUNT), read: numberOrNull };
export const INTEGER_OR_NULL: Field = { schema: schema.orNull(schema.INTEGER), read: numberOrNull };
/** A JSON list of texts; NULL becomes an empty list. */
export const TEXTS: Field = { schema: schema.list(schema.TEXT), read: texts };
export const FLAG_OR_NULL: Field = {
  schema: schema.orNull(schema.FLAG),
  read: (value) => (value == null ? null : flag(value)),
};

/** The field, marked as recorded content. */
export const asContent = (field: Field): Field => ({
  ...field,
  schema: contentSchema(field.schema),
  content: true,
});

export const withDescription = (field: Field, description: string): Field => ({
  ...field,
  schema: schema.withDescription(field.schema, description),
});

/** A column of content for SELECT. Content that is not shown is not read either. */
export const contentColumn = (alias: string, name: string, readsContent: boolean): Sql =>
  readsContent
    ? column(alias, name)
    : { text: column(alias, name).text.replace(/^\w+\./, "NULL AS "), values: [] };

/** The list of columns for SELECT. */
export function selected(alias: string, fields: Fields, readsContent: boolean): Sql {
  return joined(
    Object.entries(fields).map(([name, { content }]) =>
      content ? contentColumn(alias, name, readsContent) : column(alias, name),
    ),
    ", ",
  );
}

export function toRecord(row: Row, fields: Fields, readsContent: boolean): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, { read, content }]) => [
      name,
      content && !readsContent ? null : read(row[name]),
    ]),
  );
}

export function schemasOf(fields: Fields): Record<string, Schema> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.schema]));
}
