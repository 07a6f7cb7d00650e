/** The time that an id begins with, and what the ids of a time begin with: both in milliseconds since 1970. */

export function uuidTime(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** Sorts before every id of that millisecond, and behind every older one. */
export function uuidPrefix(ms: number): string {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}`;
}
