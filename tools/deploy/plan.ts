/** The steps of a deployment, in order. Each may be repeated without effect, so that a failed deployment is run again. */
import type { Account } from "./account.ts";
import { FILES, type Workers } from "./worker-configs.ts";

export type Step = {
  /** "Create the queue ai-events" */
  readonly title: string;
  /** Wrangler's arguments. */
  readonly args: readonly string[];
  /** "the queue ai-events was created" */
  readonly done: string;
  /** Whether wrangler's output is printed when it succeeds, too. */
  readonly showsOutput: boolean;
  /** A sentence about the state after this step, where it lasts until the records Worker is deployed. */
  readonly untilRecords?: string;
};

/**
 * The old consumer is removed before the migrations: its code may not fit the new columns. The queue keeps the events
 * until the records Worker consumes them. The gateway comes last: it cannot bind a Worker that does not exist.
 */
export function planSteps(account: Account, { gateway, records }: Workers): readonly Step[] {
  if (records === null) return [deploy("gateway", gateway.name, FILES.gateway)];
  return [
    ...account.queues.filter(({ exists }) => !exists).map(({ name }) => createQueue(name)),
    ...account.queues
      .filter(({ consumers }) => consumers.includes(gateway.name))
      .map(({ name }) => takeOver(name, gateway.name)),
    ...records.d1_databases.map(({ binding }) => migrate(binding)),
    deploy("records Worker", records.name, FILES.records),
    deploy("gateway", gateway.name, FILES.generated),
  ];
}

export const createQueue = (name: string): Step => ({
  title: `Create the queue ${name}`,
  args: ["queues", "create", name, "-c", FILES.records],
  done: `the queue ${name} was created`,
  showsOutput: false,
});

export const takeOver = (queue: string, script: string): Step => ({
  title: `Remove the old consumer ${script} from the queue ${queue}`,
  args: removeConsumer(queue, script),
  done: `the consumer ${script} was removed from the queue ${queue}`,
  showsOutput: false,
  untilRecords: `The queue ${queue} has no consumer now. It keeps the events, for four days by default, until the records Worker is deployed.`,
});

export const migrate = (binding: string): Step => ({
  title: `Apply the migrations of ${binding}`,
  args: ["d1", "migrations", "apply", binding, "--remote", "-c", FILES.records],
  done: `the migrations of ${binding} were applied`,
  showsOutput: false,
});

export const deploy = (what: string, name: string, file: string): Step => ({
  title: `Deploy the ${what} ${name}`,
  args: ["deploy", "-c", file],
  done: `the ${what} ${name} was deployed`,
  showsOutput: true,
});

export const removeConsumer = (queue: string, script: string): readonly string[] => [
  "queues",
  "consumer",
  "remove",
  queue,
  script,
  "-c",
  FILES.records,
];
