/** `npm run probe`: measures a deployment against an echo provider and prints a report. */
import { deployEcho, removeEcho } from "./probe/deploy-echo.ts";
import { readArguments, USAGE, type Command } from "./probe/arguments.ts";
import { startLocal } from "./probe/local.ts";
import { probe, type Target } from "./probe/session.ts";
import type { Plan } from "./probe/plan.ts";
import { interruption, type Interruption } from "./local/interruption.ts";
import { BAD_USAGE, sentenceOf, StartFailure } from "./local/start-failure.ts";
import { runWrangler } from "./local/wrangler.ts";

/** Resolves with the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const command = readArguments(args, process.env);
  if (command === undefined) {
    print(USAGE);
    return 0;
  }
  if (typeof command === "string") {
    printError(`${command} (See --help.)`);
    return BAD_USAGE;
  }
  try {
    return await run(command);
  } catch (error) {
    printError(sentenceOf(error));
    return 1;
  }
}

async function run(command: Command): Promise<number> {
  switch (command.verb) {
    case "deploy":
    case "remove": {
      const deps = { run: (args: readonly string[]) => runWrangler(args, !command.dryRun), print };
      if (command.verb === "deploy") await deployEcho(command, command.secret, deps);
      else await removeEcho(command, deps);
      return 0;
    }
    case "remote":
      return measure(command.target, command.plan, interruption());
    case "local":
      return measureLocally(command.plan, interruption());
  }
}

async function measureLocally(plan: Plan, interrupted: Interruption): Promise<number> {
  printError("Starting the gateway, the records Worker and the echo …");
  const local = await startLocal(interrupted.signal, printError);
  try {
    const broken = local.broken.then((sentence) => Promise.reject(new StartFailure(sentence)));
    return await Promise.race([measure(local.target, plan, interrupted), broken]);
  } finally {
    await local.stop();
  }
}

/** Progress goes to stderr, so that stdout holds only the report. */
async function measure(target: Target, plan: Plan, { signal }: Interruption): Promise<number> {
  const { report, rows } = await probe(target, plan, signal, printError);
  print(report);
  const isMeasured = rows.some(({ finding }) => finding.verdict.kind !== "not measured");
  return isMeasured && !signal.aborted ? 0 : 1;
}

function print(text: string): void {
  process.stdout.write(text);
}

function printError(line: string): void {
  process.stderr.write(`${line}\n`);
}
