/** SHA-256 of bytes that are not held: by a stream that only Workers have. */
import { toHex } from "./hex.ts";

export type Digest = {
  /** A piece may be overwritten once the promise resolves. */
  readonly update: (piece: Uint8Array) => Promise<void>;
  /** 64 lowercase hex digits, once every piece is written. */
  readonly hex: () => Promise<string>;
};

export function createDigest(): Digest {
  const stream = new crypto.DigestStream("SHA-256");
  const writer = stream.getWriter();
  return {
    update: (piece) => writer.write(piece as Uint8Array<ArrayBuffer>),
    hex: async () => {
      await writer.close();
      return toHex(new Uint8Array(await stream.digest));
    },
  };
}
