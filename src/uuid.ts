/** UUIDs, RFC 9562: the text form, and new ids in version 7. */

const TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the text is a UUID of any version in its plain 36-character form, in any case. */
export function isUuid(text: string): boolean {
  return text.length === 36 && TEXT.test(text);
}

/** A UUID in lower case, so that a user has one id however it was typed; any other id as it is. */
export function canonicalId(id: string): string {
  return isUuid(id) ? id.toLowerCase() : id;
}

/** A UUID of version 7 (§5.7): sorts by time. `now` in milliseconds since 1970, `random` fills an array. */
export function uuidV7(now: number, random: (into: Uint8Array) => void): string {
  const bytes = new Uint8Array(16);
  random(bytes);
  let time = now;
  for (let at = 5; at >= 0; at--) {
    bytes[at] = time % 256;
    time = Math.floor(time / 256);
  }
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = toHex(bytes);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}
