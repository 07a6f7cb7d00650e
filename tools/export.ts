/** `npm run export`: an evidence bundle of one person's events, and the check of such a bundle. */
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventId } from "../src/events/event-id.ts";
import type { LedgerAccess } from "../src/events/event.ts";
import { uuidV7 } from "../src/shared/uuid.ts";
import { readArguments, type CheckCommand, type ExportCommand } from "./export/arguments.ts";
import { bundleFiles, MANIFEST, sha256 } from "./export/bundle.ts";
import { checkBundle } from "./export/check.ts";
import { collect, type Collected } from "./export/collect.ts";
import { BROKEN } from "./export/event-line.ts";
import { openLedger } from "./local/open-ledger.ts";
import { toolAccess } from "./local/tool-access.ts";
import { executeSql } from "./local/ledger-sql.ts";
import { BAD_USAGE, sentenceOf } from "./local/start-failure.ts";
import { toSql } from "./replay/sql.ts";

const USAGE = `Usage: npm run -s export -- --initiator <id> --from <time> --to <time> --output <folder>
                             [--requested-by <name>] [--reason <text>] [place]
       npm run -s export -- check <folder> [--key <verifier key>] [--manifest-sha256 <hex>]

Writes an evidence bundle: all events of the requests that are attributed to a principal and began in the range of time,
with proofs that they were recorded so. It can be checked offline; its README.txt says how. The export is an event itself:
GET /accesses.

  --initiator        the principal's id, of any source
  --from, --to       RFC 3339, or a day (2026-11-23: its beginning in UTC); --to is not part of the range
  --output           a folder that does not exist, or is empty
  --requested-by     the person who requested it; by default your user name
  place              --local | --remote, --env <name>, --persist-to <directory>, as for npm run replay, or
                     --database <file>: a copy of the database, which is only read, so that no event is recorded

check exits with 1 and names each mismatch. --key (repeatable) is a verifier key that you got from elsewhere;
--manifest-sha256 is the hash in the event about the export.
`;

export async function main(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args.includes("--help") || args.includes("-h")) {
    process.stdout.write(USAGE);
    return args.length === 0 ? BAD_USAGE : 0;
  }
  const command = readArguments(args);
  const issue =
    typeof command === "string" ? command : command.verb === "export" ? folderIssue(command) : null;
  if (typeof command === "string" || issue !== null) {
    process.stderr.write(`${issue} (See --help.)\n`);
    return BAD_USAGE;
  }
  try {
    return command.verb === "check" ? await runCheck(command) : await runExport(command);
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

function folderIssue({ output }: ExportCommand): string | null {
  const found = statSync(output, { throwIfNoEntry: false });
  if (found === undefined) return null;
  return found.isDirectory() && readdirSync(output).length === 0
    ? null
    : "--output must be a folder that does not exist, or is empty.";
}

async function runExport(command: ExportCommand): Promise<number> {
  const { place, output } = command;
  const { query, close } = openLedger(place);
  const collected = await collect(query, command).finally(close);
  const now = Date.now();
  const facts = accessFacts(command, collected);
  const id = uuidV7(now, randomUUID());
  const recordedAs = "file" in place ? null : eventId(toolAccess(facts, id, now).event);
  const files = bundleFiles(collected, { ...command, now, recordedAs });
  const manifestSha256 = sha256(files.get(MANIFEST) ?? "");
  const parameters = { ...facts.parameters, manifest_sha256: manifestSha256 };
  // Before the files: no bundle without its event.
  if (!("file" in place)) await executeSql(toSql([toolAccess({ ...facts, parameters }, id, now)]), place);
  writeFiles(output, files);
  process.stdout.write(`${summaryOf(collected, output, manifestSha256)}\n`);
  if (recordedAs === null)
    process.stdout.write("The database is a copy: the export is not recorded in it.\n");
  return 0;
}

const accessFacts = (
  { initiator, from, to, requestedBy, reason }: ExportCommand,
  { events }: Collected,
): Pick<LedgerAccess, "action" | "target" | "parameters" | "cause" | "rows"> => ({
  action: "export",
  target: initiator,
  parameters: {
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    requested_by: requestedBy,
  },
  rows: events.length,
  cause: reason,
});

/** Readable by this user only. */
function writeFiles(folder: string, files: ReadonlyMap<string, string>): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const [name, content] of files)
    writeFileSync(join(folder, name), content, { mode: 0o600, flag: "wx" });
}

function summaryOf({ events, checkpoint }: Collected, output: string, manifestSha256: string): string {
  const sealed = events.filter(({ status }) => status === "sealed").length;
  const broken = events.filter(({ status }) => BROKEN.has(status)).length;
  return [
    `${output}: ${events.length} events, ${sealed} of them proven in ${checkpoint ? `a tree of ${checkpoint.size} leaves` : "no log"}.`,
    ...(broken > 0 ? [`${broken} events are not what the log has: run npm run verify.`] : []),
    `SHA-256 of ${MANIFEST}: ${manifestSha256}`,
  ].join("\n");
}

async function runCheck({ folder, keys, manifestSha256 }: CheckCommand): Promise<number> {
  const { issues, notes } = await checkBundle(folder, { keys, manifestSha256 });
  for (const issue of issues) process.stdout.write(`MISMATCH ${issue}\n`);
  for (const note of notes) process.stdout.write(`${note}\n`);
  process.stdout.write(issues.length === 0 ? "The bundle is intact.\n" : `${issues.length} mismatches.\n`);
  return issues.length === 0 ? 0 : 1;
}
