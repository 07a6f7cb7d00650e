/** A deployment from its checks to its warnings. */
import { checkDeployment } from "../check-config/project.ts";
import { sentenceOf, StartFailure } from "../local/start-failure.ts";
import { readAccount } from "./account.ts";
import { checkAccount } from "./check-account.ts";
import { describeCommands, dryRunSteps } from "./dry-run.ts";
import { adviceFor } from "./failure.ts";
import { planSteps, type Step } from "./plan.ts";
import { warningsFor } from "./warnings.ts";
import { readWorkers, type Target, type Workers } from "./worker-configs.ts";
import { commandLine, outputOf, type RunWrangler } from "./wrangler-runner.ts";

export type DeployOptions = Target & { readonly dryRun: boolean };

export type DeployDeps = {
  readonly run: RunWrangler;
  readonly print: (text: string) => void;
  readonly printError: (text: string) => void;
  /** The folder of the configurations. */
  readonly folder: string;
};

/** @throws StartFailure with the reason where the deployment did not happen, or stopped at a step. */
export async function deployWorkers(options: DeployOptions, deps: DeployDeps): Promise<void> {
  const workers = readOrStop(deps.folder, options);
  const { problems, requiredSecrets, warnings } = checkDeployment(deps.folder, workers);
  stopAt(problems);
  warn(warnings, deps);
  deps.print(`Checked the configuration of ${namesOf(workers)}.\n`);
  if (options.dryRun) {
    await runSteps(dryRunSteps(workers), deps);
    deps.print(`${describeCommands(workers, requiredSecrets)}\n`);
    return warn(warningsFor(workers, null), deps);
  }
  const account = await readAccount(deps.run, workers);
  stopAt(checkAccount(account, workers, requiredSecrets));
  const steps = planSteps(account, workers);
  await runSteps(steps, deps);
  deps.print([`Deployed ${namesOf(workers)}.`, ...rollbacksOf(steps)].map((line) => `${line}\n`).join(""));
  warn(warningsFor(workers, account), deps);
}

const namesOf = ({ gateway, records }: Workers): string =>
  [...(records === null ? [] : [records.name]), gateway.name].join(" and ");

const rollbacksOf = (done: readonly Step[]): readonly string[] =>
  done.flatMap(({ rollback }) => rollback ?? []);

function readOrStop(folder: string, options: DeployOptions): Workers {
  try {
    return readWorkers(folder, options);
  } catch (error) {
    throw nothingDeployed([sentenceOf(error)]);
  }
}

function stopAt(problems: readonly string[]): void {
  if (problems.length > 0) throw nothingDeployed(problems);
}

const nothingDeployed = (problems: readonly string[]): StartFailure =>
  new StartFailure([...problems, "Nothing was deployed."].join("\n"));

function warn(warnings: readonly string[], { printError }: DeployDeps): void {
  for (const warning of warnings) printError(`Warning: ${warning}\n`);
}

/** Runs the steps in order. Throws a StartFailure at the first one that fails. */
async function runSteps(steps: readonly Step[], { run, print }: DeployDeps): Promise<void> {
  for (const [at, { title, args, showsOutput }] of steps.entries()) {
    print(`${at + 1}/${steps.length} ${title}\n`);
    const result = await run(args);
    if (showsOutput || !result.ok) print(outputOf(result));
    if (!result.ok) throw new StartFailure(failure(steps, at, adviceFor(outputOf(result))));
  }
}

function failure(steps: readonly Step[], at: number, advice: string | null): string {
  const { title, args } = steps[at] as Step;
  const before = steps.slice(0, at);
  const done = before.map((step) => step.done).join("; ");
  const recordsDeployed = before.some(({ deploysRecords }) => deploysRecords);
  const pending = recordsDeployed ? [] : before.flatMap(({ untilRecords }) => untilRecords ?? []);
  return [
    `Step ${at + 1} of ${steps.length} failed: ${title} (\`${commandLine(args)}\`). Wrangler's output above has the reason.`,
    ...(advice === null ? [] : [advice]),
    done === "" ? "Nothing was changed before it." : `Done before it: ${done}.`,
    ...pending,
    ...rollbacksOf(before),
    "Fix the cause and run the same command again: steps that are done are skipped, or repeated without effect.",
  ].join("\n");
}
