/** Checks of both configurations that need no account: each Worker's own validation, and the names that they share. */
import { readConfig as readGatewayConfig } from "../../src/gateway/config/config.ts";
import { registry } from "../../src/gateway/wiring.ts";
import { readConfig as readRecordsConfig } from "../../src/records/config/config.ts";
import { isDeadLetterQueue } from "../../src/records/ledger/write/dead-letter.ts";
import { checkNamespaces, checkSizes } from "./check-values.ts";
import { consoleOrigins, GATEWAY_BINDING, GATEWAY_ENTRYPOINT } from "./gateway-binding.ts";
import { hostOf, hostsOf, matchesHost, patternOf } from "./hosts.ts";
import type { WorkerConfig, Workers } from "./worker-configs.ts";

export type Check = {
  /** One sentence for each problem. With any of them nothing is deployed. */
  readonly problems: readonly string[];
  /** The secrets that the gateway's configuration names. Without one of them it rejects every request. */
  readonly requiredSecrets: readonly string[];
};

/** The secrets that the records Worker's configuration names. */
export const requiredByRecords = (records: WorkerConfig): readonly string[] =>
  missingSecrets(issuesOf(readRecordsConfig(environmentOf(records))));

/** How `secret()` of src/shared/config/environment.ts reports a secret that is not set. */
const MISSING_SECRET = /^(\w+) is required: the configuration names it as a secret$/;

const missingSecrets = (issues: readonly string[]): readonly string[] =>
  issues.flatMap((issue) => MISSING_SECRET.exec(issue)?.[1] ?? []);

export function checkWorkers({ gateway, records }: Workers): Check {
  const issues = issuesOf(readGatewayConfig(environmentOf(gateway), registry));
  const requiredSecrets = missingSecrets(issues);
  const problems = [
    ...issues.filter((issue) => !MISSING_SECRET.test(issue)).map((issue) => `${gateway.source}: ${issue}.`),
    ...checkGatewayTriggers(gateway),
    ...checkHosts(gateway),
    ...checkSizes(gateway),
    ...checkNamespaces(gateway),
    ...(records === null
      ? []
      : [
          ...checkRecords(records),
          ...checkDeadLetters(records),
          ...checkSizes(records),
          ...checkNames(gateway, records),
          ...checkConsole(gateway, records),
        ]),
  ];
  return { problems, requiredSecrets: [...new Set(requiredSecrets)] };
}

/** The host name of the template (wrangler.local.example.toml), which belongs to no account. */
const checkHosts = ({ source, routes }: WorkerConfig): string[] =>
  (routes ?? [])
    .map(patternOf)
    .filter((pattern) => pattern.includes("your-company.com"))
    .map((pattern) => `${source}: routes must name a host of your own, not ${pattern}.`);

/**
 * The gateway's hosts carry providers' responses: a script in one would act as the person who is signed in to the console. A route of
 * the records Worker for all paths of one host precedes the gateway's wildcard, so that the gateway has nothing on that host.
 * https://developers.cloudflare.com/workers/configuration/routing/routes/#matching-behavior
 */
function checkConsole(gateway: WorkerConfig, records: WorkerConfig): string[] {
  const own = new Set([...(records.routes ?? []).map(wholeHostOf), `${records.name}.workers.dev`]);
  return consoleHosts(records).flatMap((host) => {
    const patterns = hostsOf(gateway).filter((one) => matchesHost(one, host));
    const isOwn = own.has(host) || own.has(host.replace(/\.[^.]+(?=\.workers\.dev$)/, ""));
    // A route of the gateway that names the host is more specific than one for all of its paths, wildcards are less so.
    const pattern = patterns.find((one) => one === host) ?? (isOwn ? undefined : patterns[0]);
    if (pattern === undefined) return [];
    const by = pattern === host ? "" : `, which ${pattern} includes`;
    return `${records.source}: CONSOLE.origins must not have the gateway's host ${host}${by}.`;
  });
}

/** The host whose requests all go to this route; null for a custom domain, which any matching route precedes. */
function wholeHostOf(route: NonNullable<WorkerConfig["routes"]>[number]): string | null {
  if (typeof route !== "string" && "custom_domain" in route && route.custom_domain) return null;
  return patternOf(route).replace(/^https?:\/\//, "") === `${hostOf(route)}/*` ? hostOf(route) : null;
}

const consoleHosts = ({ vars }: WorkerConfig): readonly string[] =>
  consoleOrigins(vars).flatMap((origin) => (URL.canParse(origin) ? [new URL(origin).hostname] : []));

const issuesOf = (config: object): readonly string[] =>
  "issues" in config ? (config.issues as readonly string[]) : [];

/** The methods by which the configurations recognize each kind of binding. */
const KINDS = {
  analytics_engine_datasets: ["writeDataPoint"],
  d1_databases: ["prepare", "batch"],
  kv_namespaces: ["get", "getWithMetadata", "put"],
  r2_buckets: ["createMultipartUpload", "put"],
  secrets_store_secrets: ["get"],
  services: ["fetch"],
} as const;

/** Without a prototype: a plain object counts as a table of the configuration. */
function stub(methods: readonly string[]): object {
  const binding: Record<string, () => void> = Object.create(null);
  for (const method of methods) binding[method] = () => undefined;
  return binding;
}

/** The environment that the Worker will see, without its secrets. */
export function environmentOf(config: WorkerConfig): Record<string, unknown> {
  const kinds = Object.entries(KINDS) as [keyof typeof KINDS, readonly string[]][];
  return {
    ...config.vars,
    ...Object.fromEntries(
      kinds.flatMap(([kind, methods]) => (config[kind] ?? []).map(({ binding }) => [binding, stub(methods)])),
    ),
    ...Object.fromEntries(
      config.durable_objects.bindings.map(({ name }) => [name, stub(["idFromName", "get"])]),
    ),
    ...Object.fromEntries(
      (config.queues.producers ?? []).map(({ binding }) => [binding, stub(["send", "sendBatch"])]),
    ),
  };
}

/** The gateway has no handler for queues and schedules; a file from before the split gives it both. */
function checkGatewayTriggers({ queues, triggers, source }: WorkerConfig): string[] {
  const moved = "must be moved to wrangler.records.toml: the records Worker handles it.";
  return [
    ...(queues.consumers?.length ? [`${source}: [[queues.consumers]] ${moved}`] : []),
    ...(triggers.crons?.length ? [`${source}: triggers.crons must be empty; it ${moved}`] : []),
  ];
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function checkRecords(records: WorkerConfig): string[] {
  const all = issuesOf(readRecordsConfig(environmentOf(records)));
  const issues = all.filter((issue) => !MISSING_SECRET.test(issue));
  const databases = records.d1_databases.flatMap(({ binding, database_id: id, database_name: name }) => {
    if (id !== undefined && !UUID.test(id))
      return `the database_id of ${binding} must be the UUID that \`npx wrangler d1 create\` printed.`;
    return id === undefined && name === undefined
      ? `${binding} must have a database_name or a database_id.`
      : [];
  });
  return [...issues.map((issue) => `${issue}.`), ...databases].map((text) => `${records.source}: ${text}`);
}

/** Without a consumer, a dead-letter queue loses its messages after four days. Unrecognized, it loses them after its retries. */
function checkDeadLetters({ queues, vars, source }: WorkerConfig): string[] {
  const consumers = queues.consumers ?? [];
  const consumed = new Set(consumers.map(({ queue }) => queue));
  const named = vars["DEAD_LETTER_QUEUE"] === undefined ? null : String(vars["DEAD_LETTER_QUEUE"]);
  // A further queue behind a dead-letter queue is the operator's own.
  const ofEvents = consumers.filter(({ queue }) => !isDeadLetterQueue(queue, named));
  const deadLetters = new Set(ofEvents.flatMap(({ dead_letter_queue }) => dead_letter_queue ?? []));
  return [...deadLetters].flatMap((queue) => [
    ...(consumed.has(queue) ? [] : [`${source} must consume the dead-letter queue "${queue}".`]),
    ...(isDeadLetterQueue(queue, named)
      ? []
      : [`${source}: DEAD_LETTER_QUEUE must be "${queue}", so that the Worker recognizes that queue.`]),
  ]);
}

function checkNames(gateway: WorkerConfig, records: WorkerConfig): string[] {
  const problems: string[] = [];
  if (gateway.name === records.name)
    problems.push(`${records.source}: name must differ from the gateway's, "${gateway.name}".`);
  const consumed = (records.queues.consumers ?? []).map(({ queue }) => queue);
  const sent = (gateway.queues.producers ?? []).filter(({ binding }) => binding === "EVENTS");
  for (const { queue } of sent) {
    if (queue === undefined) problems.push(`${gateway.source}: EVENTS must name its queue.`);
    else if (!consumed.includes(queue))
      problems.push(
        `${records.source} must consume the queue "${queue}", to which EVENTS in ${gateway.source} sends; ` +
          `it consumes ${consumed.map((name) => `"${name}"`).join(", ") || "no queue"}.`,
      );
  }
  const services = (gateway.services ?? [])
    .filter(({ binding }) => binding === "RECORDS")
    .map(({ service }) => service);
  const scripts = gateway.durable_objects.bindings
    .flatMap(({ script_name }) => script_name ?? [])
    .filter((name) => name !== gateway.name);
  // A gateway that is bound to itself would forward API requests to itself for ever.
  for (const name of new Set([...services, ...scripts])) {
    if (name !== records.name)
      problems.push(
        `${gateway.source} binds the Worker "${name}", but the name in ${records.source} is "${records.name}".`,
      );
  }
  const back = (records.services ?? []).find(({ binding }) => binding === GATEWAY_BINDING);
  if (back && (back.service !== gateway.name || back.entrypoint !== GATEWAY_ENTRYPOINT))
    problems.push(
      `${records.source}: the binding ${GATEWAY_BINDING} must have service = "${gateway.name}" and entrypoint = "${GATEWAY_ENTRYPOINT}", or be left out.`,
    );
  if (sent.length === 0 && services.length === 0)
    problems.push(`${gateway.source}: the records block must bind EVENTS or RECORDS.`);
  // Without a queue, events go to the records Worker by RPC, which writes into the database only.
  if (sent.length === 0 && !records.d1_databases.some(({ binding }) => binding === "LEDGER"))
    problems.push(`${records.source} must bind LEDGER, because ${gateway.source} binds no EVENTS.`);
  return problems;
}
