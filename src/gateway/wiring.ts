/**
 * The gateway's composition root: the one place that names concrete dialects, identity sources, policies and sinks. A new
 * one is one file and one line here.
 */
import type { InterceptorEvent } from "../events/event.ts";
import { createSign, type Sign } from "../events/event-mac.ts";
import { eventText } from "../events/event-text.ts";
import { createFallbackLog } from "../events/fallback-log.ts";
import { joinMessages, joinSignedMessages } from "../events/queue-message.ts";
import { createRedactor } from "../events/redaction.ts";
import { ByteBudget } from "../shared/byte-budget.ts";
import { configVersion } from "../shared/config/version.ts";
import { cacheDigests } from "../shared/digest-cache.ts";
import { keyedHash, sha256Hex } from "../shared/digest.ts";
import { errorName, logOperatorEvent } from "../shared/operator-log.ts";
import { createPricing, createQuoting } from "../shared/prices/pricing.ts";
import { createRenewedSecrets } from "../shared/renewed-secrets.ts";
import { createSecretFinder } from "../shared/secret-finder.ts";
import { createTtlCache } from "../shared/ttl-cache.ts";
import { uuidV7 } from "../shared/uuid.ts";
import type { Deps } from "./app/deps.ts";
import { createEndUserRecording, createTextHash } from "./client/recorded-end-user.ts";
import type { Config, Registry } from "./config/config.ts";
import { access } from "./identity/sources/access.ts";
import { byok } from "./identity/sources/byok.ts";
import { coder } from "./identity/sources/coder.ts";
import { jwt } from "./identity/sources/jwt.ts";
import { keys } from "./identity/sources/keys.ts";
import { createDelegationVerifier } from "./initiator/delegation.ts";
import { createCoderDirectory } from "./initiator/directory.ts";
import { createHttpSignatureVerifier } from "./initiator/http-signature/keys.ts";
import { createObjectOwners } from "./initiator/object-owners-client.ts";
import { createReplayCache } from "./initiator/replay-cache-client.ts";
import { createSignatureVerifier } from "./initiator/signature.ts";
import type { Verifiers } from "./initiator/verify-assertion.ts";
import { createBudgetObjects } from "./policy/budgets/object-client.ts";
import { SoftAccounts } from "./policy/budgets/soft-accounts.ts";
import { modelsPolicy } from "./policy/models.ts";
import { anthropic } from "./provider/anthropic/dialect.ts";
import { azure } from "./provider/azure/dialect.ts";
import { openai } from "./provider/openai/dialect.ts";
import { createCentralKeys } from "./upstream/central-keys.ts";
import { createGuards } from "./upstream/guards.ts";
import type { KeyDeps } from "./upstream/provider-key.ts";
import { analyticsEngineSink } from "./sinks/analytics-engine.ts";
import { batchEvents } from "./sinks/batch-events.ts";
import { coalesceStarts } from "./sinks/coalesce-starts.ts";
import { createFailedBatches } from "./sinks/failed-batches.ts";
import { limitUnconfirmed, trackUnconfirmedKeys } from "./sinks/unconfirmed-keys.ts";
import { logSink } from "./sinks/log.ts";
import { sendMessages } from "./sinks/queue.ts";
import type { Sink } from "./sinks/recorder.ts";
import { recordsSink } from "./sinks/records.ts";
import { signedLogSink } from "./sinks/signed-log.ts";
import { refusalCountsSink } from "./sinks/refusal-counts.ts";
import { limitDetails } from "./sinks/refusal-details.ts";

const print = (line: string): void => console.log(line);

/** Clock, network and error log; tests pass their own. */
export type Platform = Pick<Deps, "fetch" | "now" | "logError">;

const randomUuid = (): string => crypto.randomUUID();

const PLATFORM: Platform = {
  fetch: (input, init) => fetch(input, init),
  now: () => Date.now(),
  logError: logOperatorEvent,
};

/** The dialects and identity sources that `PROVIDERS` and `IDENTITY` can name. */
export const registry: Registry = {
  dialects: [openai, anthropic, azure],
  sources: [byok, keys, coder, jwt, access],
  platform: PLATFORM,
};

/** Pairs of a provider and a model. */
const MAX_REJECTED_OPT_INS = 1000;

/** The dialect of error bodies where no route names a provider. */
export const fallbackDialect = openai;

function sinks(config: Config, platform: Platform): Sink[] {
  const [key] = config.eventMacKeys;
  const sign = key === undefined ? null : createSign(key);
  return [
    sign !== null && config.recording.logMac ? signedLogSink(print, sign) : logSink(print),
    analyticsEngineSink(config.interceptions, config.overrides),
    ...recordsSinks(config, sign, platform),
  ];
}

/** To the ledger through the queue, or directly to the records Worker; none where neither is bound. */
function recordsSinks(
  { queue, records, recording: { required, allEvents } }: Config,
  sign: Sign | null,
  { now, logError }: Platform,
): Sink[] {
  const send = queue
    ? (messages: readonly string[]) => sendMessages(queue, messages)
    : records && ((messages: readonly string[]) => records.store(messages));
  if (!send) return [];
  const deliverTexts = async (texts: readonly string[]): Promise<void> =>
    send(sign === null ? joinMessages(texts) : await joinSignedMessages(texts, sign));
  const deliver = (events: readonly InterceptorEvent[]): Promise<void> => deliverTexts(events.map(eventText));
  const fallback = createFallbackLog(print, sign);
  const report = (id: string, error: unknown): void =>
    logError({ event: "sink_failed", sink: "ledger", interception_id: id, error: errorName(error) });
  // Only an archive keeps each refusal without a verified actor.
  const keepsAll = queue !== null && allEvents;
  const wants = keepsAll ? () => true : limitDetails();
  const all = required
    ? recordsSink({ required, wants, fallback, deliver })
    : batchEvents({ wants, deliver: deliverTexts, failed: createFailedBatches(fallback, report), now });
  const ownKeys = trackUnconfirmedKeys(now);
  const sink = keepsAll ? all : limitUnconfirmed(all, ownKeys);
  const counts = recordsSink({ required: false, wants: () => true, fallback, deliver });
  const newId = (): string => uuidV7(now(), randomUuid());
  return [
    required || keepsAll ? sink : coalesceStarts(sink, ownKeys.starts),
    refusalCountsSink(counts.write, { now, newId, keys: ownKeys }),
  ];
}

function createVerifiers(
  { verifiers: { signingKeys, httpKeys, directory, nonces } }: Config,
  platform: Platform,
): Verifiers {
  const ofCoder = createSignatureVerifier(signingKeys);
  const ofHttp = createHttpSignatureVerifier(httpKeys);
  return {
    verify: (presented, sha256) =>
      presented.format === "coder" ? ofCoder(presented, sha256) : ofHttp(presented, sha256),
    directory: directory && createCoderDirectory(directory, platform),
    replayCache: nonces && createReplayCache(nonces, { logError: platform.logError, randomUuid }),
    now: platform.now,
  };
}

/** null where nothing is limited: such a deployment does nothing for it. */
function createBudgets({ budgets, prices }: Config, { now, logError }: Platform): Deps["budgets"] {
  const { rules, platform: platformLimits, namespace, key } = budgets;
  if (rules.length === 0 && platformLimits.length === 0) return null;
  const objects = namespace && createBudgetObjects(namespace, { logError, now });
  return {
    rules,
    platformLimits,
    objects,
    soft: new SoftAccounts(objects, now),
    nameObject: cacheDigests(key === null ? sha256Hex : keyedHash(key)),
    quote: createQuoting(prices),
    now,
  };
}

function bodyReading({ limits }: Config, { now }: Platform): Deps["bodies"] {
  return {
    pace: { graceMs: limits.bodyMs, minRate: limits.bodyMinRate },
    budget: new ByteBudget(limits.bodiesBytes, now),
    neededMs: limits.headersMs,
    now,
  };
}

/** The finder of the configured secrets and of those that the gateway fetches. */
function createSecrets({ secrets, providers }: Config): {
  readonly secrets: Deps["secrets"];
  readonly onSecret: KeyDeps["onSecret"];
} {
  const centralKeys = [...providers.values()].flatMap((provider) => provider.keys);
  if (!centralKeys.some(({ kind }) => kind === "entra"))
    return { secrets: createSecretFinder(secrets), onSecret: () => undefined };
  const { finder, renew } = createRenewedSecrets(secrets);
  return { secrets: finder, onSecret: renew };
}

/** The app's dependencies as they are in production. */
export function createDeps(config: Config, platform: Platform = PLATFORM): Deps {
  const { recording } = config;
  const { secrets, onSecret } = createSecrets(config);
  const redact = createRedactor(recording.patterns, secrets);
  const hashText = createTextHash(recording);
  return {
    ...platform,
    config,
    configVersion: configVersion(config.settings),
    delegate: config.delegation && createDelegationVerifier(config.delegation),
    verifiers: createVerifiers(config, platform),
    policies: [modelsPolicy],
    owners: config.objects && createObjectOwners(config.objects, platform.logError),
    sinks: sinks(config, platform),
    centralKeys: createCentralKeys(config.providers.values(), { ...platform, onSecret }),
    guards: createGuards(config.providers.values(), platform.now, platform.logError),
    redact,
    price: createPricing(config.prices),
    budgets: createBudgets(config, platform),
    secrets,
    toRecordedEndUser: createEndUserRecording(recording, redact, hashText),
    hashText,
    records: config.records,
    bodies: bodyReading(config, platform),
    rejectedOptIns: createTtlCache(platform.now, MAX_REJECTED_OPT_INS),
    fallbackDialect,
    randomUuid,
  };
}
