/** `npm run verify`: verifies the ledger against its log of seals, and says what that shows and what it does not. */
import { readFileSync } from "node:fs";
import { lastCheckpoint } from "../src/records/ledger/seal/proof.ts";
import { verifyLedger } from "../src/records/ledger/seal/verify.ts";
import { BAD_USAGE, sentenceOf } from "./local/start-failure.ts";
import { readArguments, USAGE, type VerifyCommand } from "./verify/arguments.ts";
import { readCheckpoints } from "./verify/checkpoint-file.ts";
import { readDeletions } from "./verify/deletions.ts";
import { expectedSchema } from "./local/migrations.ts";
import { openSource } from "./verify/source.ts";
import { toJson, toText, type Verification } from "./verify/report-text.ts";

const FINDINGS = 1;
/** The same as for invalid arguments: nothing is known about the ledger. */
const NOT_VERIFIED = BAD_USAGE;

/** So that a ledger with a million findings has a report that can be read. All are counted. */
const MOST_OF_KIND = { text: 20, json: 10_000 };

export async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(USAGE);
    return 0;
  }
  const command = readArguments(args);
  const kept = typeof command === "string" ? command : readKept(command.checkpointFiles);
  if (typeof command === "string" || typeof kept === "string") {
    process.stderr.write(`${String(kept)} (See --help.)\n`);
    return BAD_USAGE;
  }
  try {
    const result = await verify(command, kept);
    process.stdout.write(command.asJson ? toJson(result) : toText(result));
    if (!result.report.isIntact) return FINDINGS;
    return result.report.leaves === 0 ? NOT_VERIFIED : 0;
  } catch (error) {
    process.stderr.write(`Not verified: ${sentenceOf(error)}\n`);
    return NOT_VERIFIED;
  }
}

/** @returns the notes, or one sentence about a file without any. */
function readKept(files: readonly string[]): readonly string[] | string {
  const notes: string[] = [];
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      return `--checkpoint ${JSON.stringify(file)} cannot be read: ${sentenceOf(error)}.`;
    }
    const found = readCheckpoints(text);
    if (typeof found === "string") return `--checkpoint ${JSON.stringify(file)} ${found}.`;
    notes.push(...found);
  }
  return notes;
}

async function verify(
  { place, keys, asJson }: VerifyCommand,
  checkpoints: readonly string[],
): Promise<Verification> {
  const source = await openSource(place);
  try {
    const { query } = source;
    const report = await verifyLedger({
      query,
      verifierKeys: keys,
      checkpoints,
      now: source.at,
      expectedSchema: expectedSchema(),
      mostOfKind: asJson ? MOST_OF_KIND.json : MOST_OF_KIND.text,
    });
    return {
      report,
      source: source.name,
      storedMeanwhile: source.storedMeanwhile,
      deletions: await readDeletions(query),
      checkpoint: await lastCheckpoint(query),
      keys: keys.length,
    };
  } finally {
    source.close();
  }
}
