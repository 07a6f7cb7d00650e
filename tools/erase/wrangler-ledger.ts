/** The ledger's database through `wrangler d1 execute`. Statements have their parameters inlined. */
import type { ErasableLedger } from "../../src/records/ledger/erase/erase-ledger.ts";
import type { Statement } from "../../src/records/ledger/erase/erase-row.ts";
import type { Row } from "../../src/records/ledger/seal/rebuild.ts";
import { executeSql, queryLedger, queryLedgerAll, type LedgerPlace } from "../local/ledger-sql.ts";
import { inlined } from "../local/sql-literal.ts";
import { StartFailure } from "../local/start-failure.ts";

export const wranglerLedger = (place: LedgerPlace): ErasableLedger => ({
  query: (sql, ...parameters) => queryLedger(inlined(sql, parameters), place),
  queryAll: async (statements) => {
    const results: (readonly Row[])[] = [];
    for (const command of commandsOf(statements.map(statementText)))
      results.push(...(await queryLedgerAll(command, place)));
    return results;
  },
  // A file is one transaction: https://developers.cloudflare.com/d1/best-practices/import-export-data/
  run: async (statements) => {
    if (statements.length > 0)
      await executeSql(statements.map((statement) => `${statementText(statement)};\n`).join(""), place);
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
export function statementText({ sql, values }: Statement): string {
  const text = inlined(sql, values);
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw new StartFailure("A row is larger than one statement can be, and is not erased.");
  return text;
}
