/** Checks of the account: with any of these problems nothing is deployed. */
import type { Account, QueueState } from "./account.ts";
import { removeConsumer } from "./plan.ts";
import type { WorkerConfig, Workers } from "./worker-configs.ts";
import { commandLine } from "./wrangler-runner.ts";

export function checkAccount(
  account: Account,
  { gateway, records }: Workers,
  requiredSecrets: readonly string[],
): readonly string[] {
  const secrets = requiredSecrets
    .filter((name) => !account.gatewaySecrets.includes(name))
    .map((name) => `The gateway has no secret ${name}: set it with \`npx wrangler secret put ${name}\`.`);
  if (records === null) return secrets;
  const consumed = new Set((records.queues.consumers ?? []).map(({ queue }) => queue));
  const queues = account.queues.filter(({ name }) => consumed.has(name));
  const workers = [gateway.name, records.name];
  return [
    ...secrets,
    ...queues.flatMap((queue) => consumerProblems(queue, workers)),
    ...records.d1_databases.flatMap((database) => databaseProblems(database, account)),
  ];
}

/** A queue has at most one consumer. Only the gateway's own, from before there were two Workers, is removed unasked. */
function consumerProblems(
  { name, consumers, hasPullConsumer }: QueueState,
  workers: readonly string[],
): readonly string[] {
  const others = consumers.filter((consumer) => !workers.includes(consumer));
  const pull = commandLine(["queues", "consumer", "http", "remove", name]);
  return [
    ...others.map(
      (other) =>
        `The queue ${name} is consumed by the Worker ${other}. If it is an earlier deployment of this gateway, ` +
        `remove it with \`${commandLine(removeConsumer(name, other))}\`; otherwise choose another queue.`,
    ),
    ...(hasPullConsumer ? [`The queue ${name} has a pull consumer: remove it with \`${pull}\`.`] : []),
  ];
}

function databaseProblems(
  { database_id: id, database_name: name = id }: WorkerConfig["d1_databases"][number],
  { databases }: Account,
): readonly string[] {
  if (databases.some((one) => (id === undefined ? one.name === name : one.id === id))) return [];
  const missing = `The database ${id ?? name} of wrangler.records.toml does not exist in this account`;
  if (id !== undefined) return [`${missing}: correct its database_id.`];
  return [
    `${missing}: create it with \`npx wrangler d1 create ${name}\`. ` +
      "Its location (--location, --jurisdiction) cannot be changed later.",
  ];
}
