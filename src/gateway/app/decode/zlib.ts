/** The part of `node:zlib` that decodes request bodies. It is imported when the first compressed body arrives. */

/** A decoder as a stream of Node's. */
export type ZlibStream = {
  readonly write: (bytes: Uint8Array, done: () => void) => unknown;
  readonly end: () => unknown;
  readonly destroy: () => unknown;
  readonly on: {
    (event: "data", listener: (bytes: Uint8Array) => void): unknown;
    (event: "end" | "error", listener: () => void): unknown;
  };
  /** The bytes that the decoder has consumed. Bytes behind the end of its data do not count. */
  readonly bytesWritten: number;
};

export type Zlib = {
  readonly createInflate: () => ZlibStream;
  readonly createInflateRaw: () => ZlibStream;
  readonly createBrotliDecompress: () => ZlibStream;
  readonly createZstdDecompress: (options: { readonly params: Record<number, number> }) => ZlibStream;
  readonly crc32: (bytes: Uint8Array, value: number) => number;
  readonly constants: { readonly ZSTD_d_windowLogMax: number };
};

export type LoadZlib = () => Promise<Zlib>;

/** Rejects in a runtime without the module. */
export const loadZlib: LoadZlib = async () => (await import("node:zlib")) as unknown as Zlib;
