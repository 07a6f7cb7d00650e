/** One query to a shard: a Durable Object that is addressed by a name. */
import { abortAfter } from "../../shared/deadline.ts";
import { isRetryable } from "../../shared/retryable.ts";
import { errorName } from "../../shared/operator-log.ts";

/** For both tries together. */
const TIMEOUT_MS = 2000;

/**
 * The status of the shard's response, or in words why there is none. A query that fails in a way that Cloudflare calls
 * retryable is sent once more, because each deployment of the Worker restarts the objects. Never rejects.
 */
export async function queryShard(
  namespace: DurableObjectNamespace,
  shard: string,
  url: string,
): Promise<number | string> {
  const abort = new AbortController();
  const deadline = abortAfter(TIMEOUT_MS, abort);
  // A stub that has thrown stays broken, so each try has its own.
  const query = (): Promise<Response> =>
    namespace.get(namespace.idFromName(shard)).fetch(url, { method: "POST", signal: abort.signal });
  try {
    const { status } = await query().catch((error: unknown) => {
      if (abort.signal.aborted || !isRetryable(error)) throw error;
      return query();
    });
    return status;
  } catch (error) {
    return deadline.hasExpired() ? `no response within ${TIMEOUT_MS} ms` : errorName(error);
  } finally {
    deadline.clear();
  }
}
