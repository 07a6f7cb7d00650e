/** The options that name the ledger's database, of every command that reads or changes it. */
import { environmentIssue } from "../deploy/files.ts";
import type { LedgerPlace } from "./ledger-sql.ts";

/** For `parseArgs`. */
export const PLACE_OPTIONS = {
  local: { type: "boolean", default: false },
  remote: { type: "boolean", default: false },
  env: { type: "string" },
  "persist-to": { type: "string" },
} as const;

/** The lines of a usage. */
export const PLACE_USAGE = `  --local       the database of npm start (default)
  --remote      the deployed database
  --env         the database of \`npm run deploy -- --env <name>\`
  --persist-to  the directory of another local state
`;

type PlaceValues = {
  readonly local: boolean;
  readonly remote: boolean;
  readonly env?: string | undefined;
  readonly "persist-to"?: string | undefined;
};

/** @returns the place, or one sentence that says why the options are invalid. */
export function readPlace({
  local,
  remote,
  env,
  "persist-to": persistTo,
}: PlaceValues): LedgerPlace | string {
  const environment = env ?? null;
  const issue = environment === null ? null : environmentIssue(environment);
  if (issue !== null) return issue;
  if (remote && (local || persistTo !== undefined)) return "--remote excludes --local and --persist-to.";
  return { remote, environment, persistTo };
}

/** A place, or a database file in its place. */
export type FileOrPlace = { readonly file: string } | LedgerPlace;

export function readFileOrPlace(
  values: PlaceValues & { readonly database?: string | undefined },
): FileOrPlace | string {
  const { local, remote, database, env, "persist-to": persistTo } = values;
  if (database === undefined) return readPlace(values);
  if (local || remote || env !== undefined || persistTo !== undefined)
    return "--database excludes --local, --remote, --env and --persist-to.";
  return database === "" ? "--database requires a file." : { file: database };
}
