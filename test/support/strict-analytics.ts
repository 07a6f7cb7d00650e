/**
 * An Analytics Engine data set that refuses what the real one refuses. The binding of local runtimes takes anything,
 * so a point that is too large would first fail in production, by throwing in the middle of a request.
 *
 * Runs in Node and in workerd; imports nothing, so that it can also be handed to workerd as source text.
 */
export type DataPoint = {
  readonly indexes?: readonly (string | ArrayBuffer | null)[];
  readonly blobs?: readonly (string | ArrayBuffer | null)[];
  readonly doubles?: readonly number[];
};

const MOST_BLOBS = 20;
const MOST_DOUBLES = 20;
const MOST_INDEX_BYTES = 96;
const MOST_BLOB_BYTES = 16_000;

/** What is wrong with a point, or `null`. */
export function pointProblem(point: DataPoint): string | null {
  const { indexes = [], blobs = [], doubles = [] } = point;
  if (indexes.length > 1) return `${indexes.length} indexes, at most 1`;
  if (blobs.length > MOST_BLOBS) return `${blobs.length} blobs, at most ${MOST_BLOBS}`;
  if (doubles.length > MOST_DOUBLES) return `${doubles.length} doubles, at most ${MOST_DOUBLES}`;
  const texts: readonly unknown[] = [...indexes, ...blobs];
  const odd = texts.findIndex((value) => !isText(value));
  if (odd !== -1) return `a ${typeof texts[odd]} where a string belongs`;
  const notFinite = doubles.findIndex((value) => typeof value !== "number" || !Number.isFinite(value));
  if (notFinite !== -1) return `double${notFinite + 1} is ${String(doubles[notFinite])}`;
  const indexBytes = byteLength(indexes[0] ?? "");
  if (indexBytes > MOST_INDEX_BYTES) return `an index of ${indexBytes} bytes, at most ${MOST_INDEX_BYTES}`;
  const blobBytes = blobs.reduce((sum: number, blob) => sum + byteLength(blob), 0);
  if (blobBytes > MOST_BLOB_BYTES) return `${blobBytes} bytes of blobs, at most ${MOST_BLOB_BYTES}`;
  return null;
}

function isText(value: unknown): boolean {
  return typeof value === "string" || value === null || value instanceof ArrayBuffer;
}

function byteLength(value: string | ArrayBuffer | null): number {
  if (value === null) return 0;
  return typeof value === "string" ? new TextEncoder().encode(value).length : value.byteLength;
}

/** Throws the TypeError that `writeDataPoint` throws. */
export function assertPoint(point: DataPoint): void {
  const problem = pointProblem(point);
  if (problem !== null) throw new TypeError(`writeDataPoint(): ${problem}`);
}

/** In memory, for tests inside workerd: keeps the points, throws at once on a bad one, or on every one if told to. */
export class StrictAnalytics {
  readonly points: DataPoint[] = [];
  failing = false;

  writeDataPoint(point: DataPoint = {}): void {
    if (this.failing) throw new Error("Analytics Engine is down");
    assertPoint(point);
    this.points.push(point);
  }
}
