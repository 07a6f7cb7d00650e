/** Dependencies for the queue consumer and the cron. They keep the log lines and events, and each can be made to fail. */
import { retain } from "./retain.ts";
import { STORED } from "./store-events.ts";
import type { OperatorEvent } from "../../../src/shared/operator-log.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { LedgerDeps } from "../../../src/records/ledger/ledger.ts";
import { createAuthenticate } from "../../../src/records/ledger/write/authenticate.ts";
import { uuidV7 } from "../../../src/shared/uuid.ts";

export type StoredObject = { readonly bytes: ArrayBuffer; readonly contentType: string | undefined };

/**
 * A bucket in memory with the methods that the archive uses. The first `failing.times` writes fail. An object that exists is
 * never overwritten: R2 would do so without the condition, which the archive must therefore always send.
 */
export function memoryBucket(failing = { times: 0 }): {
  readonly bucket: R2Bucket;
  readonly objects: Map<string, StoredObject>;
} {
  const objects = new Map<string, StoredObject>();
  const put = (
    key: string,
    content: ArrayBuffer | string,
    options?: R2PutOptions,
  ): Promise<object | null> => {
    const bytes =
      typeof content === "string" ? (new TextEncoder().encode(content).buffer as ArrayBuffer) : content;
    if (failing.times-- > 0) return Promise.reject(new Error("put: internal error (10001)"));
    const metadata = options?.httpMetadata as R2HTTPMetadata | undefined;
    if (metadata?.contentEncoding !== undefined) throw new Error("HTTP clients would decode this encoding");
    if ((options?.onlyIf as Headers | undefined)?.get("if-none-match") !== "*")
      throw new Error("may overwrite");
    if (objects.has(key)) return Promise.resolve(null);
    objects.set(key, { bytes, contentType: metadata?.contentType });
    return Promise.resolve({ key });
  };
  const head = (key: string): Promise<object | null> => Promise.resolve(objects.has(key) ? { key } : null);
  return { bucket: { put, head } as unknown as R2Bucket, objects };
}

/** The database, whose next batches fail this many times. */
export function failingDatabase(
  database: D1Database,
  times: number,
  message = "D1_ERROR: Network connection lost.",
): D1Database {
  let left = times;
  return new Proxy(database, {
    get: (target, name) => {
      if (name === "batch" && left-- > 0) return () => Promise.reject(new Error(message));
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

export type TestLedgerDeps = LedgerDeps & {
  /** The operator log lines. */
  readonly operatorErrors: OperatorEvent[];
  readonly fallbackEvents: InterceptorEvent[];
  readonly printed: string[];
};

/** `retentionDays`: for all tables. */
export function ledgerDeps({
  retentionDays = 60,
  ...over
}: Partial<LedgerDeps> & { readonly retentionDays?: number } = {}): TestLedgerDeps {
  const operatorErrors: OperatorEvent[] = [];
  const fallbackEvents: InterceptorEvent[] = [];
  const printed: string[] = [];
  return {
    database: null,
    archive: null,
    retention: retain(retentionDays),
    now: () => STORED.storedAt,
    logError: (event) => void operatorErrors.push(event),
    authenticate: createAuthenticate(null, false),
    newId: (now) => uuidV7(now, crypto.randomUUID()),
    fallback: (events) => {
      fallbackEvents.push(...events);
      return Promise.resolve();
    },
    deliverCharges: () => Promise.resolve(),
    print: (line) => void printed.push(line),
    ...over,
    operatorErrors,
    fallbackEvents,
    printed,
  };
}

/** The parsed lines of a gzipped NDJSON object. */
export async function readLines({ bytes }: StoredObject): Promise<unknown[]> {
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(unpacked).text();
  if (!text.endsWith("\n")) throw new Error("the last line has no line break");
  return text
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}
