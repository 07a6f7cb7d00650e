/**
 * `npm run deploy`: checks both Workers, prepares queue and database, and deploys the records Worker, then the gateway. Where
 * the records Worker is bound to the gateway too, the first deployment deploys it once more.
 */
import { parseArgs } from "node:util";
import { buildConsole } from "./console/build.ts";
import { deployWorkers, type DeployOptions } from "./deploy/deployment.ts";
import { readTarget, TARGET_OPTIONS } from "./deploy/target.ts";
import { ROOT } from "./root.ts";
import { argumentError, BAD_USAGE, StartFailure } from "./local/start-failure.ts";
import { runWrangler } from "./local/wrangler.ts";
import { oldPricesNotice } from "./prices/age.ts";

const USAGE = `Usage: npm run deploy -- [--env <name>] [--dry-run] [--gateway-only]

Checks the configuration of both Workers, then: creates the queues that are missing, and on a first deployment the
database; removes the consumer of a deployment from before there were two Workers; applies the ledger's migrations; deploys
the records Worker (wrangler.records.toml); and deploys the gateway (wrangler.toml, with its bindings to the records
Worker). Where CONSOLE.origins of the records Worker is set, that Worker needs a binding to the gateway: the first
deployment deploys it without the binding before the gateway, and with the binding after it. The command stops at the
first step that fails, and can be run again.

Your own settings belong into wrangler.local.toml and wrangler.records.local.toml, which git ignores. They have the same
format. Tables merge with those of the shipped files; a list and each variable of [vars] replace the shipped one.

  --env <name>    deploys both Workers under names of their own, apart from production: script, queues, database, data
                  sets and bucket end in -<name>; settings of [env.<name>] in the two files replace what is derived
  --dry-run       checks and bundles both Workers and prints the commands; needs no account and changes nothing there
  --gateway-only  deploys the gateway alone: log lines and Analytics Engine, without queue and records Worker

Wrangler must be logged in (npx wrangler login), or CLOUDFLARE_API_TOKEN set; with several accounts also
CLOUDFLARE_ACCOUNT_ID. Wrangler does not prompt.
`;

/** npm takes options before `--` for itself: the command would then deploy to production. */
function swallowedByNpm(env: NodeJS.ProcessEnv): string | undefined {
  return ["dry-run", ...Object.keys(TARGET_OPTIONS)].find(
    (option) => env[`npm_config_${option.replaceAll("-", "_")}`],
  );
}

export async function main(args: readonly string[]): Promise<number> {
  const swallowed = swallowedByNpm(process.env);
  if (swallowed !== undefined) {
    process.stderr.write(
      `npm took --${swallowed} for itself. Put -- before the options: npm run deploy -- --${swallowed} (in PowerShell: '--').\n`,
    );
    return BAD_USAGE;
  }
  const options = readArguments(args);
  if (options === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (typeof options === "string") {
    process.stderr.write(`${options} (See --help.)\n`);
    return BAD_USAGE;
  }
  const oldPrices = oldPricesNotice(Date.now(), process.env);
  if (oldPrices !== null) process.stderr.write(`${oldPrices}\n`);
  try {
    if (!options.gatewayOnly) await buildConsole();
    await deployWorkers(options, {
      run: (command) => runWrangler(command, !options.dryRun),
      print: (text) => void process.stdout.write(text),
      printError: (text) => void process.stderr.write(text),
      folder: ROOT,
    });
    return 0;
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** @returns the options; one sentence that says why the arguments are invalid; undefined for `--help`. */
function readArguments(args: readonly string[]): DeployOptions | string | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        "dry-run": { type: "boolean", default: false },
        ...TARGET_OPTIONS,
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return undefined;
    const target = readTarget(values);
    return typeof target === "string" ? target : { ...target, dryRun: values["dry-run"] };
  } catch (error) {
    return argumentError(error);
  }
}
