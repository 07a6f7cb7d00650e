/** `--dry-run`: bundles the Workers without an account, and describes the rest. */
import { queueNames } from "./account.ts";
import { createQueue, deploy, migrate, takeOver, type Step } from "./plan.ts";
import { FILES, type Workers } from "./worker-configs.ts";
import { commandLine } from "./wrangler-runner.ts";

/** Bundles the Workers without uploading them. */
export function dryRunSteps({ gateway, records }: Workers): readonly Step[] {
  if (records === null) return [bundle("gateway", gateway.name, FILES.gateway)];
  return [
    bundle("records Worker", records.name, FILES.records),
    bundle("gateway", gateway.name, FILES.generated),
  ];
}

const bundle = (what: string, name: string, file: string): Step => ({
  title: `Bundle the ${what} ${name}`,
  args: ["deploy", "--dry-run", "-c", file],
  done: `the ${what} ${name} was bundled`,
  showsOutput: true,
});

/** The steps of a deployment, as far as the configuration alone determines them. */
export function describeRest({ gateway, records }: Workers, requiredSecrets: readonly string[]): string {
  const secrets = requiredSecrets.map((name) => `  Require the gateway's secret ${name}`);
  const consumed = records?.queues.consumers ?? [];
  const preparation =
    records === null
      ? []
      : [
          ...queueNames(gateway, records).map((name) => describe(createQueue(name), ", if it is missing")),
          ...consumed.map(({ queue }) => describe(takeOver(queue, gateway.name), ", if it is attached")),
          ...records.d1_databases.map(({ binding }) => describe(migrate(binding))),
          describe(deploy("records Worker", records.name, FILES.records)),
        ];
  const last = describe(deploy("gateway", gateway.name, records ? FILES.generated : FILES.gateway));
  return ["Nothing was deployed. Without --dry-run, the command would:"]
    .concat(secrets, preparation, last)
    .join("\n");
}

const describe = ({ title, args }: Step, condition = ""): string =>
  `  ${title}${condition}: ${commandLine(args)}`;
