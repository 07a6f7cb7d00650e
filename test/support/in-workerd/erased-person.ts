/** A person in every field of every record type, and a second one beside them, for tests of erasure. */
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { Field } from "../../../src/events/field.ts";
import { RECORDS, type RecordDefinition, type RecordType } from "../../../src/events/fields.ts";
import {
  eraseLedger,
  type ErasableLedger,
  type EraseReport,
} from "../../../src/records/ledger/erase/erase-ledger.ts";
import type { Statement } from "../../../src/records/ledger/erase/erase-row.ts";
import { erasableFieldsOf } from "../../../src/records/ledger/erase/field-rules.ts";
import { personOf, type KnownTexts } from "../../../src/records/ledger/erase/person.ts";
import { formatErased, parseSealText } from "../../../src/records/ledger/seal/sealed-facts.ts";
import { queryOf } from "../../../src/records/ledger/seal/seal-state.ts";
import { ACCESS, everyEvent } from "./events.ts";
import { idOf, T0 } from "./ledger-events.ts";
import { storeSealed } from "./sealed-ledger.ts";
import type { Row } from "./ledger-database.ts";

export const ALICE = "a11ce000-0000-4000-8000-0000000a11ce";
export const ALICES_ALIAS = "alice@example.com";
export const ALICES_KEY = "a11cea11cea11cea";
export const BOB = "b0b00000-0000-4000-8000-000000000b0b";
export const PSEUDONYM = "erased-0123456789ab";
export const TEXTS: KnownTexts = { ids: [ALICE, ALICES_ALIAS], names: ["Alice Liddell", ALICES_KEY] };

/** As events name her after she signed in to the console. */
export const ALICES_SESSION = "console:Alice Liddell";

/** In every other value that must be gone afterwards. */
export const NEEDLE = "n33dle";

const definitions: Readonly<Record<RecordType, RecordDefinition>> = RECORDS;

/** The value of an erasable field: one that names it and contains the needle; of an administrator, her name. */
function marked(name: string, { kind, erasable }: Field): unknown {
  if (erasable === "admin") return ALICES_SESSION;
  const text = `${NEEDLE} ${name}`;
  if (kind === "texts") return [text, `${text} 2`];
  if (kind === "object") return { [text]: text };
  return kind === "uuid" ? "0eed1e00-dead-4000-8000-0000000eed1e" : text;
}

export type Principals = { readonly initiator: string; readonly actor: string; readonly key?: string };

/** The event with these principals; `isMarked`: with a needle in each field that is erased with its initiator. */
export function eventOf(
  event: InterceptorEvent,
  principals: Principals,
  isMarked: boolean,
): InterceptorEvent {
  const { initiator, actor, key = "0123456789abcdef" } = principals;
  const { fields, ledgerFields } = definitions[event.record_type];
  const names = new Set(Object.keys({ ...fields, ...ledgerFields }));
  const principal: Record<string, unknown> = {
    initiator_id: initiator,
    actor_id: actor,
    owner_id: initiator,
    api_key_id: key,
  };
  const changed = erasableFieldsOf(event.record_type).flatMap(({ name, field }): [string, unknown][] => {
    if (name in principal) return [[name, principal[name]]];
    if (!isMarked && /^(?:initiator_name|owner_username)$/.test(name)) return [[name, "bob"]];
    const isWhole = field.erasable !== "technical" && (field.erasable !== "actor" || actor === initiator);
    return isMarked && isWhole && names.has(name) ? [[name, marked(name, field)]] : [];
  });
  return { ...event, ...Object.fromEntries(changed) } as InterceptorEvent;
}

/** One event of each type but the records of reads, each with ids of call `n`. */
export const allTypes = (n: number): readonly InterceptorEvent[] =>
  everyEvent
    .filter(({ record_type: type }) => type !== "ledger_access")
    .map((event, at) => ({
      ...event,
      interception_id: `${(T0 + n * 1000)
        .toString(16)
        .padStart(12, "0")
        .replace(
          /^(.{8})/,
          "$1-",
        )}-7abc-8def-${(n * 64 + (event.record_type.startsWith("initiator_override") || !sharesCall(event.record_type) ? at : 63)).toString(16).padStart(12, "0")}`,
    }));

/** Types that are parts of one call. */
const sharesCall = (type: RecordType): boolean =>
  [
    "interception_start",
    "interception_end",
    "token_usage",
    "prompt_usage",
    "tool_usage",
    "model_thought",
  ].includes(type);

export const ledgerOf = (database: D1Database): ErasableLedger => {
  const batch = (statements: readonly Statement[]): Promise<D1Result<Row>[]> =>
    database.batch<Row>(statements.map(({ sql, values }) => database.prepare(sql).bind(...values)));
  return {
    query: queryOf(database),
    queryAll: async (statements) => (await batch(statements)).map(({ results }) => results),
    run: async (statements) => void (await batch(statements)),
  };
};

export const eraseAlice = (database: D1Database, technical = false): Promise<EraseReport> =>
  eraseLedger(ledgerOf(database), {
    rules: { person: personOf(PSEUDONYM, TEXTS), technical },
    texts: TEXTS,
    at: T0 + 5000,
    newId: () => crypto.randomUUID(),
  });

/** Every cell of every table, by table. */
export async function dump(database: D1Database): Promise<Readonly<Record<string, readonly Row[]>>> {
  const { results } = await database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '_cf_*'")
    .all<{ readonly name: string }>();
  const tables: Record<string, readonly Row[]> = {};
  for (const { name } of results)
    tables[name] = (await database.prepare(`SELECT * FROM ${name}`).all<Row>()).results;
  return tables;
}

const isSeal = (column: string): boolean => /(?:^|_)seal$/.test(column);

/**
 * The text of a cell in which a person is looked for. A seal's salts and commitments are left out once they were read as such:
 * they are random, and the letters of a short name do occur in base64url of that length.
 */
function searchedText(column: string, cell: unknown): string {
  const text = String(cell);
  const facts = isSeal(column) ? parseSealText(text) : null;
  if (!facts || (!facts.seed && formatErased(facts) !== text)) return text.toLowerCase();
  const { macKeyId, salts, erased } = facts;
  return [macKeyId, ...Object.keys(salts), ...Object.keys(erased)].join(" ").toLowerCase();
}

/** `table.column` of each cell that contains one of the texts. */
export function cellsWith(tables: Awaited<ReturnType<typeof dump>>, texts: readonly string[]): string[] {
  const found = Object.entries(tables).flatMap(([table, rows]) =>
    rows.flatMap((row) =>
      Object.entries(row)
        .filter(([column, cell]) => {
          const searched = searchedText(column, cell);
          return texts.some((text) => searched.includes(text.toLowerCase()));
        })
        .map(([column]) => `${table}.${column}`),
    ),
  );
  return [...new Set(found)].toSorted();
}

/** As the tool records it. */
export async function recordErasure(database: D1Database): Promise<void> {
  const at = T0 + 6000;
  const event = {
    ...ACCESS,
    interception_id: idOf(999),
    action: "erase",
    by: "tool",
    target: PSEUDONYM,
    parameters: {},
  } as const;
  await storeSealed(database, [{ ...event, created_at: new Date(at).toISOString() }], at);
}
