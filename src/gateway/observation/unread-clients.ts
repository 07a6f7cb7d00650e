/**
 * A bound on the clients of an isolate that do not read their responses. Each of them costs some hundred KiB in buffers of
 * the runtime (test/sockets/unread-clients.test.ts), and the isolate's 128 MB are shared by all of its requests. Past the bound,
 * the latest of them is disconnected, so that a flood of them does not cost the clients that were slow before it.
 */

/** They cost 20 to 40 MiB together, as measured. */
export const MAX_UNREAD_CLIENTS = 64;
/**
 * A client that is not reported again within this time no longer counts. The platform may end its request without another
 * line of its code being run.
 */
const FORGET_MS = 30_000;

/** One client. */
export type UnreadClient = {
  /** The client takes no bytes. Call it at least every 10 s while that lasts. Returns whether to disconnect the client. */
  readonly isOneTooMany: () => boolean;
  /** The client takes bytes, or its response has ended. */
  readonly clear: () => void;
};

export type UnreadClients = (now: () => number) => UnreadClient;

export function createUnreadClients(max: number): UnreadClients {
  /** When each was last reported, from the longest unread to the latest. */
  const reportedAt = new Map<symbol, number>();

  const forgetOld = (at: number): void => {
    for (const [client, last] of reportedAt) if (at - last > FORGET_MS) reportedAt.delete(client);
  };

  return (now) => {
    const client = Symbol("client");
    return {
      isOneTooMany: () => {
        const at = now();
        if (!reportedAt.has(client) && reportedAt.size >= max) forgetOld(at);
        if (!reportedAt.has(client) && reportedAt.size >= max) return true;
        reportedAt.set(client, at);
        return false;
      },
      clear: () => void reportedAt.delete(client),
    };
  };
}

/** Those of this isolate. */
export const trackUnreadClient = createUnreadClients(MAX_UNREAD_CLIENTS);
