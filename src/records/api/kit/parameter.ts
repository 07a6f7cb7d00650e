/**
 * The kinds of query parameters. Each says what it is for the document and reads itself from text, so that what is
 * documented and what is taken cannot differ.
 */
import { canonicalId, isUuid, firstUuidAt } from "../../../shared/uuid.ts";
import type { Schema } from "../../../shared/json-schema.ts";
import { column, sql, type Condition, type Sql } from "./sql.ts";
import { atOrAfter, readInstant, type Instant } from "./time.ts";

export type Parameter<T> = {
  readonly schema: Schema;
  readonly description: string;
  /** What a good value is, for whoever sent a bad one. */
  readonly rule: string;
  /** What it is when it is not sent. */
  readonly absent: T;
  /** undefined: a bad value. */
  readonly read: (text: string) => T | undefined;
};

/** A parameter that leaves only some rows. */
export type Filter = Parameter<Condition | null>;

const MAX_TEXT = 256;

/** A whole number in plain digits: no sign, exponent, blank or leading zero. */
export function whole(from: number, to: number, absent: number, description: string): Parameter<number> {
  return {
    schema: { type: "integer", minimum: from, maximum: to, default: absent },
    description,
    rule: `a whole number from ${from} to ${to}`,
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
    rule: `a text of 1 to ${MAX_TEXT} characters`,
    absent: null,
    // Characters as JSON Schema counts them: a pair of surrogates is one.
    read: (sent) => (sent !== "" && [...sent].length <= MAX_TEXT ? sent : undefined),
  };
}

/** A text that a list holds. */
export function oneOf<const Word extends string, Absent extends Word | null>(
  words: readonly Word[],
  absent: Absent,
  description: string,
): Parameter<Word | Absent> {
  return {
    schema: { type: "string", enum: words, ...(absent === null ? {} : { default: absent }) },
    description,
    rule: `one of ${words.join(", ")}`,
    absent,
    read: (sent) => words.find((word) => word === sent),
  };
}

export function uuid(description: string): Parameter<string | null> {
  return {
    schema: { type: "string", format: "uuid" },
    description,
    rule: "a UUID of 36 characters",
    absent: null,
    read: (sent) => (isUuid(sent) ? sent.toLowerCase() : undefined),
  };
}

export function instant(description: string): Parameter<Instant | null> {
  return {
    schema: { type: "string", format: "date-time" },
    description,
    rule: "a time as in RFC 3339, with its zone: 2026-11-23T12:00:00Z",
    absent: null,
    read: readInstant,
  };
}

/** What another parameter reads, as a condition. */
export function filter<T>(parameter: Parameter<T | null>, toSql: (alias: string, value: T) => Sql): Filter {
  return {
    ...parameter,
    absent: null,
    read: (sent) => {
      const value = parameter.read(sent);
      return value == null ? undefined : (alias) => toSql(alias, value);
    },
  };
}

/** Rows whose column holds exactly this. */
export const equals = (name: string, description: string): Filter =>
  filter(anyText(description), (alias, value) => sql`${column(alias, name)} = ${value}`);

/** The same for a column of ids: a UUID in any case is one id. */
export const equalsId = (name: string, description: string): Filter =>
  filter(anyText(description), (alias, value) => sql`${column(alias, name)} = ${canonicalId(value)}`);

export const STARTED_AFTER = instant("At this time or later.");
export const STARTED_BEFORE = instant("At this time or earlier.");

export const since: (alias: string, from: Instant) => Sql = (alias, from) =>
  sql`${column(alias, "id")} >= ${firstUuidAt(atOrAfter(from))}`;

export const until: (alias: string, to: Instant) => Sql = (alias, to) =>
  sql`${column(alias, "id")} < ${firstUuidAt(to.ms + 1)}`;
