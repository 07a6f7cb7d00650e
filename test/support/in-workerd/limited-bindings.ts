/** The bindings of both Workers behind one connection limit: what one request opens in either Worker counts together. */
import { retain } from "./retain.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { createRecords, type Records } from "../../../src/records/wiring.ts";
import { TOKEN } from "./api-client.ts";
import { database } from "./api-rows.ts";
import type { ConnectionLimit } from "./connection-limit.ts";
import { consoleOff } from "../console-settings.ts";

/** How a backend responds: as it does, or never. */
export type Backend = "responds" | "hangs";

const never = (): Promise<never> => new Promise(() => undefined);

/** A queue. Each send is one connection. */
export function limitedQueue(limit: ConnectionLimit, backend: Backend): Queue {
  let sends = 0;
  const settled = (): Promise<unknown> => (backend === "hangs" ? never() : Promise.resolve(undefined));
  const send = (): Promise<unknown> => limit.run(`store: queue ${(sends += 1)}`, settled);
  return { send, sendBatch: send } as unknown as Queue;
}

/**
 * The records Worker as it is wired, as the gateway's `RECORDS` binding reaches it. A call over a service binding is no
 * connection; each batch of statements that the Worker sends to its database is one, and counts for the gateway's request.
 */
export async function limitedRecords(limit: ConnectionLimit, backend: Backend): Promise<Records> {
  let batches = 0;
  const limited: Pick<D1Database, "prepare" | "batch"> = {
    prepare: (text) => database.prepare(text),
    batch: <T>(statements: D1PreparedStatement[]) =>
      limit.run(`store: database ${(batches += 1)}`, () =>
        backend === "hangs" ? never() : database.batch<T>(statements),
      ),
  };
  return createRecords({
    // The Worker uses only these two methods.
    database: limited as D1Database,
    archive: null,
    budgetObjects: null,
    retention: retain(0),
    deadLetterQueue: null,
    eventMac: { keys: [], acceptsMissing: false },
    seals: null,
    ...consoleOff(await sha256Hex(TOKEN)),
  });
}

/** The replay cache's objects. Each query is one connection. */
export function limitedNamespace(
  namespace: DurableObjectNamespace,
  limit: ConnectionLimit,
  backend: Backend = "responds",
): DurableObjectNamespace {
  const limited: Pick<DurableObjectNamespace, "idFromName" | "get"> = {
    idFromName: (name) => namespace.idFromName(name),
    get: (id) => {
      const stub = namespace.get(id);
      const fetchLimited = (url: string, init: RequestInit): Promise<Response> =>
        limit.run(
          "replay cache",
          () => (backend === "hangs" ? never() : stub.fetch(url, init as never)),
          init.signal ?? undefined,
        );
      return { fetch: fetchLimited } as unknown as DurableObjectStub;
    },
  };
  return limited as DurableObjectNamespace;
}
