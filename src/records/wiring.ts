/** The records Worker's composition root. */
import { NO_NETWORK, refusalEvent } from "../events/compose.ts";
import type { InterceptorEvent } from "../events/event.ts";
import { createSign, createVerify } from "../events/event-mac.ts";
import { createFallbackLog } from "../events/fallback-log.ts";
import type { RecordsService } from "../events/records-service.ts";
import { toEventLine } from "../events/log-line.ts";
import { isReadWhole, readMessage, sortEntries, type MessageContent } from "../events/queue-message.ts";
import { toBase64Url } from "../shared/base64.ts";
import { CONSOLE_PATH, isConsolePath } from "../shared/console-pages.ts";
import { routablePath } from "../shared/http/target.ts";
import { Refusal } from "../shared/refusal.ts";
import { logOperatorEvent } from "../shared/operator-log.ts";
import { uuidV7 } from "../shared/uuid.ts";
import { createApi, type ApiDeps } from "./api/api.ts";
import { createQueryLedger } from "./api/kit/query-ledger.ts";
import { spendOf } from "./api/spend-of.ts";
import type { Config } from "./config/config.ts";
import { createConsoleParts } from "./console/parts.ts";
import type { LedgerDeps } from "./ledger/ledger.ts";
import { withoutErased } from "./ledger/erase/erasures.ts";
import { runMaintenance } from "./ledger/maintain/cron.ts";
import { createAuthenticate } from "./ledger/write/authenticate.ts";
import { consumeBatch } from "./ledger/write/consume.ts";
import { consumeDeadLetters, isDeadLetterQueue, printUnconfigured } from "./ledger/write/dead-letter.ts";
import { acceptedEvents, authenticated, logRejected, storeIncoming } from "./ledger/write/incoming.ts";
import { recordRead, type LedgerRead } from "./ledger/write/record-read.ts";
import { proveCheckpoint, proveEvent } from "./ledger/seal/proof.ts";
import { deliverCharges } from "./objects/deliver-charges.ts";
import { queryOf } from "./ledger/seal/seal-state.ts";
import { SEAL_CRON, sealLedger, signersOf, type SealJobDeps } from "./ledger/seal/seal-job.ts";

const print = (line: string): void => console.log(line);
const now = (): number => Date.now();
const newIdAt = (at: number): string => uuidV7(at, crypto.randomUUID());

/** Everything that the Worker serves. */
export type Records = RecordsService & {
  /** `waitUntil`: keeps the Worker running until a read is recorded. */
  readonly fetch: (request: Request, waitUntil?: (promise: Promise<unknown>) => void) => Promise<Response>;
  readonly consume: (batch: MessageBatch) => Promise<void>;
  /** `now`: milliseconds since 1970. Rejects where a part of the maintenance failed. */
  readonly maintain: (now: number) => Promise<void>;
  /** Runs the job of a cron expression. `at`: milliseconds since 1970. Rejects where a part of it failed. */
  readonly runCron: (cron: string, at: number) => Promise<void>;
};

function ledgerDeps({ database, archive, retention, eventMac, budgetObjects }: Config): LedgerDeps {
  const [key] = eventMac.keys;
  const verify = key === undefined ? null : createVerify(eventMac.keys);
  const signed = createFallbackLog(print, key === undefined ? null : createSign(key));
  const unsigned = createFallbackLog(print, null);
  return {
    database,
    archive,
    retention,
    logError: logOperatorEvent,
    authenticate: createAuthenticate(verify, eventMac.acceptsMissing),
    now,
    newId: newIdAt,
    fallback: async (events, hasMac) => {
      const { toLines, print: printLines } = hasMac ? signed : unsigned;
      printLines(await toLines(events));
    },
    deliverCharges: (events) => deliverCharges(budgetObjects, events),
    print,
  };
}

const onRefusal: ApiDeps["onRefusal"] = (id, request, { code, status, data }) => {
  const facts = { ...NOT_DECIDED, code, status, detail: data.detail ?? null, method: request.method };
  print(toEventLine(refusalEvent(id, facts, now())));
};
const newId = (): string => newIdAt(now());

export function createRecords(config: Config): Records {
  const { database, deadLetterQueue, gateway, seals } = config;
  const ledger = ledgerDeps(config);
  const sealJob = sealJobOf(config);
  /** By request, until its response is returned. */
  const reads = new WeakMap<Request, LedgerRead>();
  const onRead = (request: Request, read: LedgerRead): void => void reads.set(request, read);
  const { admit, serveConsole } = createConsoleParts(config, {
    fetch: (...args) => fetch(...args),
    now,
    newId,
    newSecret: () => toBase64Url(crypto.getRandomValues(new Uint8Array(32))),
    onRefusal,
    onEvent: (request, { id, action, by, way }) =>
      onRead(request, { id, action, by, target: CONSOLE_PATH, parameters: { way }, rows: 0, at: now() }),
  });
  const api = createApi({
    onRead,
    database,
    gateway,
    seals: { isOn: seals !== null, proveEvent, proveCheckpoint },
    admit,
    now,
    newId,
    onRefusal,
  });
  return {
    fetch: async (request: Request, waitUntil?: (promise: Promise<unknown>) => void) => {
      const response = await (isConsolePath(routablePath(request)) ? serveConsole : api.fetch)(request);
      const read = reads.get(request);
      if (read) {
        const recorded = recordRead(ledger, read);
        waitUntil?.(recorded);
      }
      return response;
    },
    store: async (messages) => {
      if (!database) throw new Error("LEDGER is not bound");
      const contents = readCall(messages);
      const read = await Promise.all(contents.map((content) => authenticated(content, "r", ledger)));
      const incoming = await withoutErased(queryOf(database), read);
      await storeIncoming(database, incoming, ledger);
      logRejected(incoming, ledger);
      await ledger.deliverCharges(acceptedEvents(incoming));
      if (!contents.every(isReadWhole)) throw unreadEvents(contents);
    },
    spendOf: (source, id, from) => spendOf(createQueryLedger(database), { source, id }, { from, now: now() }),
    authorize: async (headers, scope) => {
      const reader = await admit(headers, scope ?? "admin");
      if (reader instanceof Refusal) return { code: reader.code, data: reader.data };
      return scope === undefined ? null : { by: reader.by };
    },
    consume: (batch) =>
      isDeadLetterQueue(batch.queue, deadLetterQueue)
        ? consumeDeadLetters(batch, ledger)
        : consumeBatch(batch, ledger),
    maintain: (at) => runMaintenance(ledger, at),
    runCron: (cron, at) => (cron === SEAL_CRON ? sealLedger(sealJob, at) : runMaintenance(ledger, at)),
  };
}

/** A gateway from before MACs passes the events themselves. */
function readCall(messages: readonly (string | InterceptorEvent)[]): readonly MessageContent[] {
  const texts = messages.filter((message) => typeof message === "string");
  const events = messages.filter((message) => typeof message !== "string");
  return [...texts.map(readMessage), ...(events.length > 0 ? [sortEntries(events)] : [])];
}

const sealJobOf = ({ database, archive, seals }: Config): SealJobDeps => ({
  database,
  archive: seals?.publish ? archive : null,
  signers: seals && signersOf(seals.keys),
  now,
  logError: logOperatorEvent,
  print,
});

/** Logs what cannot be stored. The caller gets an error, so that the gateway prints all events of the call. */
function unreadEvents(contents: readonly MessageContent[]): Error {
  const unknown = contents.reduce((sum, content) => sum + content.unknown, 0);
  const malformed = contents.reduce((sum, content) => sum + content.malformed, 0);
  if (unknown > 0) logOperatorEvent({ event: "events_unknown", events: unknown });
  if (malformed > 0) logOperatorEvent({ event: "events_malformed", events: malformed });
  return new Error(`${unknown + malformed} values are not events of this version; the others are stored`);
}

/** A hundred attempts ten minutes apart last most of a day. */
const UNCONFIGURED_RETRY_S = 600;

/**
 * What happens to messages while the configuration is invalid: they wait. Behind the dead-letter queue there is no other
 * one, so that its messages are printed.
 */
export function consumeUnconfigured({ queue, messages }: MessageBatch, deadLetterQueue: string | null): void {
  const isDead = isDeadLetterQueue(queue, deadLetterQueue);
  const deps = { logError: logOperatorEvent, print };
  for (const message of messages) {
    if (isDead) printUnconfigured(message, UNCONFIGURED_RETRY_S, deps);
    // Not by throwing: the queue would deliver again after `retry_delay`, and use up all attempts in two hours.
    else message.retry({ delaySeconds: UNCONFIGURED_RETRY_S });
  }
}

/** The facts of a refusal that only a request to a provider, through the gateway, has. */
const NOT_DECIDED = {
  provider: null,
  route: null,
  client: null,
  actorId: null,
  actorKind: null,
  initiatorId: null,
  workerVersion: null,
  identitySource: null,
  isActorVerified: false,
  keyId: null,
  initiatorSource: null,
  network: NO_NETWORK,
  objectIds: [],
};
