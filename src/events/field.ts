/** One field of an event: its type, and where it is stored, counted and documented. */

import { meanings, type Words } from "./vocabulary.ts";

/** How a value is stored in D1, read back and described by the API. */
export type FieldKind = "text" | "uuid" | "time" | "count" | "integer" | "flag" | "texts" | "object";

/**
 * The person whose erasure removes a field's value, for fields that may hold personal data. In the ledger's log of seals such a
 * field is a salted commitment, so that its value can be erased and the log still verifies.
 */
export const ERASURES = {
  initiator: "erased with the initiator",
  actor: "erased with the actor",
  admin: "the name of an administrator: erased with that person",
  content: "text or ids of the conversation: erased with the initiator, whose they are",
  caller: "facts about the software that sent the request: erased with the initiator and with the actor",
  technical:
    "text that a caller or a provider chose and that names a person only by accident, such as a model: erased on request",
} as const;
export type Erasure = keyof typeof ERASURES;

/** Position in an Analytics Engine data set. Positions are append-only: queries name columns by position. */
export type AnalyticsColumn = `blob${number}` | `double${number}`;

export type FieldOptions = {
  /** Its column in D1 where that has another name; null: it is not stored. */
  readonly column?: string | null;
  /** Its column in the Analytics Engine data sets. */
  readonly interceptions?: AnalyticsColumn;
  readonly overrides?: AnalyticsColumn;
  /** false: the API does not return it. */
  readonly api?: false;
  /** It holds recorded content (a prompt, a tool's input …), which may be long and is truncated first. */
  readonly content?: true;
  /** A digest of recorded content. A short text can be guessed from it, so the API returns it only with the scope `content`. */
  readonly contentDigest?: true;
  /** It may hold personal data. The value of a field without it stays in the log of seals for ever. */
  readonly erasable?: Erasure;
  /**
   * The version of the log's schema (records/ledger/seal/schema.ts) that first has the field as a commitment; 1 by default. A
   * field that is added, or becomes erasable, after a release needs the next version.
   */
  readonly sealedSince?: number;
};

/** The meaning, as a phrase for tables and schemas; or the closed set of words, each with its meaning. */
export type About = string | Words;

/** `T` is the type of its value in an event. */
export type Field<T = unknown> = FieldOptions & {
  readonly kind: FieldKind;
  readonly nullable: boolean;
  readonly about: About;
  /** Carries `T`; never set. */
  readonly type?: T;
};

export type Fields = Readonly<Record<string, Field>>;

/** The event type that a table of fields describes. */
export type ValuesOf<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends Field<infer T> ? T : never;
};

type Make = <T>(about: About, options?: FieldOptions) => Field<T>;

const make =
  (kind: FieldKind, nullable: boolean): Make =>
  (about, options = {}) => ({ kind, nullable, about, ...options });

const required = {
  text: make("text", false) as <T extends string = string>(about: About, options?: FieldOptions) => Field<T>,
  uuid: make("uuid", false) as (about: About, options?: FieldOptions) => Field<string>,
  time: make("time", false) as (about: About, options?: FieldOptions) => Field<string>,
  count: make("count", false) as (about: About, options?: FieldOptions) => Field<number>,
  /** May be negative. */
  integer: make("integer", false) as (about: About, options?: FieldOptions) => Field<number>,
  flag: make("flag", false) as <T extends boolean = boolean>(
    about: About,
    options?: FieldOptions,
  ) => Field<T>,
  texts: make("texts", false) as <T extends string>(
    about: About,
    options?: FieldOptions,
  ) => Field<readonly T[]>,
  object: make("object", false) as <T extends object>(about: About, options?: FieldOptions) => Field<T>,
};

/** Fields that always have a value. */
export const { text, uuid, time, count, integer, flag, texts, object } = required;

/** Fields whose value may be null: not known, or not there. */
export const orNull = {
  text: make("text", true) as <T extends string = string>(
    about: About,
    options?: FieldOptions,
  ) => Field<T | null>,
  uuid: make("uuid", true) as (about: About, options?: FieldOptions) => Field<string | null>,
  count: make("count", true) as (about: About, options?: FieldOptions) => Field<number | null>,
  object: make("object", true) as <T extends object>(about: About, options?: FieldOptions) => Field<T | null>,
  /** Always null in the event: the ledger fills the column in. */
  never: make("uuid", true) as (about: About, options?: FieldOptions) => Field<null>,
};

/** The meaning of a field as one text. */
export const aboutOf = ({ about }: Field): string => (typeof about === "string" ? about : meanings(about));

/** The name of the column that stores a field; null where it is not stored. */
export const columnName = (name: string, { column }: Field): string | null =>
  column === undefined ? name : column;
