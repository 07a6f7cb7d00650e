/** `npm run replay`: stores events from the log that the ledger could not store, in the records Worker's database. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { createVerify } from "../src/events/event-mac.ts";
import { readEnvironment, type Env } from "../src/shared/config/environment.ts";
import { EVENT_MAC_KEY, readEventMacKeys } from "../src/shared/config/event-mac-keys.ts";
import { uuidV7 } from "../src/shared/uuid.ts";
import { readDevVarsFiles } from "./local/dev-vars.ts";
import { executeSql, type LedgerPlace } from "./local/ledger-sql.ts";
import { PLACE_OPTIONS, readPlace } from "./local/place.ts";
import { argumentError, BAD_USAGE, sentenceOf, StartFailure } from "./local/start-failure.ts";
import { authenticateFound } from "./replay/authenticate.ts";
import { findLogged, readLoggedMessage } from "./replay/logged-events.ts";
import { toSql, toUnauthenticatedSql } from "./replay/sql.ts";

const USAGE = `Usage: npm run -s replay -- [--local | --remote] [--env <name>] [--persist-to <directory>] [--plain | --messages]
                              [log file … | -]

Reads logs from files or standard input, finds the lines "interception ledger fallback" in them, and stores their events
in the ledger. A log can contain the Worker's own lines, the output of wrangler tail --format json, or Logpush's records.
Existing rows stay unchanged, so a log can be replayed any number of times.

With the gateway's EVENT_MAC_KEY in the environment (or, for the local database, in .dev.vars), each event's MAC is verified.
Events without a valid MAC are stored in unauthenticated_events, and count nowhere. Without the key no MAC is verified.

  --local       the database of npm start (default)
  --remote      the deployed database, which does not respond to other queries during the import
  --env         the database of \`npm run deploy -- --env <name>\`
  --persist-to  the directory of another local state
  --messages    each file is an unmodified queue message, from the archive's folder unread/ or unauthenticated/
  --plain       also reads the lines of the interception log: for events that never reached the ledger, for example
                because the platform ended the Worker; such a line may hold truncated content,
                and has a MAC with RECORDING.log_mac only
`;

type Command = LedgerPlace & {
  readonly files: readonly string[];
  readonly plain: boolean;
  readonly messages: boolean;
};

export async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(USAGE);
    return 0;
  }
  const command = readArguments(args);
  if (typeof command === "string") {
    process.stderr.write(`${command} (See --help.)\n`);
    return BAD_USAGE;
  }
  try {
    await replay(command);
    return 0;
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

/** @returns the command, or one sentence that says why the arguments are invalid. */
function readArguments(args: readonly string[]): Command | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...PLACE_OPTIONS,
        plain: { type: "boolean", default: false },
        messages: { type: "boolean", default: false },
      },
    });
    const place = readPlace(values);
    if (typeof place === "string") return place;
    const { plain, messages } = values;
    if (plain && messages) return "--messages excludes --plain.";
    const files = positionals.length > 0 ? positionals : ["-"];
    return { ...place, files, plain, messages };
  } catch (error) {
    return argumentError(error);
  }
}

const newId = (now: number): string => uuidV7(now, randomUUID());

async function replay(command: Command): Promise<void> {
  const texts: string[] = [];
  for (const file of command.files)
    texts.push(file === "-" ? await text(process.stdin) : readFileSync(file, "utf8"));
  const found = command.messages
    ? texts.map(readLoggedMessage)
    : [findLogged(texts.join("\n"), command.plain)];
  const broken = found.reduce((sum, each) => sum + each.broken, 0);
  const unknown = found.reduce((sum, each) => sum + each.unknown, 0);
  if (broken > 0)
    process.stderr.write(`${broken} lines or messages hold no complete event and are skipped.\n`);
  if (unknown > 0)
    process.stderr.write(`${unknown} entries are not events of this version and are skipped.\n`);
  const keys = readMacKeys(command.remote);
  const verify = keys.length > 0 ? createVerify(keys) : null;
  const { accepted, rejected } = await authenticateFound(found, verify, Date.now());
  const sql = toSql(accepted) + toUnauthenticatedSql(rejected, newId);
  if (sql !== "") await executeSql(sql, command);
  process.stdout.write(
    `${accepted.length} events replayed${verify ? "" : ", without a check of their MACs"}.\n`,
  );
  if (rejected.length > 0)
    process.stderr.write(`${rejected.length} events have no valid MAC and are in unauthenticated_events.\n`);
}

/** From the environment; of a local run also from its files. None: no MAC is checked. */
function readMacKeys(remote: boolean): readonly string[] {
  const { gateway, records } = remote ? { gateway: {}, records: {} } : readDevVarsFiles();
  const env: Env = { ...gateway, ...records, ...process.env };
  const issues: string[] = [];
  const set = env[EVENT_MAC_KEY] ? { [EVENT_MAC_KEY]: env[EVENT_MAC_KEY] } : {};
  const keys = readEventMacKeys(readEnvironment(set, (path, issue) => issues.push(`${path} ${issue}.`)));
  if (issues[0] !== undefined) throw new StartFailure(issues[0]);
  return keys;
}
