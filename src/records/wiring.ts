/** The records Worker's composition root. */
import { refusalEvent } from "../events/compose.ts";
import { createFallbackLog } from "../events/fallback-log.ts";
import type { RecordsService } from "../events/records-service.ts";
import { toEventLine } from "../events/log-line.ts";
import { hasEventId } from "../events/event-id.ts";
import { logOperatorEvent } from "../shared/operator-log.ts";
import { uuidV7 } from "../shared/uuid.ts";
import { authorizeAdmin } from "./api/admin-auth.ts";
import { createApi } from "./api/api.ts";
import type { Config } from "./config/config.ts";
import type { LedgerDeps } from "./ledger/ledger.ts";
import { runMaintenance } from "./ledger/maintain/cron.ts";
import { consumeBatch } from "./ledger/write/consume.ts";
import { storeEvents } from "./ledger/write/store.ts";

const print = (line: string): void => console.log(line);
const now = (): number => Date.now();

/** Everything that the Worker serves. */
export type Records = RecordsService & {
  readonly consume: (batch: MessageBatch) => Promise<void>;
  /** `now`: milliseconds since 1970. Rejects where a part of the maintenance failed. */
  readonly maintain: (now: number) => Promise<void>;
};

export function createRecords(config: Config): Records {
  const { database, archive, retentionDays, adminTokenSha256 } = config;
  const ledger: LedgerDeps = {
    database,
    archive,
    retentionDays,
    logError: logOperatorEvent,
    fallback: createFallbackLog(print),
  };
  const api = createApi({
    database,
    adminTokenSha256,
    now,
    newId: () => uuidV7(now(), crypto.randomUUID()),
    onRefusal: (id, request, { code, status, data }) => {
      const facts = { ...NOT_DECIDED, code, status, detail: data.detail ?? null, method: request.method };
      print(toEventLine(refusalEvent(id, facts, now())));
    },
  });
  return {
    fetch: async (request) => api.fetch(request),
    store: async (events) => {
      if (!database) throw new Error("LEDGER is not bound");
      const known = events.filter(hasEventId);
      // A newer gateway may send record types that this Worker does not know.
      if (known.length < events.length) {
        logOperatorEvent({ event: "events_malformed", events: events.length - known.length });
      }
      await storeEvents(database, known);
    },
    authorize: async ({ authorization, coderSessionToken }) => {
      const headers = new Headers();
      if (authorization !== null) headers.set("authorization", authorization);
      if (coderSessionToken !== null) headers.set("coder-session-token", coderSessionToken);
      const refusal = await authorizeAdmin(headers, adminTokenSha256);
      return refusal && { code: refusal.code, data: refusal.data };
    },
    consume: (batch) => consumeBatch(batch, ledger),
    maintain: (at) => runMaintenance(ledger, at),
  };
}

/** The facts of a refusal that only a request to a provider, through the gateway, has. */
const NOT_DECIDED = {
  provider: null,
  route: null,
  client: null,
  actorId: null,
  initiatorId: null,
  workerVersion: null,
};
