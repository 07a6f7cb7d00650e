/** The requests to erase a person, while they are open: in events that arrive, and in the archive. */
import type { InterceptorEvent } from "../../../events/event.ts";
import { parseDigests, personOfDigests } from "./digests.ts";
import { eraseEvent } from "./erase-event.ts";
import type { Rules } from "./field-rules.ts";
import type { Query } from "../seal/rebuild.ts";

const DAY_MS = 86_400_000;
/**
 * How long an erasure stays open. A queue keeps a message for at most 14 days:
 * https://developers.cloudflare.com/queues/platform/limits/. By default that is 4, and 4 more in the dead-letter queue.
 */
export const OPEN_MS = 15 * DAY_MS;

export type OpenErasure = {
  readonly id: string;
  readonly rules: Rules;
  /** Milliseconds since 1970. */
  readonly requestedAt: number;
  /** Complete passes over the archive, and the last key of the current one. */
  readonly passes: number;
  readonly cursor: string;
};

const OPEN = `SELECT id, pseudonym, person, technical, requested_at, archive_passes, archive_cursor
FROM erasures WHERE person IS NOT NULL ORDER BY id`;

export type Erasures = {
  readonly open: readonly OpenErasure[];
  /** The ids of requests whose digests cannot be read: they erase nothing. */
  readonly unreadable: readonly string[];
};

export async function readErasures(query: Query): Promise<Erasures> {
  const open: OpenErasure[] = [];
  const unreadable: string[] = [];
  for (const row of await query(OPEN)) {
    const digests = parseDigests(String(row["person"]));
    if (digests)
      open.push({
        id: String(row["id"]),
        rules: {
          person: personOfDigests(String(row["pseudonym"]), digests),
          technical: row["technical"] === 1,
        },
        requestedAt: Number(row["requested_at"]),
        passes: Number(row["archive_passes"]),
        cursor: String(row["archive_cursor"]),
      });
    else unreadable.push(String(row["id"]));
  }
  return { open, unreadable };
}

export const openErasures = async (query: Query): Promise<readonly OpenErasure[]> =>
  (await readErasures(query)).open;

/** Erases the persons of all open erasures. */
export const eraseIn = <T>(event: T, erasures: readonly Pick<OpenErasure, "rules">[]): T =>
  erasures.reduce((erased, { rules }) => eraseEvent(erased, rules), event);

/** Groups of events, such as messages, as they may be stored. The groups themselves where no erasure is open. */
export async function withoutErased<
  T extends { readonly content: { readonly events: readonly InterceptorEvent[] } },
>(query: Query, groups: readonly T[]): Promise<readonly T[]> {
  const erasures = await openErasures(query);
  if (erasures.length === 0) return groups;
  return groups.map((group) => ({
    ...group,
    content: { ...group.content, events: group.content.events.map((event) => eraseIn(event, erasures)) },
  }));
}
