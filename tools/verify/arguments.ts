/** The command line of `npm run verify`. */
import { parseArgs } from "node:util";
import { parseVerifierKey } from "../../src/records/ledger/seal/note-keys.ts";
import { SEAL_KEY_PREFIX } from "../../src/shared/seal-key.ts";
import { PLACE_OPTIONS, readFileOrPlace, type FileOrPlace } from "../local/place.ts";
import { argumentError } from "../local/start-failure.ts";

export const USAGE = `Usage: npm run -s verify -- [--local | --remote | --database <file>] [--env <name>] [--persist-to <directory>]
                              [--key <verifier key>]… [--checkpoint <file>]… [--json]

Verifies the ledger against its log of seals: finds and names each event that was edited, removed, inserted or moved after
it was sealed, and computes again what the ledger derives from its events. It only reads. docs/verify.md says what it shows.

  --local       the database of npm start (default), which may be running
  --remote      the deployed database: its tables are copied to a temporary file, which is deleted afterwards
  --database    an SQLite file, such as a copy of the database
  --env         the database of \`npm run deploy -- --env <name>\`
  --persist-to  the directory of another local state
  --key         a verifier key of the log, as \`npm run keys -- seal\` printed it, from a place that is not the database;
                may be repeated. Without it, verify trusts the first key that the log itself names.
  --checkpoint  a file with checkpoints that were kept elsewhere: signed notes (seals/checkpoint of the archive, or those
                of a cosigner), or a log of the records Worker; may be repeated. Without it, a log that was rewritten
                with its key, or whose end was replaced before your first look, is not found.
  --json        print the report as one line of JSON

Exit code: 0 intact · 1 findings · 2 not verified: invalid arguments, a database that cannot be read, or no log
`;

export type VerifyCommand = {
  readonly place: FileOrPlace;
  /** Verifier keys. */
  readonly keys: readonly string[];
  readonly checkpointFiles: readonly string[];
  readonly asJson: boolean;
};

/** @returns the command, or one sentence that says why the arguments are invalid. */
export function readArguments(args: readonly string[]): VerifyCommand | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...PLACE_OPTIONS,
        database: { type: "string" },
        key: { type: "string", multiple: true, default: [] },
        checkpoint: { type: "string", multiple: true, default: [] },
        json: { type: "boolean", default: false },
      },
    });
    const place = readFileOrPlace(values);
    if (typeof place === "string") return place;
    const { key: keys, checkpoint: checkpointFiles, json: asJson } = values;
    const issue = keys.map(keyIssue).find((found) => found !== null);
    return issue ?? { place, keys, checkpointFiles, asJson };
  } catch (error) {
    return argumentError(error);
  }
}

/** The reason why a key is invalid; null where it is a verifier key. Never with the key in it: it may be the private one. */
export function keyIssue(key: string): string | null {
  if (key.startsWith(SEAL_KEY_PREFIX)) return "--key must be the verifier key, not the private key.";
  if (parseVerifierKey(key)) return null;
  return "--key must be a verifier key, <origin>+<key id>+<base64>, unchanged from `npm run keys -- seal`.";
}
