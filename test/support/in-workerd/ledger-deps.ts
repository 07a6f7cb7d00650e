/** Dependencies for the queue consumer and the cron. They keep the log lines and events, and each can be made to fail. */
import type { OperatorEvent } from "../../../src/shared/operator-log.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { LedgerDeps } from "../../../src/records/ledger/ledger.ts";

export type StoredObject = { readonly bytes: ArrayBuffer; readonly contentType: string | undefined };

/** A bucket in memory with the one method that the archive uses. The first `failing.times` writes fail. */
export function memoryBucket(failing = { times: 0 }): {
  readonly bucket: R2Bucket;
  readonly objects: Map<string, StoredObject>;
} {
  const objects = new Map<string, StoredObject>();
  const put = (key: string, bytes: ArrayBuffer, options?: R2PutOptions): Promise<void> => {
    if (failing.times-- > 0) return Promise.reject(new Error("put: internal error (10001)"));
    const metadata = options?.httpMetadata as R2HTTPMetadata | undefined;
    if (metadata?.contentEncoding !== undefined) throw new Error("HTTP clients would decode this encoding");
    objects.set(key, { bytes, contentType: metadata?.contentType });
    return Promise.resolve();
  };
  return { bucket: { put } as unknown as R2Bucket, objects };
}

/** The database, whose next batches fail this many times. */
export function failingDatabase(database: D1Database, times: number): D1Database {
  let left = times;
  return new Proxy(database, {
    get: (target, name) => {
      if (name === "batch" && left-- > 0) return () => Promise.reject(new Error("D1_ERROR: overloaded"));
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

export type TestLedgerDeps = LedgerDeps & {
  /** The operator log lines. */
  readonly operatorErrors: OperatorEvent[];
  readonly fallbackEvents: InterceptorEvent[];
};

export function ledgerDeps(over: Partial<LedgerDeps> = {}): TestLedgerDeps {
  const operatorErrors: OperatorEvent[] = [];
  const fallbackEvents: InterceptorEvent[] = [];
  return {
    database: null,
    archive: null,
    retentionDays: 60,
    logError: (event) => void operatorErrors.push(event),
    fallback: (events) => void fallbackEvents.push(...events),
    ...over,
    operatorErrors,
    fallbackEvents,
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
