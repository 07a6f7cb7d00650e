/** `npm run check-config`: validates everything that both Workers read, without deploying and without an account. */
import { parseArgs } from "node:util";
import { canonicalSettings, configVersion } from "../src/shared/config/version.ts";
import { realTimer } from "../src/shared/deadline.ts";
import { probeProvider, type ProbeDeps } from "./check-config/probe.ts";
import { probedProviders } from "./check-config/probed-providers.ts";
import { checkDeployment, checkLocalRun } from "./check-config/project.ts";
import { readTarget, TARGET_OPTIONS } from "./deploy/target.ts";
import { environmentOf } from "./deploy/check.ts";
import { readWorkers, type Target, type Workers } from "./deploy/worker-configs.ts";
import { argumentError, BAD_USAGE, sentenceOf } from "./local/start-failure.ts";
import { ROOT } from "./root.ts";

type Options = Target & { readonly probe: boolean };

const USAGE = `Usage: npm run -s check-config -- [--gateway-only] [--env <name>] [--probe]

Validates wrangler.toml and wrangler.records.toml, each with its local file (wrangler.local.toml,
wrangler.records.local.toml) over it; the client keys in client-keys.json; and the values that npm start would
use from .dev.vars and .dev.vars.records, where these files exist. Each issue is printed once. The exit code is 1 if there
is one. A variable or binding that nothing reads is a warning. Prints the version of the gateway's configuration, which
the records have as config_version.

  --gateway-only  for a deployment of the gateway alone
  --env <name>    for the Workers of \`npm run deploy -- --env <name>\`
  --probe         then calls each provider: whether it is reachable, and whether it accepts each of the gateway's keys. It gets
                  the list of models, which costs nothing. Secrets are those of .dev.vars. The exit code is 1 if a provider
                  cannot be reached or rejects a key; "cannot tell" is no failure.
`;

export async function main(args: readonly string[]): Promise<number> {
  const options = readArguments(args);
  if (options === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (typeof options === "string") {
    process.stderr.write(`${options} (See --help.)\n`);
    return BAD_USAGE;
  }
  try {
    const code = report(options, check(ROOT, options));
    if (code !== 0) return code;
    const workers = readWorkers(ROOT, options);
    await reportVersion(workers);
    return options.probe ? await probe(ROOT, workers, { fetch, after: realTimer }) : 0;
  } catch (error) {
    process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  }
}

type Result = {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly requiredSecrets: readonly string[];
};

/** The problems of the configurations in `folder`, each once. */
export function check(folder: string, target: Target): Result {
  const workers = readWorkers(folder, target);
  const deployed = checkDeployment(folder, workers);
  const { hasFiles, ...local } = checkLocalRun(folder, workers);
  return {
    // Without these files the secrets of a deployment are not here to be checked.
    problems: [...new Set([...deployed.problems, ...(hasFiles ? local.problems : [])])],
    warnings: [...deployed.warnings, ...local.warnings],
    requiredSecrets: deployed.requiredSecrets,
  };
}

function report({ gatewayOnly }: Target, { problems, warnings, requiredSecrets }: Result): number {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  for (const warning of warnings) process.stderr.write(`Warning: ${warning}\n`);
  if (problems.length > 0) return 1;
  for (const name of requiredSecrets)
    process.stdout.write(`To be stored as a secret of the gateway: ${name}.\n`);
  process.stdout.write(
    gatewayOnly ? "The gateway's configuration is valid.\n" : "Both configurations are valid.\n",
  );
  return 0;
}

/** One line for each provider and each key. @returns the exit code. */
export async function probe(
  folder: string,
  workers: Workers,
  deps: ProbeDeps,
  print: (line: string) => void = (line) => void process.stdout.write(`${line}\n`),
): Promise<number> {
  const probed = await Promise.all(
    probedProviders(folder, workers).map(async ({ name, provider }) =>
      typeof provider === "string"
        ? [{ provider: name, key: null, result: "unknown", says: `cannot tell: ${provider}` } as const]
        : probeProvider(provider, deps),
    ),
  );
  const findings = probed.flat();
  for (const { provider, key, says } of findings)
    print(`Provider ${provider}${key === null ? "" : `, key ${key},`} ${says}`);
  return findings.some(({ result }) => result === "failed") ? 1 : 0;
}

/** `config_version` of the records. Only a setting that is stored in the account alone makes another one. */
async function reportVersion({ gateway }: Workers): Promise<void> {
  const env = environmentOf(gateway);
  const version = await configVersion(canonicalSettings((name) => env[name]));
  process.stdout.write(`The gateway's configuration version: ${version}.\n`);
}

/** @returns the options; one sentence that says why the arguments are invalid; undefined for `--help`. */
function readArguments(args: readonly string[]): Options | string | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...TARGET_OPTIONS,
        probe: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const target = readTarget(values);
    if (values.help) return undefined;
    return typeof target === "string" ? target : { ...target, probe: values.probe };
  } catch (error) {
    return argumentError(error);
  }
}
