/**
 * Erases a person in the database, pass by pass until a whole pass changes nothing, and then in the totals. It can be interrupted
 * at any point and run again: each step leaves the ledger intact, and a pass finds what is left.
 *
 * It reads and writes through two functions, so that it runs over a binding and over `wrangler d1 execute`.
 */
import { TABLE_KEYS } from "../tables.ts";
import type { LedgerTable } from "../../../events/fields.ts";
import type { Query, Row } from "../seal/rebuild.ts";
import { eraseCalls, RENAME_CLAIMS } from "./erase-calls.ts";
import { eraseRow, typesOf, type RowErasure, type Statement } from "./erase-row.ts";
import { erasableFieldsOf, type Rules } from "./field-rules.ts";
import { findRows, firstWindow, matchList, sourceOf, type Source } from "./find-rows.ts";
import { OTHER_TABLES } from "./other-tables.ts";
import type { KnownTexts } from "./person.ts";
import { COUNT_TOTALS, eraseTotals, FOLD_FIRST, isOvertaken } from "./totals.ts";

export type ErasableLedger = {
  readonly query: Query;
  /** Several queries at once: the rows of each. */
  readonly queryAll: (statements: readonly Statement[]) => Promise<readonly (readonly Row[])[]>;
  /** Runs the statements in one transaction. */
  readonly run: (statements: readonly Statement[]) => Promise<void>;
};

export type EraseOptions = {
  readonly rules: Rules;
  readonly texts: KnownTexts;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** A UUID of version 4. */
  readonly newId: () => string;
  /** Counts without a change. */
  readonly isDryRun?: boolean;
  readonly onProgress?: (table: string, rows: number) => void;
};

/** Rows that were changed, by table, and rows with a seal that cannot be read. */
export type EraseReport = { readonly rows: Readonly<Record<string, number>>; readonly unreadable: number };

/**
 * The credentials of a person are known from their calls, so those are the last to lose them. The order is that of one pass.
 */
const LAST: readonly LedgerTable[] = ["initiator_overrides", "passthroughs", "interceptions"];
const TABLE_ORDER: readonly LedgerTable[] = [
  ...(Object.keys(TABLE_KEYS) as LedgerTable[]).filter((table) => !LAST.includes(table)),
  ...LAST,
].filter((table) => typesOf(table).some((type) => erasableFieldsOf(type).length > 0));

/** A pass that changes rows is followed by another one. Late events make more of them necessary, never many. */
const MOST_PASSES = 20;

export async function eraseLedger(ledger: ErasableLedger, options: EraseOptions): Promise<EraseReport> {
  const counter = new Counter(options.onProgress);
  const ids = JSON.stringify(options.texts.ids);
  for (let pass = 0; pass < MOST_PASSES; pass += 1) {
    const { changed, dimensions, requests } = await erasePass(ledger, options, counter);
    if (options.isDryRun) return counter;
    if (changed > 0) continue;
    if (dimensions === 0 || (await eraseAllTotals(ledger, options, { ids, requests, counter })))
      return counter;
  }
  throw new Error(`After ${MOST_PASSES} passes there still are rows of the person. Run the command again.`);
}

class Counter implements EraseReport {
  readonly rows: Record<string, number> = {};
  unreadable = 0;
  readonly #onProgress: (table: string, rows: number) => void;

  constructor(onProgress: (table: string, rows: number) => void = () => undefined) {
    this.#onProgress = onProgress;
  }

  add(table: string, rows: number): void {
    if (rows === 0) return;
    this.rows[table] = (this.rows[table] ?? 0) + rows;
    this.#onProgress(table, this.rows[table]);
  }
}

type Pass = {
  /** Rows that were changed. */
  readonly changed: number;
  /** Of the totals that name the person, before the pass. */
  readonly dimensions: number;
  readonly requests: number;
};

async function erasePass(
  ledger: ErasableLedger,
  { rules, texts, at: now, newId, isDryRun = false }: EraseOptions,
  counter: Counter,
): Promise<Pass> {
  const writer = new Writer(isDryRun ? () => Promise.resolve() : ledger.run);
  const list = matchList([...texts.ids, ...texts.names, rules.person.pseudonym]);
  const sources = [...OTHER_TABLES.map(({ source }) => source), ...TABLE_ORDER.map(sourceOf)];
  const [totals, ...firsts] = await ledger.queryAll([
    { sql: COUNT_TOTALS, values: [JSON.stringify(texts.ids)] },
    ...sources.map((source) => firstWindow(source, list)),
  ]);
  const pages = (source: Source, at: number): AsyncGenerator<readonly Row[]> =>
    findRows(ledger.query, source, { texts: list, first: firsts[at] ?? [] });
  for (const [at, { source, erase }] of OTHER_TABLES.entries()) {
    for await (const rows of pages(source, at)) {
      const erasures = rows.map((row) => erase(row, rules, newId)).filter(({ length }) => length > 0);
      await writer.add(erasures.flat());
      counter.add(source.table, erasures.length);
    }
  }
  for (const [at, table] of TABLE_ORDER.entries()) {
    for await (const rows of pages(sourceOf(table), OTHER_TABLES.length + at)) {
      const erasures = rows.flatMap((row) => toErasure(table, row, rules, now));
      await writer.add(statementsOf(table, erasures, now));
      counter.add(table, erasures.length);
      counter.unreadable += erasures.filter(({ erasure }) => erasure.isUnreadable).length;
    }
  }
  await writer.flush();
  const [row] = totals ?? [];
  return {
    changed: writer.statements,
    dimensions: Number(row?.["dimensions"]),
    requests: Number(row?.["requests"]),
  };
}

/** Statements of one transaction. Each may be of several pages: over wrangler, a transaction takes seconds regardless of its size. */
const MOST_STATEMENTS = 500;

class Writer {
  /** All that were added. */
  statements = 0;
  readonly #run: ErasableLedger["run"];
  #waiting: Statement[] = [];

  constructor(run: ErasableLedger["run"]) {
    this.#run = run;
  }

  /** The statements of one call are in one transaction. */
  async add(statements: readonly Statement[]): Promise<void> {
    this.statements += statements.length;
    this.#waiting.push(...statements);
    if (this.#waiting.length >= MOST_STATEMENTS) await this.flush();
  }

  async flush(): Promise<void> {
    const statements = this.#waiting;
    this.#waiting = [];
    if (statements.length > 0) await this.#run(statements);
  }
}

type ErasedRow = { readonly row: Row; readonly erasure: RowErasure };

function toErasure(table: LedgerTable, row: Row, rules: Rules, at: number): ErasedRow[] {
  const erasure = eraseRow(table, row, rules, at);
  return erasure ? [{ row, erasure }] : [];
}

function statementsOf(table: LedgerTable, erased: readonly ErasedRow[], at: number): readonly Statement[] {
  if (erased.length === 0) return [];
  const updates = erased.map(({ erasure: { sql, values } }) => ({ sql, values }));
  if (table === "interceptions")
    return eraseCalls(
      erased.map(({ row }) => String(row["id"])),
      updates,
      at,
    );
  const renamed = erased.flatMap(({ row, erasure: { changed } }) =>
    table === "retrieved_usages" && "usage_of" in changed ? [[row["usage_of"], changed["usage_of"]]] : [],
  );
  if (renamed.length === 0) return updates;
  return [...updates, { sql: RENAME_CLAIMS, values: [JSON.stringify(renamed)] }];
}

/** @returns whether nothing of the person is left in the totals; false: a row has come meanwhile. */
async function eraseAllTotals(
  { query, run }: ErasableLedger,
  { rules }: EraseOptions,
  { ids, requests, counter }: { readonly ids: string; readonly requests: number; readonly counter: Counter },
): Promise<boolean> {
  const { pseudonym } = rules.person;
  for (let expected = requests; ; expected = 0) {
    await run(FOLD_FIRST);
    const { dimensions, statements } = await eraseTotals(query, { ids, pseudonym, counted: expected });
    if (dimensions === 0) return true;
    try {
      await run(statements);
    } catch (error) {
      if (isOvertaken(error)) return false;
      throw error;
    }
    counter.add("rollup_dimensions", dimensions);
  }
}
