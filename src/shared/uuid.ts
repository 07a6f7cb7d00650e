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

/** A UUID of version 7 (§5.7): sorts by time. `now` in milliseconds since 1970; the random bits are a version 4's. */
export function uuidV7(now: number, uuidV4: string): string {
  const time = now.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${uuidV4.slice(15)}`;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}
