/**
 * The kinds of query parameters. Each has its documentation and its parser in one place, so that the two cannot
 * disagree.
 */
import { canonicalId, isUuid, firstUuidAt } from "../../../shared/uuid.ts";
import type { Schema } from "../../../shared/json-schema.ts";
import { column, sql, type Condition, type Sql } from "./sql.ts";
import { atOrAfter, readInstant, type Instant } from "./time.ts";

export type Parameter<T> = {
  readonly schema: Schema;
  readonly description: string;
  /** The rule for a valid value, which the client gets with the error. */
  readonly rule: string;
  /** The value of a parameter that is not sent. */
  readonly absent: T;
  /** It selects by recorded content: only for those who may read content. */
  readonly content?: true;
  /** Parses the text. Returns undefined where it is not valid. */
  readonly read: (text: string) => T | undefined;
};

/** A parameter that selects rows. */
export type Filter = Parameter<Condition | null>;

const MAX_TEXT = 256;

/** An integer in plain digits: no sign, exponent, whitespace or leading zero. */
export function integer(from: number, to: number, absent: number, description: string): Parameter<number> {
  return {
    schema: { type: "integer", minimum: from, maximum: to, default: absent },
    description,
    rule: `must be an integer from ${from} to ${to}`,
    absent,
    read: (text) => {
      const value = /^(?:0|[1-9]\d{0,8})$/.test(text) ? Number(text) : -1;
      return value >= from && value <= to ? value : undefined;
    },
  };
}

export function anyText(description: string): Parameter<string | null> {
  return {
    schema: { type: "string", minLength: 1, maxLength: MAX_TEXT },
    description,
    rule: `must be 1 to ${MAX_TEXT} characters`,
    absent: null,
    // JSON Schema counts characters: a surrogate pair is one.
    read: (text) => (text !== "" && [...text].length <= MAX_TEXT ? text : undefined),
  };
}

/** One of a fixed list of words. */
export function oneOf<const Word extends string, Absent extends Word | null>(
  words: readonly Word[],
  absent: Absent,
  description: string,
): Parameter<Word | Absent> {
  return {
    schema: { type: "string", enum: words, ...(absent === null ? {} : { default: absent }) },
    description,
    rule: `must be one of ${words.join(", ")}`,
    absent,
    read: (text) => words.find((word) => word === text),
  };
}

export function uuid(description: string): Parameter<string | null> {
  return {
    schema: { type: "string", format: "uuid" },
    description,
    rule: "must be a UUID of 36 characters",
    absent: null,
    read: (text) => (isUuid(text) ? text.toLowerCase() : undefined),
  };
}

export function instant(description: string): Parameter<Instant | null> {
  return {
    schema: { type: "string", format: "date-time" },
    description,
    rule: "must be a time in RFC 3339 form with its zone: 2026-11-23T12:00:00Z",
    absent: null,
    read: readInstant,
  };
}

/** A filter whose value another parameter parses. */
export function filter<T>(parameter: Parameter<T | null>, toSql: (alias: string, value: T) => Sql): Filter {
  return {
    ...parameter,
    absent: null,
    read: (text) => {
      const value = parameter.read(text);
      return value == null ? undefined : (alias) => toSql(alias, value);
    },
  };
}

/** Selects rows whose column equals the value exactly. */
export const equals = (name: string, description: string): Filter =>
  filter(anyText(description), (alias, value) => sql`${column(alias, name)} = ${value}`);

/** The same for a column of ids: a UUID matches in any case. */
export const equalsId = (name: string, description: string): Filter =>
  filter(anyText(description), (alias, value) => sql`${column(alias, name)} = ${canonicalId(value)}`);

export const STARTED_AFTER = instant("Started at this time or later.");
export const STARTED_BEFORE = instant("Started at this time or earlier.");

export const since: (alias: string, from: Instant) => Sql = (alias, from) =>
  sql`${column(alias, "id")} >= ${firstUuidAt(atOrAfter(from))}`;

export const until: (alias: string, to: Instant) => Sql = (alias, to) =>
  sql`${column(alias, "id")} < ${firstUuidAt(to.ms + 1)}`;
