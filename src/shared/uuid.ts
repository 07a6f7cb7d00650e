/** UUIDs (RFC 9562): the text form, new ids in version 7, and the time that those begin with. */

const TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the text is a UUID of any version in its plain 36-character form, in any case. */
export function isUuid(text: string): boolean {
  return text.length === 36 && TEXT.test(text);
}

/** Whether a UUID (`isUuid`) has version 4 (§5.4). */
export const isVersion4 = (uuid: string): boolean => uuid[14] === "4";

/** Whether a UUID (`isUuid`) has the variant of RFC 9562 (§4.1). */
export const isRfcVariant = (uuid: string): boolean => "89abAB".includes(uuid[19] ?? "");

/** A UUID in lower case, so that a user has one id in any spelling; any other id unchanged. */
export function canonicalId(id: string): string {
  return isUuid(id) ? id.toLowerCase() : id;
}

/** A UUID of version 7 (§5.7), which sorts by time. `now`: milliseconds since 1970; the random bits are a version 4's. */
export function uuidV7(now: number, uuidV4: string): string {
  return `${uuidPrefix(now)}-7${uuidV4.slice(15)}`;
}

/** The time of a version 7 UUID (or of an id derived from one), in milliseconds since 1970. */
export function uuidTime(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The 13 characters that every id of this millisecond begins with. It sorts before them and after every older id. */
export function uuidPrefix(ms: number): string {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}`;
}

/** The least id, in UUID form, that a version 7 UUID of this millisecond or later can have. */
export function firstUuidAt(ms: number): string {
  return `${uuidPrefix(ms)}-0000-0000-000000000000`;
}

/** From 0 up to 1, out of a random UUID's first 32 bits. */
export const fraction = (uuid: string): number => Number.parseInt(uuid.slice(0, 8), 16) / 2 ** 32;
