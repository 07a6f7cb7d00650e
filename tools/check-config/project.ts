/** Checks of everything that a deployment or a local run reads, without an account: one sentence for each problem. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inspectConfig as inspectGateway } from "../../src/gateway/config/config.ts";
import { registry } from "../../src/gateway/wiring.ts";
import { inspectConfig as inspectRecords } from "../../src/records/config/config.ts";
import type { Env } from "../../src/shared/config/environment.ts";
import { checkWorkers, environmentOf, type Check } from "../deploy/check.ts";
import type { Workers } from "../deploy/worker-configs.ts";
import { checkDevVars, chooseSetup, readDevVarsFiles } from "../local/dev-vars.ts";
import { sentenceOf } from "../local/start-failure.ts";
import { localKeyEntries } from "../local-keys.ts";

export type ProjectCheck = Check & {
  /** One sentence for each name that no Worker reads. It may be a leftover, so that it stops nothing. */
  readonly warnings: readonly string[];
};

type Inspected = ReturnType<typeof inspectGateway> | ReturnType<typeof inspectRecords>;

const inspectGatewayEnv = (env: Env): Inspected => inspectGateway(env, registry);

/** Checks both configurations, and the client keys in `client-keys.json`. `npm run deploy` runs it first. */
export function checkDeployment(folder: string, workers: Workers): ProjectCheck {
  const { problems, requiredSecrets } = checkWorkers(workers);
  const { gateway, records } = workers;
  const warnings = [
    ...unreadWarnings(gateway.source, inspectGatewayEnv(environmentOf(gateway))),
    ...(records === null ? [] : unreadWarnings(records.source, inspectRecords(environmentOf(records)))),
  ];
  return { problems: [...problems, ...checkClientKeys(folder)], requiredSecrets, warnings };
}

/** The problems that `npm start` would have, and the names in `.dev.vars` and `.dev.vars.records` that nothing reads. */
export function checkLocalRun(folder: string, { gateway, records }: Workers): LocalCheck {
  const files = readDevVarsFiles(folder);
  const hasFiles = Object.keys({ ...files.gateway, ...files.records }).length > 0;
  try {
    checkDevVars(files);
    const { vars } = chooseSetup(files, "http://127.0.0.1:8788");
    const checks = [
      checkLocalWorker([gateway.source, ".dev.vars"], {
        inspect: inspectGatewayEnv,
        deployed: environmentOf(gateway),
        chosen: vars.gateway,
        file: files.gateway,
      }),
      ...(records === null
        ? []
        : [
            checkLocalWorker([records.source, ".dev.vars.records"], {
              inspect: inspectRecords,
              deployed: environmentOf(records),
              chosen: vars.records,
              file: files.records,
            }),
          ]),
    ];
    const [problems, warnings] = [
      checks.flatMap((one) => one.problems),
      checks.flatMap((one) => one.warnings),
    ];
    return { problems, warnings, hasFiles };
  } catch (error) {
    return { problems: [sentenceOf(error)], warnings: [], hasFiles };
  }
}

export type LocalCheck = Pick<ProjectCheck, "problems" | "warnings"> & {
  /** Whether one of the files sets a variable. */
  readonly hasFiles: boolean;
};

type LocalWorker = {
  readonly inspect: (env: Env) => Inspected;
  readonly deployed: Env;
  /** The variables that `npm start` chooses. */
  readonly chosen: Env;
  /** Those of the file, which override them. */
  readonly file: Env;
};

function checkLocalWorker(
  [config, file]: readonly [config: string, file: string],
  { inspect, deployed, chosen, file: values }: LocalWorker,
): Pick<ProjectCheck, "problems" | "warnings"> {
  const local = inspect({ ...deployed, ...chosen, ...values });
  const isOfFile = (issue: string): boolean =>
    issue.includes("names it as a secret") ||
    issue
      .slice(0, issue.indexOf(" "))
      .split(/[.[\]]/)
      .some((name) => Object.hasOwn(values, name));
  const unread = local.unread.filter((name) => Object.hasOwn(values, name));
  return {
    problems: issuesOf(local).map((issue) => `${isOfFile(issue) ? file : config}: ${issue}.`),
    warnings: unreadWarnings(file, { ...local, unread }),
  };
}

const issuesOf = ({ config }: Inspected): readonly string[] => ("issues" in config ? config.issues : []);

/** None beside issues: a table that cannot be read names no secrets, which would then count as unread. */
const unreadWarnings = (file: string, inspected: Inspected): string[] =>
  issuesOf(inspected).length > 0
    ? []
    : inspected.unread.map((name) => `${file}: nothing reads ${name}; correct its name or remove it.`);

const CLIENT_KEYS_FILE = "client-keys.json";

/** The file from which docs/deploy.md sets the secret CLIENT_KEYS. It may be missing. */
function checkClientKeys(folder: string): string[] {
  const text = readIfPresent(join(folder, CLIENT_KEYS_FILE));
  if (text === null) return [];
  const published = localKeyEntries().filter(({ sha256 }) => text.includes(sha256));
  const { config } = inspectGatewayEnv({ IDENTITY: [{ source: "keys" }], CLIENT_KEYS: text });
  const issues = "issues" in config ? config.issues : [];
  return [
    ...issues.flatMap((issue) => /^(?:IDENTITY\[0\]\.)?(CLIENT_KEYS.*)$/.exec(issue)?.[1] ?? []),
    ...published.map(
      ({ actor }) => `CLIENT_KEYS must not have the key of ${actor} for local runs, which is published`,
    ),
  ].map((issue) => `${CLIENT_KEYS_FILE}: ${issue}.`);
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
