/**
 * Decodes one compressed body, a piece at a time: exactly one stream, frame or member, with nothing behind it. Node's
 * decoders ignore or join what follows, so that is checked here.
 */
import { Refusal } from "../../../shared/refusal.ts";
import { MAX_WINDOW_LOG, type Coding } from "./coding.ts";
import { createGzipHeader, GZIP_TRAILER_BYTES, isGzipTrailer } from "./gzip-member.ts";
import type { Zlib, ZlibStream } from "./zlib.ts";
import { createZstdFrame } from "./zstd-frame.ts";

/** Takes a decoded chunk, which is valid only during the call. A refusal ends the decoding at once. */
export type OnDecoded = (bytes: Uint8Array) => Refusal | null;

export type Decoder = {
  /** Decodes a piece. The caller may reuse its memory afterwards. Refuses `body_encoding_invalid`, `body_encoded`. */
  readonly write: (piece: Uint8Array) => Promise<Refusal | null>;
  /** Ends the body; refuses one that is not complete. */
  readonly end: () => Promise<Refusal | null>;
  readonly cancel: () => void;
};

const invalid = (detail: string): Refusal => new Refusal("body_encoding_invalid", { detail });
const unsupported = (detail: string): Refusal => new Refusal("body_encoded", { detail });

export function createDecoder(coding: Coding, zlib: Zlib, onDecoded: OnDecoded): Decoder {
  if (coding === "gzip") return gzipDecoder(zlib, onDecoded);
  let engine: Engine | null = null;
  const frame = coding === "zstd" ? createZstdFrame() : null;
  let state = frame ? "open" : "complete";
  return {
    write: async (piece) => {
      const [first] = piece;
      if (first === undefined) return null;
      // A window of 16 MiB: WBITS is 24 (RFC 7932 §9.1).
      if (engine === null && coding === "br" && (first & 15) === 15)
        return unsupported("a window over 8 MiB");
      state = frame?.push(piece) ?? state;
      if (state === "unsupported") return unsupported("a dictionary or a window over 8 MiB");
      if (state === "invalid") return invalid("not one zstd frame");
      engine ??= createEngine(openStream(coding, zlib, first), onDecoded);
      return engine.write(piece);
    },
    end: async () => {
      if (engine === null || state !== "complete") return invalid("incomplete");
      const refusal = await engine.end();
      return refusal ?? (engine.unconsumed() === 0 ? null : invalid("bytes behind the end"));
    },
    cancel: () => engine?.cancel(),
  };
}

function openStream(coding: Exclude<Coding, "gzip">, zlib: Zlib, first: number): ZlibStream {
  if (coding === "br") return zlib.createBrotliDecompress();
  if (coding === "zstd")
    return zlib.createZstdDecompress({ params: { [zlib.constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } });
  // Some senders omit zlib's wrapper (RFC 9110 §8.4.1.2). Its first byte ends in 8. No encoder begins raw data so: that would
  // be a stored block with padding that is not zero.
  return (first & 15) === 8 ? zlib.createInflate() : zlib.createInflateRaw();
}

function gzipDecoder(zlib: Zlib, onDecoded: OnDecoded): Decoder {
  const header = createGzipHeader();
  const tail = new Uint8Array(GZIP_TRAILER_BYTES);
  let hasHeader = false;
  let crc = 0;
  let size = 0;
  const engine = createEngine(zlib.createInflateRaw(), (bytes) => {
    crc = zlib.crc32(bytes, crc);
    size += bytes.byteLength;
    return onDecoded(bytes);
  });
  return {
    write: async (piece) => {
      let data = piece;
      if (!hasHeader) {
        const from = header.push(piece);
        if (from === "invalid") return invalid("not a gzip header");
        if (from < 0) return null;
        hasHeader = true;
        data = piece.subarray(from);
      }
      keepLast(tail, data);
      return engine.write(data);
    },
    end: async () => {
      if (!hasHeader) return invalid("incomplete");
      const refusal = await engine.end();
      if (refusal) return refusal;
      const isWhole = engine.unconsumed() === GZIP_TRAILER_BYTES && isGzipTrailer(tail, crc, size);
      return isWhole ? null : invalid("not exactly one gzip member");
    },
    cancel: () => engine.cancel(),
  };
}

/** Keeps the last bytes of all that came, in `tail`. */
function keepLast(tail: Uint8Array, data: Uint8Array): void {
  const last = data.subarray(-tail.byteLength);
  tail.copyWithin(0, last.byteLength);
  tail.set(last, tail.byteLength - last.byteLength);
}

type Engine = {
  readonly write: (piece: Uint8Array) => Promise<Refusal | null>;
  readonly end: () => Promise<Refusal | null>;
  /** The bytes that were written behind the end of the compressed data. */
  readonly unconsumed: () => number;
  readonly cancel: () => void;
};

/** A stream of Node's with promises. `onDecoded` refuses in the midst of a piece, before the rest of it is decoded. */
function createEngine(stream: ZlibStream, onDecoded: OnDecoded): Engine {
  let refusal: Refusal | null = null;
  let hasEnded = false;
  let written = 0;
  let wake: (() => void) | null = null;
  const stop = (reason: Refusal): void => {
    refusal ??= reason;
    stream.destroy();
    wake?.();
  };
  stream.on("data", (bytes) => {
    const reason = refusal ?? onDecoded(bytes);
    if (reason) stop(reason);
  });
  stream.on("end", () => {
    hasEnded = true;
    wake?.();
  });
  stream.on("error", () => stop(invalid("corrupt or incomplete data")));
  const wait = async (start: (done: () => void) => void): Promise<Refusal | null> => {
    if (refusal || hasEnded) return refusal;
    await new Promise<void>((resolve) => {
      wake = resolve;
      start(resolve);
    });
    return refusal;
  };
  return {
    write: (piece) => {
      written += piece.byteLength;
      return piece.byteLength === 0 ? Promise.resolve(refusal) : wait((done) => stream.write(piece, done));
    },
    // Ends with the event, or with the error of incomplete data.
    end: () => wait(() => stream.end()),
    unconsumed: () => written - stream.bytesWritten,
    cancel: () => stream.destroy(),
  };
}
