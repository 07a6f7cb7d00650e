/** Warnings about a configuration that deploys, but may not do all that the operator expects. */
import type { Account } from "./account.ts";
import type { WorkerConfig, Workers } from "./worker-configs.ts";

/** One sentence or two each; those about secrets only where the account was read. */
export function warningsFor({ gateway, records }: Workers, account: Account | null): string[] {
  return [
    ...routeWarnings(gateway),
    ...(records === null ? aloneWarnings() : archiveWarnings(gateway, records)),
    ...(account === null || records === null ? [] : secretWarnings(account)),
  ];
}

const routeWarnings = ({ routes, workers_dev }: WorkerConfig): string[] =>
  routes?.length || workers_dev
    ? []
    : [
        "wrangler.toml has no routes and workers_dev is false: no client can reach the gateway, unless a route was added in the dashboard.",
      ];

const aloneWarnings = (): string[] => [
  "The gateway alone has no queue and no records Worker: events go to log lines and Analytics Engine only.",
];

function archiveWarnings(gateway: WorkerConfig, records: WorkerConfig): string[] {
  const hasArchive = records.r2_buckets.some(({ binding }) => binding === "ARCHIVE");
  if (!hasArchive || recordsAllEvents(gateway.vars["RECORDING"])) return [];
  return [
    "ARCHIVE is bound to the records Worker, but RECORDING.all_events is not true on the gateway: " +
      "the archive receives no passthrough and refusal events.",
  ];
}

/** Reads a table, or the same as JSON. The gateway's own validation has accepted it before. */
function recordsAllEvents(recording: unknown): boolean {
  const table: unknown = typeof recording === "string" ? JSON.parse(recording) : recording;
  return String((table as { readonly all_events?: unknown } | undefined)?.all_events) === "true";
}

const NEW_TOKEN = "`npm run -s keys -- admin` creates a token and prints the command that stores it";

function secretWarnings({ gatewaySecrets, recordsSecrets }: Account): string[] {
  const leftover = gatewaySecrets.includes("ADMIN_TOKEN");
  return [
    ...(recordsSecrets.includes("ADMIN_TOKEN")
      ? []
      : [
          "The records Worker has no ADMIN_TOKEN, so that its API rejects every request: set it with " +
            `\`npx wrangler secret put ADMIN_TOKEN -c wrangler.records.toml\` (${NEW_TOKEN}).`,
        ]),
    ...(leftover
      ? [
          "The gateway still has the secret ADMIN_TOKEN, which only the records Worker reads: remove it with " +
            "`npx wrangler secret delete ADMIN_TOKEN`.",
        ]
      : []),
  ];
}
