/** The steps of a deployment, in order. Each may be repeated without effect, so that a failed deployment is run again. */
import { mayCreateDatabases, type Account } from "./account.ts";
import type { WorkerConfig, Workers } from "./worker-configs.ts";
import { commandLine } from "./wrangler-runner.ts";

export type Step = {
  /** "Create the queue ai-events" */
  readonly title: string;
  /** A sentence that an operator should read before the step. */
  readonly note?: string;
  /** Wrangler's arguments. */
  readonly args: readonly string[];
  /** "the queue ai-events was created" */
  readonly done: string;
  /** Whether wrangler's output is printed when it succeeds, too. */
  readonly showsOutput: boolean;
  /** A sentence about the state after this step, where it lasts until the records Worker is deployed. */
  readonly untilRecords?: string;
  /** Whether it deploys the records Worker. */
  readonly deploysRecords?: true;
  /** How to undo this step and the later ones, where `wrangler rollback` without a version's id would not. */
  readonly rollback?: string;
};

/**
 * Queues and databases that are missing are created first: a failure there leaves the old consumer attached. The consumer
 * is removed before the migrations: its code may not fit the new columns. The queue keeps the events until the records
 * Worker consumes them. The gateway is deployed after the records Worker: it cannot bind a Worker that does not exist. For the
 * same reason, a records Worker with a binding to the gateway is first deployed without it. It is deployed again with the
 * binding once the gateway has the entrypoint.
 */
export function planSteps(account: Account, workers: Workers): readonly Step[] {
  const { gateway, records } = workers;
  const deployGateway = deploy("gateway", gateway);
  const unboundArgs = account.recordsBindsGateway ? null : (records?.unboundArgs ?? null);
  if (records === null) return [deployGateway];
  return [
    ...account.queues.filter(({ exists }) => !exists).map(({ name }) => createQueue(name, records)),
    ...missingDatabases(account, workers).map((name) => createDatabase(name, records)),
    ...account.queues
      .filter(({ consumers }) => consumers.includes(gateway.name))
      .map(({ name }) => takeOver(name, gateway, records)),
    ...records.d1_databases.map(({ binding }) => migrate(binding, records)),
    {
      ...deploy("records Worker", { ...records, args: unboundArgs ?? records.args }),
      deploysRecords: true,
      ...(unboundArgs !== null && account.recordsVersion !== null
        ? { rollback: rollbackNote(account.recordsVersion, records) }
        : {}),
    },
    deployGateway,
    ...(unboundArgs === null ? [] : [bindGateway(records)]),
  ];
}

/** Only on a first deployment: later, a name that is not found is more likely a mistake, and would split the ledger. */
function missingDatabases(account: Account, { gateway, records }: Workers): readonly string[] {
  if (!mayCreateDatabases(account, gateway)) return [];
  return (records?.d1_databases ?? []).flatMap(({ database_id: id, database_name: name }) =>
    id === undefined && name !== undefined && !account.databases.some((one) => one.name === name)
      ? [name]
      : [],
  );
}

const createQueue = (name: string, { args }: WorkerConfig): Step => ({
  title: `Create the queue ${name}`,
  args: ["queues", "create", name, ...args],
  done: `the queue ${name} was created`,
  showsOutput: false,
});

const createDatabase = (name: string, { args }: WorkerConfig): Step => ({
  title: `Create the database ${name}`,
  note: "Its location cannot be changed later. To choose it, run this first, with --location or --jurisdiction.",
  // Wrangler would offer to write the id into the configuration, which names the database already.
  args: ["d1", "create", name, ...args, "--update-config=false"],
  done: `the database ${name} was created`,
  showsOutput: false,
});

const takeOver = (queue: string, { name }: WorkerConfig, records: WorkerConfig): Step => ({
  title: `Remove the old consumer ${name} from the queue ${queue}`,
  args: removeConsumer(queue, name, records),
  done: `the consumer ${name} was removed from the queue ${queue}`,
  showsOutput: false,
  untilRecords: `The queue ${queue} has no consumer now. It keeps the events, for four days by default, until the records Worker is deployed.`,
});

const migrate = (binding: string, { args }: WorkerConfig): Step => ({
  title: `Apply the migrations of ${binding}`,
  args: ["d1", "migrations", "apply", binding, "--remote", ...args],
  done: `the migrations of ${binding} were applied`,
  showsOutput: false,
});

const deploy = (what: string, { name, args }: Pick<WorkerConfig, "name" | "args">): Step => ({
  title: `Deploy the ${what} ${name}`,
  args: ["deploy", ...args],
  done: `the ${what} ${name} was deployed`,
  showsOutput: true,
});

const bindGateway = ({ name, args }: WorkerConfig): Step => ({
  title: `Deploy the records Worker ${name} again, with its binding to the gateway`,
  args: ["deploy", ...args],
  done: `the records Worker ${name} was bound to the gateway`,
  showsOutput: true,
});

/** Wrangler's default is the version of the deployment before the last one: here the new code without the binding. */
const rollbackNote = (version: string, { args }: WorkerConfig): string =>
  `The version of the records Worker from before this deployment is ${version}. To roll back to it, name it: \`${commandLine(["rollback", version, ...args])}\`. Without the id, wrangler may choose the new code without its binding to the gateway.`;

export const removeConsumer = (queue: string, script: string, { args }: WorkerConfig): readonly string[] => [
  "queues",
  "consumer",
  "remove",
  queue,
  script,
  ...args,
];
