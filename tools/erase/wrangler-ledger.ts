/** The ledger's database through `wrangler d1 execute`. Statements have their parameters inlined. */
import type { ErasableLedger } from "../../src/records/ledger/erase/erase-ledger.ts";
import type { Cell, Statement } from "../../src/records/ledger/erase/erase-row.ts";
import type { Row } from "../../src/records/ledger/seal/rebuild.ts";
import { executeSql, queryLedger, queryLedgerAll, type LedgerPlace } from "../local/ledger-sql.ts";
import { StartFailure } from "../local/start-failure.ts";

export const wranglerLedger = (place: LedgerPlace): ErasableLedger => ({
  query: (sql, ...parameters) => queryLedger(inlined({ sql, values: parameters }), place),
  queryAll: async (statements) => {
    const results: (readonly Row[])[] = [];
    for (const command of commandsOf(statements.map(inlined)))
      results.push(...(await queryLedgerAll(command, place)));
    return results;
  },
  // A file is one transaction: https://developers.cloudflare.com/d1/best-practices/import-export-data/
  run: async (statements) => {
    if (statements.length > 0)
      await executeSql(statements.map((statement) => `${inlined(statement)};\n`).join(""), place);
  },
});

/** Bound of an argument of a command, in characters of which few are not ASCII: Linux takes 131,072 bytes, Windows 32,767. */
const MAX_COMMAND = process.platform === "win32" ? 30_000 : 100_000;

/** Statements joined into as few commands as possible. */
export function commandsOf(statements: readonly string[], most = MAX_COMMAND): string[] {
  const commands: string[] = [];
  for (const statement of statements) {
    const open = commands.at(-1);
    if (open !== undefined && open.length + statement.length < most)
      commands[commands.length - 1] = `${open};\n${statement}`;
    else commands.push(statement);
  }
  return commands;
}

/** D1's limit of one statement. */
const MAX_BYTES = 100_000;

/** No statement of an erasure has a `?` with a digit other than a parameter. */
export function inlined({ sql, values }: Statement): string {
  const text = sql.replaceAll(/\?(\d+)/g, (_, number: string) => literal(values[Number(number) - 1] ?? null));
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw new StartFailure("A row is larger than one statement can be, and is not erased.");
  return text;
}

/** Wrangler rejects these two words anywhere in a file. */
const REJECTED = "BEGIN TRANSACTION";

const quoted = (text: string): string => `'${text.replaceAll("\0", "").replaceAll("'", "''")}'`;

function literal(value: Cell): string {
  if (value === null) return "NULL";
  if (typeof value === "number") return String(value);
  const parts = value.split(REJECTED);
  return parts.length === 1
    ? quoted(value)
    : `(${parts.map(quoted).join(" || 'BEGIN' || ' TRANSACTION' || ")})`;
}
