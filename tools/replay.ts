/** `npm run replay`: stores events from the log that the ledger could not store, in the records Worker's database. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { deployedFiles, environmentIssue } from "./deploy/files.ts";
import { readWorkers } from "./deploy/worker-configs.ts";
import { argumentError, BAD_USAGE, sentenceOf, StartFailure } from "./local/start-failure.ts";
import { currentStateFolder } from "./local/state.ts";
import { placeArgs, runWrangler } from "./local/wrangler.ts";
import { findEvents, readQueueMessage } from "./replay/logged-events.ts";
import { toSql } from "./replay/sql.ts";
import { ROOT } from "./root.ts";

const USAGE = `Usage: npm run -s replay -- [--local | --remote] [--env <name>] [--persist-to <directory>] [--plain | --messages]
                              [log file … | -]

Reads logs from files or standard input, finds the lines "interception ledger fallback" in them, and stores their events
in the ledger. A log can contain the Worker's own lines, the output of wrangler tail --format json, or Logpush's records.
Existing rows stay unchanged, so a log can be replayed any number of times.

  --local       the database of npm start (default)
  --remote      the deployed database, which does not respond to other queries during the import
  --env         the database of \`npm run deploy -- --env <name>\`
  --persist-to  the directory of another local state
  --messages    each file is an unmodified queue message, from the archive's folder unread/
  --plain       also reads the lines of the interception log: for events that never reached the ledger, for example
                because the platform ended the Worker; such a line may hold truncated content
`;

type Command = {
  readonly files: readonly string[];
  readonly remote: boolean;
  readonly environment: string | null;
  readonly persistTo: string | undefined;
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
        local: { type: "boolean", default: false },
        remote: { type: "boolean", default: false },
        env: { type: "string" },
        "persist-to": { type: "string" },
        plain: { type: "boolean", default: false },
        messages: { type: "boolean", default: false },
      },
    });
    const { remote, plain, messages, env: environment = null, "persist-to": persistTo } = values;
    const issue = environment === null ? null : environmentIssue(environment);
    if (issue !== null) return issue;
    if (remote && (values.local || persistTo !== undefined))
      return "--remote excludes --local and --persist-to.";
    if (plain && messages) return "--messages excludes --plain.";
    const files = positionals.length > 0 ? positionals : ["-"];
    return { files, remote, environment, persistTo, plain, messages };
  } catch (error) {
    return argumentError(error);
  }
}

async function replay(command: Command): Promise<void> {
  const texts: string[] = [];
  for (const file of command.files)
    texts.push(file === "-" ? await text(process.stdin) : readFileSync(file, "utf8"));
  const found = command.messages
    ? texts.map(readQueueMessage)
    : [findEvents(texts.join("\n"), command.plain)];
  const events = found.flatMap((each) => each.events);
  const broken = found.reduce((sum, each) => sum + each.broken, 0);
  const unknown = found.reduce((sum, each) => sum + each.unknown, 0);
  if (broken > 0)
    process.stderr.write(`${broken} lines or messages hold no complete event and are skipped.\n`);
  if (unknown > 0)
    process.stderr.write(`${unknown} entries are not events of this version and are skipped.\n`);
  if (events.length > 0) await execute(toSql(events), command);
  process.stdout.write(`${events.length} events replayed.\n`);
}

/** The state of `npm start`; of an environment, wrangler's default. */
const localState = (environment: string | null): string | undefined =>
  environment === null ? currentStateFolder() : undefined;

/** Runs the SQL in the ledger's database. Rejects with a StartFailure, after printing wrangler's output. */
async function execute(sql: string, { remote, environment, persistTo }: Command): Promise<void> {
  // Writes the configurations, which the command below names.
  readWorkers(ROOT, { gatewayOnly: false, environment });
  // Readable by this user only, because the file holds recorded content.
  const directory = mkdtempSync(join(tmpdir(), "ledger-replay-"));
  try {
    const file = join(directory, "events.sql");
    writeFileSync(file, sql, { mode: 0o600 });
    const target = [
      ...placeArgs({
        config: join(ROOT, deployedFiles(environment).records),
        persistTo: remote ? undefined : (persistTo ?? localState(environment)),
      }),
      ...(remote ? ["--remote", "--yes"] : ["--local"]),
    ];
    const { ok, lines } = await runWrangler(["d1", "execute", "LEDGER", ...target, "--file", file], remote);
    if (ok) return;
    process.stderr.write(`${lines.join("\n")}\n`);
    throw new StartFailure("The events could not be stored; wrangler's output above has the reason.");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
