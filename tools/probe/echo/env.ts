/** The echo's bindings, each optional, and the parts of one request that its actions need. */
import type { Journal } from "./journal.ts";

export type Env = {
  readonly ECHO_SECRET?: string;
  readonly JOURNAL?: DurableObjectNamespace<Journal>;
  readonly BUCKET?: R2Bucket;
  readonly QUEUE?: Queue<QueueMessage>;
};

export type QueueMessage = { readonly session: string; readonly run: string };

export type Exchange = {
  readonly request: Request;
  readonly params: URLSearchParams;
  readonly env: Env;
  readonly ctx: ExecutionContext;
  /** The name of the run within the session. */
  readonly run: string;
  /** The clock when the request arrived. */
  readonly arrivedAt: number;
};

export type Action = (exchange: Exchange) => Response | Promise<Response>;

/** A whole number of the query, 0 when absent, at most `max`. */
export function count({ params }: Pick<Exchange, "params">, name: string, max: number): number {
  const value = Number(params.get(name) ?? "0");
  return Number.isSafeInteger(value) && value > 0 ? Math.min(value, max) : 0;
}

/** The session's journal; null where the echo has no Durable Object. */
export function journalOf({
  env,
  params,
}: Pick<Exchange, "env" | "params">): DurableObjectStub<Journal> | null {
  const session = params.get("session") ?? "";
  return env.JOURNAL && session !== "" ? env.JOURNAL.get(env.JOURNAL.idFromName(session)) : null;
}

/** Stores a note about the run. Held by `waitUntil`, so that it is also stored after a disconnect. */
export function note(exchange: Exchange, name: string, value: unknown): Promise<void> {
  const stored = (async () => {
    await journalOf(exchange)?.put(exchange.run, name, JSON.stringify(value));
  })();
  exchange.ctx.waitUntil(stored);
  return stored;
}
