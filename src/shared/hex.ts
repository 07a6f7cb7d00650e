/** Bytes as hexadecimal text, and back. */

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Two lower-case digits per byte. */
export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}

const PAIRS = /^(?:[0-9a-f]{2})*$/i;

/**
 * The bytes that the digits spell, in either case.
 * @throws RangeError where the text is not pairs of hexadecimal digits: a MAC or digest is never decoded in part.
 */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  if (!PAIRS.test(hex)) throw new RangeError("not hexadecimal");
  const bytes = new Uint8Array(hex.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}
