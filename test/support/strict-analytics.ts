/**
 * An Analytics Engine data set with the limits of the real one. The binding of local runtimes accepts any point, so a
 * point that is too large would first fail in production, where the call throws in the middle of a request.
 *
 * Runs in Node and in workerd. It imports nothing, so that workerd can also load it as source text.
 */
export type DataPoint = {
  readonly indexes?: readonly (string | ArrayBuffer | null)[];
  readonly blobs?: readonly (string | ArrayBuffer | null)[];
  readonly doubles?: readonly number[];
};

const MAX_BLOBS = 20;
const MAX_DOUBLES = 20;
const MAX_INDEX_BYTES = 96;
const MAX_BLOB_BYTES = 16_000;

/** The first limit that the point violates, or `null`. */
function pointProblem(point: DataPoint): string | null {
  const { indexes = [], blobs = [], doubles = [] } = point;
  if (indexes.length > 1) return `${indexes.length} indexes, at most 1`;
  if (blobs.length > MAX_BLOBS) return `${blobs.length} blobs, at most ${MAX_BLOBS}`;
  if (doubles.length > MAX_DOUBLES) return `${doubles.length} doubles, at most ${MAX_DOUBLES}`;
  const texts: readonly unknown[] = [...indexes, ...blobs];
  const invalid = texts.findIndex((value) => !isText(value));
  if (invalid !== -1) return `a ${typeof texts[invalid]} instead of a string`;
  const notFinite = doubles.findIndex((value) => typeof value !== "number" || !Number.isFinite(value));
  if (notFinite !== -1) return `double${notFinite + 1} is ${String(doubles[notFinite])}`;
  const indexBytes = byteLength(indexes[0] ?? "");
  if (indexBytes > MAX_INDEX_BYTES) return `an index of ${indexBytes} bytes, at most ${MAX_INDEX_BYTES}`;
  const blobBytes = blobs.reduce((sum: number, blob) => sum + byteLength(blob), 0);
  if (blobBytes > MAX_BLOB_BYTES) return `${blobBytes} bytes of blobs, at most ${MAX_BLOB_BYTES}`;
  return null;
}

function isText(value: unknown): boolean {
  return typeof value === "string" || value === null || value instanceof ArrayBuffer;
}

function byteLength(value: string | ArrayBuffer | null): number {
  if (value === null) return 0;
  return typeof value === "string" ? new TextEncoder().encode(value).length : value.byteLength;
}

/** @throws the TypeError that the real `writeDataPoint` throws. */
export function assertPoint(point: DataPoint): void {
  const problem = pointProblem(point);
  if (problem !== null) throw new TypeError(`writeDataPoint(): ${problem}`);
}

/** In memory, for tests inside workerd. Throws on an invalid point, and on every point while `failing`. */
export class StrictAnalytics {
  readonly points: DataPoint[] = [];
  failing = false;

  writeDataPoint(point: DataPoint = {}): void {
    if (this.failing) throw new Error("Analytics Engine is down");
    assertPoint(point);
    this.points.push(point);
  }
}
