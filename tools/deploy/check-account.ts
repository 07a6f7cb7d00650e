/** Checks of the account: with any of these problems nothing is deployed. */
import { EVENT_MAC_KEY } from "../../src/shared/config/event-mac-keys.ts";
import { mayCreateDatabases, type Account, type QueueState } from "./account.ts";
import { requiredByRecords } from "./check.ts";
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
    .map((name) => `The gateway has no secret ${name}: set it with \`${putSecret(name, gateway)}\`.`);
  if (records === null) return secrets;
  const ofRecords = requiredByRecords(records)
    .filter((name) => !account.recordsSecrets?.includes(name))
    .map((name) => `The records Worker has no secret ${name}: set it with \`${putSecret(name, records)}\`.`);
  const consumed = new Set((records.queues.consumers ?? []).map(({ queue }) => queue));
  const queues = account.queues.filter(({ name }) => consumed.has(name));
  const mayCreate = mayCreateDatabases(account, gateway);
  return [
    ...secrets,
    ...ofRecords,
    ...macProblems(account, gateway, records),
    ...queues.flatMap((queue) => consumerProblems(queue, gateway, records)),
    ...records.d1_databases.flatMap((database) => databaseProblems(database, account, records, mayCreate)),
  ];
}

/** With its key and without the gateway's, the records Worker would keep every event apart from the ledger. */
function macProblems(
  { gatewaySecrets, recordsSecrets }: Account,
  gateway: WorkerConfig,
  { vars }: WorkerConfig,
): readonly string[] {
  const isRequired = recordsSecrets?.includes(EVENT_MAC_KEY) && vars["EVENT_MAC"] !== "accept";
  if (!isRequired || gatewaySecrets.includes(EVENT_MAC_KEY)) return [];
  return [
    `The records Worker has the secret ${EVENT_MAC_KEY}, so that it takes no event without a MAC, and the gateway does not: ` +
      `set the same value with \`${putSecret(EVENT_MAC_KEY, gateway)}\`.`,
  ];
}

/** The command by which an operator stores a secret. */
export const putSecret = (name: string, { args }: WorkerConfig): string =>
  commandLine(["secret", "put", name, ...args]);

/** The command that creates the token of the records API, of which ADMIN_TOKEN is the hash. */
export const createToken = ({ environment }: Workers): string =>
  `npm run -s keys -- admin${environment === null ? "" : ` --env ${environment}`}`;

/** A queue has at most one consumer. Only the gateway's own, from before there were two Workers, is removed unasked. */
function consumerProblems(
  { name, consumers, hasPullConsumer }: QueueState,
  gateway: WorkerConfig,
  records: WorkerConfig,
): readonly string[] {
  const others = consumers.filter((consumer) => consumer !== gateway.name && consumer !== records.name);
  const pull = commandLine(["queues", "consumer", "http", "remove", name]);
  return [
    ...others.map(
      (other) =>
        `The queue ${name} is consumed by the Worker ${other}. If it is an earlier deployment of this gateway, ` +
        `remove it with \`${commandLine(removeConsumer(name, other, records))}\`; otherwise choose another queue.`,
    ),
    ...(hasPullConsumer ? [`The queue ${name} has a pull consumer: remove it with \`${pull}\`.`] : []),
  ];
}

function databaseProblems(
  { database_id: id, database_name: name = id }: WorkerConfig["d1_databases"][number],
  { databases }: Account,
  { source }: WorkerConfig,
  mayCreate: boolean,
): readonly string[] {
  if (databases.some((one) => (id === undefined ? one.name === name : one.id === id))) return [];
  const missing = `The database ${id ?? name} of ${source} does not exist in this account`;
  if (id !== undefined) return [`${missing}: correct its database_id.`];
  if (mayCreate) return [];
  return [
    `${missing}, which has an earlier deployment: name the database of that deployment, or create a new one with ` +
      `\`npx wrangler d1 create ${name}\`. Its location (--location, --jurisdiction) cannot be changed later.`,
  ];
}
