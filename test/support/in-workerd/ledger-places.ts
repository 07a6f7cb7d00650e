/** The ledger's places for the consumer and the cron: what they say is kept, and each can be made to fail. */
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { LedgerDeps } from "../../../src/records/ledger/ledger.ts";

export type Kept = { readonly bytes: ArrayBuffer; readonly contentType: string | undefined };

/** A bucket in memory, as far as the archive uses one. `failing` counts down its failures. */
export function keptBucket(failing = { times: 0 }): {
  readonly bucket: R2Bucket;
  readonly objects: Map<string, Kept>;
} {
  const objects = new Map<string, Kept>();
  const put = (key: string, bytes: ArrayBuffer, options?: R2PutOptions): Promise<void> => {
    if (failing.times-- > 0) return Promise.reject(new Error("put: internal error (10001)"));
    const metadata = options?.httpMetadata as R2HTTPMetadata | undefined;
    if (metadata?.contentEncoding !== undefined) throw new Error("an encoding that clients would undo");
    objects.set(key, { bytes, contentType: metadata?.contentType });
    return Promise.resolve();
  };
  return { bucket: { put } as unknown as R2Bucket, objects };
}

/** The database, whose next batches fail. */
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

export type Places = LedgerDeps & {
  readonly complaints: string[];
  readonly fallen: InterceptorEvent[];
};

export function places(over: Partial<LedgerDeps> = {}): Places {
  const complaints: string[] = [];
  const fallen: InterceptorEvent[] = [];
  return {
    database: null,
    archive: null,
    retentionDays: 60,
    logError: (line) => void complaints.push(line),
    fallback: (events) => void fallen.push(...events),
    ...over,
    complaints,
    fallen,
  };
}

/** The lines of a gzipped NDJSON object, parsed. */
export async function linesOf({ bytes }: Kept): Promise<unknown[]> {
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(unpacked).text();
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  return text
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}
