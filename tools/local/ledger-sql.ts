/** Runs SQL in the ledger's database, local or deployed, through wrangler. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deployedFiles } from "../deploy/files.ts";
import { readWorkers } from "../deploy/worker-configs.ts";
import { asObject, parseJson } from "../../src/shared/json.ts";
import { ROOT } from "../root.ts";
import { StartFailure } from "./start-failure.ts";
import { currentStateFolder } from "./state.ts";
import { placeArgs, runWrangler } from "./wrangler.ts";

export type LedgerPlace = {
  readonly remote: boolean;
  /** Of `npm run deploy -- --env <name>`. */
  readonly environment: string | null;
  /** The directory of another local state. */
  readonly persistTo: string | undefined;
};

/** The state of `npm start`; of an environment, wrangler's default. */
export const localState = (environment: string | null): string | undefined =>
  environment === null ? currentStateFolder() : undefined;

function targetOf({ remote, environment, persistTo }: LedgerPlace): string[] {
  // Writes the configurations, which the command names.
  readWorkers(ROOT, { gatewayOnly: false, environment });
  return [
    ...placeArgs({
      config: join(ROOT, deployedFiles(environment).records),
      persistTo: remote ? undefined : (persistTo ?? localState(environment)),
    }),
    ...(remote ? ["--remote", "--yes"] : ["--local"]),
  ];
}

type Rows = readonly Readonly<Record<string, unknown>>[];

/** The rows of a query. Rejects with a StartFailure, after printing wrangler's output. */
export async function queryLedger(sql: string, place: LedgerPlace): Promise<Rows> {
  return (await queryLedgerAll(sql, place))[0] ?? [];
}

/** The rows of each statement. One run of wrangler takes seconds, regardless of its statements. */
export async function queryLedgerAll(sql: string, place: LedgerPlace): Promise<readonly Rows[]> {
  const args = ["d1", "execute", "LEDGER", ...targetOf(place), "--json", "--command", sql];
  const { ok, stdout, lines } = await runWrangler(args, place.remote);
  const results = ok ? asArray(parseJson(stdout.slice(Math.max(0, stdout.indexOf("["))))).map(asObject) : [];
  if (results[0])
    return results.map((result) => asArray(result?.["results"]).map((row) => asObject(row) ?? {}));
  process.stderr.write(`${lines.join("\n")}\n`);
  throw new StartFailure("The database did not run the query; wrangler's output above has the reason.");
}

const asArray = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Runs the SQL in the ledger's database. Rejects with a StartFailure, after printing wrangler's output. */
export async function executeSql(sql: string, place: LedgerPlace): Promise<void> {
  // Readable by this user only, because the file holds recorded content.
  const directory = mkdtempSync(join(tmpdir(), "ledger-sql-"));
  try {
    const file = join(directory, "statements.sql");
    writeFileSync(file, sql, { mode: 0o600 });
    const { ok, lines } = await runWrangler(
      ["d1", "execute", "LEDGER", ...targetOf(place), "--file", file],
      place.remote,
    );
    if (ok) return;
    process.stderr.write(`${lines.join("\n")}\n`);
    throw new StartFailure(
      "The database did not run the statements; wrangler's output above has the reason.",
      { cause: lines.join("\n") },
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
