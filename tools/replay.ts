/** `npm run replay`: feeds events that the ledger could not take, and the log therefore holds, back into its database. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { startChild } from "./local/child.ts";
import { sentenceOf, StartFailure } from "./local/start-failure.ts";
import { ROOT } from "./deploy/generated-config.ts";
import { findEvents } from "./replay/logged-events.ts";
import { toSql } from "./replay/sql.ts";

const USAGE = `Usage: npm run -s replay -- [--local | --remote] [--persist-to <directory>] [--plain] [log file … | -]

Reads logs (files, or standard input), finds the lines "interception ledger fallback" in them, and writes their events
into the ledger's database. The logs may be the Worker's own lines, what wrangler tail --format json shows, or Logpush's
records. Events that the ledger has already are left as they are, so a log can be replayed any number of times.

  --local       the database of wrangler dev and npm start (default)
  --remote      the deployed one; it answers nobody else while it imports
  --persist-to  where wrangler dev keeps its state
  --plain       also the interception log's own lines: what the ledger never got at all, such as what was on its way as the
                platform ended the Worker; content is then as such a line shows it, cut
`;

const BAD_USAGE = 2;

type Wanted = {
  readonly files: readonly string[];
  readonly target: readonly string[];
  readonly plain: boolean;
};

export async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(USAGE);
    return 0;
  }
  const wanted = readArguments(args);
  if (typeof wanted === "string") {
    process.stderr.write(`${wanted} (--help shows how.)\n`);
    return BAD_USAGE;
  }
  try {
    await replay(wanted);
    return 0;
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

/** What is asked for, or one sentence on why that cannot be known. */
function readArguments(args: readonly string[]): Wanted | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        local: { type: "boolean", default: false },
        remote: { type: "boolean", default: false },
        "persist-to": { type: "string" },
        plain: { type: "boolean", default: false },
      },
    });
    const persistTo = values["persist-to"];
    if (values.remote && (values.local || persistTo !== undefined)) return "--remote stands alone.";
    const place = persistTo === undefined ? [] : ["--persist-to", persistTo];
    const target = values.remote ? ["--remote", "--yes"] : ["--local", ...place];
    return { files: positionals.length > 0 ? positionals : ["-"], target, plain: values.plain };
  } catch (error) {
    return sentenceOf(error).replace(/\. To specify.*$/s, ".");
  }
}

async function replay({ files, target, plain }: Wanted): Promise<void> {
  const logs = [];
  for (const file of files) logs.push(file === "-" ? await text(process.stdin) : readFileSync(file, "utf8"));
  const { events, broken } = findEvents(logs.join("\n"), plain);
  if (broken > 0) process.stderr.write(`${broken} lines hold no whole event and are left out.\n`);
  if (events.length > 0) await execute(toSql(events), target);
  process.stdout.write(`${events.length} events replayed.\n`);
}

/** Runs the SQL against the ledger's database. Rejects with a StartFailure, having printed what wrangler said. */
async function execute(sql: string, target: readonly string[]): Promise<void> {
  // Of this user alone: it holds what was recorded.
  const directory = mkdtempSync(join(tmpdir(), "ledger-replay-"));
  try {
    const file = join(directory, "events.sql");
    writeFileSync(file, sql, { mode: 0o600 });
    const said: string[] = [];
    const wrangler = join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");
    const child = startChild(wrangler, ["d1", "execute", "LEDGER", "--file", file, ...target], {
      cwd: ROOT,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" },
      onLine: (line) => void said.push(line),
    });
    if ((await child.ended) === "exit code 0") return;
    process.stderr.write(`${said.join("\n")}\n`);
    throw new StartFailure("The events could not be stored; what wrangler said above says why.");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
