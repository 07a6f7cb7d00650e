/**
 * The one place that names concrete providers, identity sources, policies and sinks. Another of them is one file and
 * one line here.
 */
import { adminApi } from "../records/api/api.ts";
import type { Parts } from "./app/deps.ts";
import type { Catalogue, Config } from "./config/config.ts";
import type { InterceptorEvent } from "../events/event.ts";
import { redactor } from "../events/redaction.ts";
import type { Sink } from "./sinks/recorder.ts";
import { access } from "./identity/sources/access.ts";
import { byok } from "./identity/sources/byok.ts";
import { coder } from "./identity/sources/coder.ts";
import { jwt } from "./identity/sources/jwt.ts";
import { keys } from "./identity/sources/keys.ts";
import { delegate } from "./initiator/delegation.ts";
import { coderDirectory } from "./initiator/directory.ts";
import { durableNonces } from "./initiator/replay-cache.ts";
import { verifier } from "./initiator/signature.ts";
import type { Witnesses } from "./initiator/verify-assertion.ts";
import { modelsPolicy } from "./policy/models.ts";
import { anthropic } from "./provider/anthropic/dialect.ts";
import { openai } from "./provider/openai/dialect.ts";
import type { LedgerPlaces } from "../records/ledger/ledger.ts";
import { sendEvents } from "../events/queue-message.ts";
import { storeEvents, storesEvent } from "../records/ledger/write/store.ts";
import { analyticsEngineSink } from "./sinks/analytics-engine.ts";
import { fallbackLog } from "../events/fallback-log.ts";
import { holdStarts } from "./sinks/coalesce-starts.ts";
import { ledgerSink } from "./sinks/records.ts";
import { logSink } from "./sinks/log.ts";

const print = (line: string): void => console.log(line);
const complain = (line: string): void => console.error(line);

/** What the world gives: tests give their own. */
export type World = Pick<Parts, "fetch" | "now" | "complain">;

const WORLD: World = { fetch: (input, init) => fetch(input, init), now: () => Date.now(), complain };

/** What `PROVIDERS` and `IDENTITY` can name. */
export const catalogue: Catalogue = {
  dialects: [openai, anthropic],
  sources: [byok, keys, coder, jwt, access],
  world: WORLD,
};

/** Speaks where no route says in whose dialect. */
export const fallbackDialect = openai;

const fallback = fallbackLog(print);

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
  const sink = ledgerSink({ required, wants, fallback, deliver });
  return [required ? sink : holdStarts(sink)];
}

/** What the queue's consumer and the cron work on. */
export function ledgerPlaces({ ledger: { database, archive, retentionDays } }: Config): LedgerPlaces {
  return { database, archive, retentionDays, complain, fallback };
}

/** Who can say more of an owner than the headers do. */
export function witnesses(
  { witnesses: { signingKeys, directory, nonces } }: Config,
  world: World,
): Witnesses {
  return {
    verify: signingKeys.length > 0 ? verifier(signingKeys) : null,
    directory: directory && coderDirectory(directory, world.fetch, world.now, world.complain),
    nonces: nonces && durableNonces(nonces, world.complain),
    now: world.now,
  };
}

/** The app's parts as they are in production. */
export function wire(config: Config, world: World = WORLD): Parts {
  return {
    ...world,
    config,
    delegate: config.delegation && delegate(config.delegation),
    witnesses: witnesses(config, world),
    policies: [modelsPolicy],
    sinks: sinks(config),
    redact: redactor(config.recording.patterns),
    api: adminApi({
      database: config.ledger.database,
      adminTokenSha256: config.adminTokenSha256,
      now: () => Date.now(),
    }),
    fallbackDialect,
    randomUuid: () => crypto.randomUUID(),
  };
}
