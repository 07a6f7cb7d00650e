/**
 * The one place that names concrete providers, identity sources, policies and sinks. Another of them is one file and
 * one line here.
 */
import { createApi } from "../records/api/api.ts";
import type { Deps } from "./app/deps.ts";
import type { Registry, Config } from "./config/config.ts";
import type { InterceptorEvent } from "../events/event.ts";
import { createRedactor } from "../events/redaction.ts";
import type { Sink } from "./sinks/recorder.ts";
import { access } from "./identity/sources/access.ts";
import { byok } from "./identity/sources/byok.ts";
import { coder } from "./identity/sources/coder.ts";
import { jwt } from "./identity/sources/jwt.ts";
import { keys } from "./identity/sources/keys.ts";
import { createDelegationVerifier } from "./initiator/delegation.ts";
import { createCoderDirectory } from "./initiator/directory.ts";
import { durableReplayCache } from "./initiator/replay-cache.ts";
import { createSignatureVerifier } from "./initiator/signature.ts";
import type { Verifiers } from "./initiator/verify-assertion.ts";
import { modelsPolicy } from "./policy/models.ts";
import { anthropic } from "./provider/anthropic/dialect.ts";
import { openai } from "./provider/openai/dialect.ts";
import type { LedgerDeps } from "../records/ledger/ledger.ts";
import { sendEvents } from "../events/queue-message.ts";
import { storeEvents, storesEvent } from "../records/ledger/write/store.ts";
import { analyticsEngineSink } from "./sinks/analytics-engine.ts";
import { createFallbackLog } from "../events/fallback-log.ts";
import { coalesceStarts } from "./sinks/coalesce-starts.ts";
import { recordsSink } from "./sinks/records.ts";
import { logSink } from "./sinks/log.ts";

const print = (line: string): void => console.log(line);
const logError = (line: string): void => console.error(line);

/** What the world gives: tests give their own. */
export type Platform = Pick<Deps, "fetch" | "now" | "logError">;

const PLATFORM: Platform = { fetch: (input, init) => fetch(input, init), now: () => Date.now(), logError };

/** What `PROVIDERS` and `IDENTITY` can name. */
export const registry: Registry = {
  dialects: [openai, anthropic],
  sources: [byok, keys, coder, jwt, access],
  platform: PLATFORM,
};

/** Speaks where no route says in whose dialect. */
export const fallbackDialect = openai;

const fallback = createFallbackLog(print);

const sinks = (config: Config): Sink[] => [
  logSink(print),
  analyticsEngineSink(config.interceptions, config.overrides),
  ...ledgerSinks(config),
];

/** By way of the queue, or straight into the database, or not at all. */
function ledgerSinks({ ledger: { queue, database, archive }, recording: { required } }: Config): Sink[] {
  // The archive takes everything; the database has no table for refusals and passthroughs.
  const wants = queue && archive ? () => true : storesEvent;
  const deliver = queue
    ? (events: readonly InterceptorEvent[]) => sendEvents(queue, events)
    : database && ((events: readonly InterceptorEvent[]) => storeEvents(database, events));
  if (!deliver) return [];
  const sink = recordsSink({ required, wants, fallback, deliver });
  return [required ? sink : coalesceStarts(sink)];
}

/** What the queue's consumer and the cron work on. */
export function createLedgerDeps({ ledger: { database, archive, retentionDays } }: Config): LedgerDeps {
  return { database, archive, retentionDays, logError, fallback };
}

/** Who can say more of an owner than the headers do. */
export function createVerifiers(
  { witnesses: { signingKeys, directory, nonces } }: Config,
  world: Platform,
): Verifiers {
  return {
    verify: signingKeys.length > 0 ? createSignatureVerifier(signingKeys) : null,
    directory: directory && createCoderDirectory(directory, world.fetch, world.now, world.logError),
    replayCache: nonces && durableReplayCache(nonces, world.logError),
    now: world.now,
  };
}

/** The app's parts as they are in production. */
export function createDeps(config: Config, world: Platform = PLATFORM): Deps {
  return {
    ...world,
    config,
    delegate: config.delegation && createDelegationVerifier(config.delegation),
    verifiers: createVerifiers(config, world),
    policies: [modelsPolicy],
    sinks: sinks(config),
    redact: createRedactor(config.recording.patterns),
    api: createApi({
      database: config.ledger.database,
      adminTokenSha256: config.adminTokenSha256,
      now: () => Date.now(),
    }),
    fallbackDialect,
    randomUuid: () => crypto.randomUUID(),
  };
}
