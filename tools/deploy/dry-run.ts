/** `--dry-run`: bundles the Workers without an account, and prints the commands of a deployment. */
import { EMPTY, queueNames, type Account, type QueueState } from "./account.ts";
import { createToken } from "./check-account.ts";
import { planSteps, type Step } from "./plan.ts";
import type { WorkerConfig, Workers } from "./worker-configs.ts";
import { commandLine } from "./wrangler-runner.ts";

/** Bundles the Workers without uploading them. */
export function dryRunSteps({ gateway, records }: Workers): readonly Step[] {
  return [...(records === null ? [] : [bundle("records Worker", records)]), bundle("gateway", gateway)];
}

const bundle = (what: string, { name, args }: WorkerConfig): Step => ({
  title: `Bundle the ${what} ${name}`,
  args: ["deploy", "--dry-run", ...args],
  done: `the ${what} ${name} was bundled`,
  showsOutput: true,
});

type Command = Pick<Step, "title" | "note" | "args">;

/** The commands in each situation, one a line, as a shell takes them. */
export function describeCommands(workers: Workers, requiredSecrets: readonly string[]): string {
  const { gateway, records } = workers;
  const store = requiredSecrets.map((name) => storeSecret(name, "gateway", gateway));
  const alone = planSteps(EMPTY, workers);
  const situations: readonly (readonly [title: string, commands: readonly Command[]])[] =
    records === null
      ? [["The gateway alone", [...store, ...alone]]]
      : [
          [EMPTY_ACCOUNT, onEmptyAccount(workers, records, store)],
          ["Upgrading a deployment from before there were two Workers", upgrade(workers, records)],
          ["Later deployments", planSteps(deployedAccount(workers, records), workers)],
        ];
  const blocks = [...situations, ["Rolling back the last deployment", rollback(workers)] as const];
  return [INTRODUCTION, ...blocks.map(([title, commands]) => `${title}:\n\n${listed(commands)}`)].join(
    "\n\n",
  );
}

const EMPTY_ACCOUNT = "On an empty account (with the plan Workers Paid, and Analytics Engine enabled)";

const INTRODUCTION = `Nothing was deployed. Without --dry-run, the command reads the account and runs those of these commands that
apply, in this order. It stores and deletes no secrets, and rolls nothing back.`;

const listed = (commands: readonly Command[]): string =>
  commands
    .map(({ title, note, args }) => `  # ${title}${note ? `. ${note}` : ""}\n  ${commandLine(args)}`)
    .join("\n");

function onEmptyAccount(
  workers: Workers,
  records: WorkerConfig,
  store: readonly Command[],
): readonly Command[] {
  const queues = queueNames(workers.gateway, records).map((name) => queueState(name, false));
  return [...store, ...planSteps({ ...EMPTY, queues }, workers), storeAdminToken(workers, records)];
}

/** One Worker consumed the queue to which the gateway sends now. Other queues, such as a dead-letter queue, are new. */
function upgrade(workers: Workers, records: WorkerConfig): readonly Command[] {
  const { gateway } = workers;
  const existing = new Set((gateway.queues.producers ?? []).map(({ queue }) => queue));
  const queues = queueNames(gateway, records).map((name) =>
    queueState(name, existing.has(name), existing.has(name) ? [gateway.name] : []),
  );
  const account = { ...deployedAccount(workers, records), recordsBindsGateway: false, queues };
  const deleteToken = {
    title: "Delete the gateway's secret ADMIN_TOKEN, which the records Worker has now",
    args: ["secret", "delete", "ADMIN_TOKEN", ...gateway.args],
  };
  return [...planSteps(account, workers), storeAdminToken(workers, records), deleteToken];
}

function deployedAccount({ gateway }: Workers, records: WorkerConfig): Account {
  const queues = queueNames(gateway, records).map((name) => queueState(name, true));
  return { ...EMPTY, recordsSecrets: ["ADMIN_TOKEN"], recordsBindsGateway: true, queues };
}

const queueState = (name: string, exists: boolean, consumers: readonly string[] = []): QueueState => ({
  name,
  exists,
  consumers,
  hasPullConsumer: false,
});

/** The gateway first: an older records Worker may not know what a newer gateway sends. */
const rollback = ({ gateway, records }: Workers): readonly Command[] =>
  [
    { what: "gateway", worker: gateway },
    ...(records === null ? [] : [{ what: "records Worker", worker: records, note: rollbackNote(records) }]),
  ].map(({ what, worker, ...rest }) => ({
    title: `Roll back the ${what} ${worker.name}`,
    args: ["rollback", ...worker.args],
    ...rest,
  }));

const rollbackNote = ({ unboundArgs }: WorkerConfig): string =>
  unboundArgs === null ? WAIT_FOR_QUEUE : `${WAIT_FOR_QUEUE}. ${NAME_VERSION}`;

const NAME_VERSION =
  "After a deployment that deployed it twice, add the version's id, which that deployment printed";

/** A records Worker from before version 0.1.0 acknowledges such messages without storing them. */
const WAIT_FOR_QUEUE =
  "Wait until the queue is empty: an older version may lose messages of the newer gateway";

const storeSecret = (name: string, what: string, { args }: WorkerConfig): Command => ({
  title: `Store the ${what}'s secret ${name}`,
  args: ["secret", "put", name, ...args],
});

const storeAdminToken = (workers: Workers, records: WorkerConfig): Command => ({
  ...storeSecret("ADMIN_TOKEN", "records Worker", records),
  note: `Its value: ${createToken(workers)}`,
});
