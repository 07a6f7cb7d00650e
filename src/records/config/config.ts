/** Validates the records Worker's environment. Keys and defaults: docs/reference.md. */
import {
  readEnvironment,
  type ConfigIssues,
  type Env,
  type Environment,
} from "../../shared/config/environment.ts";
import { EVENT_MAC_KEY, readEventMacKeys } from "../../shared/config/event-mac-keys.ts";
import { oneOfIssue, type ReportIssue } from "../../shared/config/fields.ts";
import type { Retention } from "../ledger/maintain/retention.ts";
import type { Gateway } from "../api/forward.ts";
import type { Assets } from "../console/pages.ts";
import type { ConsoleSettings } from "../console/settings.ts";
import type { BudgetObjects } from "../objects/deliver-charges.ts";
import { readConsole } from "./console.ts";
import { readRetention } from "./retention.ts";
import { rejectMisspelt } from "../../shared/config/unread-names.ts";
import { readSeals, type SealsConfig } from "./seals.ts";

export type Config = {
  readonly database: D1Database | null;
  readonly archive: R2Bucket | null;
  /** The budget objects; null where no budgets are used. */
  readonly budgetObjects: BudgetObjects | null;
  readonly retention: Retention;
  /** The admin tokens and the console. Without a token and without a way to sign in, the API is closed. */
  readonly console: ConsoleSettings;
  /** The gateway's entrypoint `OwnRoutes`; null where it is not bound. */
  readonly gateway: Gateway | null;
  /** The console's files; null where they are not bound. */
  readonly assets: Assets | null;
  readonly eventMac: EventMac;
  /** The name of the dead-letter queue; null: the word `dead` or `dlq` in a queue's name tells. */
  readonly deadLetterQueue: string | null;
  /** null: nothing is sealed, because there is no key. */
  readonly seals: SealsConfig | null;
};

export type EventMac = {
  /** The keys by which a MAC is valid; none: no event is verified. */
  readonly keys: readonly string[];
  /** Whether the ledger takes events without a MAC, although there is a key. */
  readonly acceptsMissing: boolean;
};

export function readConfig(env: Env): Config | ConfigIssues {
  return inspectConfig(env).config;
}

/** The config, and the names in the environment that it does not read. */
export function inspectConfig(env: Env): {
  readonly config: Config | ConfigIssues;
  readonly unread: readonly string[];
} {
  const issues: string[] = [];
  const report: ReportIssue = (path, issue) => void issues.push(`${path} ${issue}`);
  const environment = readEnvironment(env, report);
  const config: Config = {
    database: environment.binding("LEDGER", "prepare", "a D1 database"),
    archive: environment.binding("ARCHIVE", "createMultipartUpload", "an R2 bucket"),
    budgetObjects: environment.binding("BUDGET_OBJECTS", "idFromName", "a Durable Object namespace"),
    retention: readRetention(environment),
    console: readConsole(environment, readAdminToken(environment)),
    gateway: environment.binding<Gateway>("GATEWAY", "fetch", "a service binding to the gateway"),
    assets: environment.binding<Fetcher>("ASSETS", "fetch", "static assets"),
    eventMac: readEventMac(environment),
    deadLetterQueue: readDeadLetterQueue(environment),
    seals: readSeals(environment),
  };
  if (config.seals && !config.database) report("SEAL_KEY", "requires LEDGER: only the ledger is sealed");
  if (config.seals?.publish && !config.archive) report("SEALS.publish", "requires ARCHIVE");
  if (!config.database && !config.archive)
    report("LEDGER", "is required unless ARCHIVE is bound: without them nothing stores the events");
  const unread = environment.unread();
  rejectMisspelt(unread, report);
  return { config: issues.length > 0 ? { issues } : config, unread: unread.map(([name]) => name) };
}

const MAC_MODES = ["require", "accept"];

function readEventMac(environment: Environment): EventMac {
  const { has, value, report } = environment;
  const keys = readEventMacKeys(environment);
  const mode = has("EVENT_MAC") ? value("EVENT_MAC") : "require";
  if (!MAC_MODES.some((one) => one === mode)) report("EVENT_MAC", oneOfIssue(MAC_MODES));
  // Without the key it would promise what nothing does. "accept" promises nothing, and may be set before the key.
  if (has("EVENT_MAC") && mode === "require" && !has(EVENT_MAC_KEY))
    report(EVENT_MAC_KEY, "is required: the configuration names it as a secret");
  return { keys, acceptsMissing: mode === "accept" };
}

const QUEUE_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

function readDeadLetterQueue({ has, value, report }: Environment): string | null {
  if (!has("DEAD_LETTER_QUEUE")) return null;
  const name = value("DEAD_LETTER_QUEUE");
  if (typeof name === "string" && QUEUE_NAME.test(name)) return name;
  report("DEAD_LETTER_QUEUE", "must be the name of a queue");
  return null;
}

/** The configured name of the dead-letter queue where the rest of the config is invalid. */
export const deadLetterQueueOf = (env: Env): string | null =>
  readDeadLetterQueue(readEnvironment(env, () => undefined));

function readAdminToken({ has, secret, report }: Environment): string | null {
  if (!has("ADMIN_TOKEN")) return null;
  const value = secret("ADMIN_TOKEN");
  if (value === null || /^[0-9a-f]{64}(?: [0-9a-f]{64})?$/.test(value)) return value;
  // Perhaps the token itself, which must not be stored here.
  report(
    "ADMIN_TOKEN",
    "must be a SHA-256 in 64 lower-case hex digits (npm run keys -- admin), or two of them with a space between",
  );
  return null;
}
