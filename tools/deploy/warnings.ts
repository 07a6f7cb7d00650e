/** Warnings about a configuration that deploys, but may not do all that the operator expects. */
import { EVENT_MAC_KEY } from "../../src/shared/config/event-mac-keys.ts";
import type { Account } from "./account.ts";
import { createToken, putSecret } from "./check-account.ts";
import type { WorkerConfig, Workers } from "./worker-configs.ts";
import { commandLine } from "./wrangler-runner.ts";

/** One sentence or two each; those about secrets only where the account was read. */
export function warningsFor(workers: Workers, account: Account | null): string[] {
  const { gateway, records } = workers;
  return [
    ...routeWarnings(gateway),
    ...(records === null ? aloneWarnings() : archiveWarnings(gateway, records)),
    ...(account === null || records === null ? [] : secretWarnings(account, workers, records)),
  ];
}

const routeWarnings = ({ routes, workers_dev, source }: WorkerConfig): string[] =>
  routes?.length || workers_dev
    ? []
    : [
        `${source} has no routes and workers_dev is false: no client can reach the gateway, unless a route was added in the dashboard.`,
      ];

const aloneWarnings = (): string[] => [
  "The gateway alone has no queue and no records Worker: events go to log lines and Analytics Engine only.",
];

function archiveWarnings(gateway: WorkerConfig, records: WorkerConfig): string[] {
  const hasArchive = records.r2_buckets.some(({ binding }) => binding === "ARCHIVE");
  if (!hasArchive || recordsAllEvents(gateway.vars["RECORDING"])) return [];
  return [
    "ARCHIVE is bound to the records Worker, but RECORDING.all_events is not true on the gateway: " +
      "the archive receives, of the refusals without a verified actor, only the first ones of a minute.",
  ];
}

/** Reads a table, or the same as JSON. The gateway's own validation has accepted it before. */
function recordsAllEvents(recording: unknown): boolean {
  const table: unknown = typeof recording === "string" ? JSON.parse(recording) : recording;
  return String((table as { readonly all_events?: unknown } | undefined)?.all_events) === "true";
}

function macWarnings(
  ofGateway: readonly string[],
  ofRecords: readonly string[],
  records: WorkerConfig,
): string[] {
  if (ofRecords.includes(EVENT_MAC_KEY)) return [];
  const without = `The records Worker has no ${EVENT_MAC_KEY}: it cannot tell the gateway's events from those of another writer of the queue.`;
  return [
    ofGateway.includes(EVENT_MAC_KEY)
      ? `${without} The gateway has the key: set the same value with \`${putSecret(EVENT_MAC_KEY, records)}\`.`
      : `${without} docs/deploy.md says how to add it.`,
  ];
}

function secretWarnings(
  { gatewaySecrets, recordsSecrets }: Account,
  workers: Workers,
  records: WorkerConfig,
): string[] {
  const leftover = gatewaySecrets.includes("ADMIN_TOKEN");
  const deletion = commandLine(["secret", "delete", "ADMIN_TOKEN", ...workers.gateway.args]);
  return [
    ...(recordsSecrets?.includes("ADMIN_TOKEN")
      ? []
      : [
          "The records Worker has no ADMIN_TOKEN, so that its API rejects every request: set it with " +
            `\`${putSecret("ADMIN_TOKEN", records)}\` (\`${createToken(workers)}\` creates a token and prints its hash).`,
        ]),
    ...macWarnings(gatewaySecrets, recordsSecrets ?? [], records),
    ...(leftover
      ? [
          "The gateway still has the secret ADMIN_TOKEN, which only the records Worker reads: remove it with " +
            `\`${deletion}\`.`,
        ]
      : []),
  ];
}
