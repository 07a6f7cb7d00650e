/** Aggregates a page of interceptions for the anomaly scan: by chat, by owner and actor, by hour. */
import { uuidPrefix, uuidTime } from "../../../shared/uuid.ts";

/** The columns of an interception that the scan reads. */
export type InterceptionRow = {
  readonly id: string;
  readonly actor_id: string;
  readonly initiator_id: string;
  readonly attribution: string;
  readonly chat_id: string | null;
  /** A JSON array; null where the row is older than flags, or its start event has not arrived yet. */
  readonly flags: string | null;
};

/** The first and the last interception of a group. */
export type IdRange = { readonly first_id: string; readonly last_id: string };

/** `day` and `hour` are the id prefix (`uuidPrefix`) of their first millisecond. */
export type Aggregates = {
  readonly chats: readonly { readonly day: string; readonly chat_id: string }[];
  readonly owners: readonly (IdRange & {
    readonly day: string;
    readonly owner_id: string;
    readonly actor_id: string;
  })[];
  readonly hours: readonly (IdRange & {
    readonly hour: string;
    readonly attribution: string;
    readonly requests: number;
  })[];
  readonly withoutHeaders: readonly (IdRange & {
    readonly day: string;
    readonly actor_id: string;
    readonly requests: number;
  })[];
};

const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

const NO_FLAGS = "[]";

export function aggregate(rows: readonly InterceptionRow[]): Aggregates {
  const chats = rows.filter(({ chat_id: chat, flags }) => chat !== null && flags === NO_FLAGS);
  const owned = rows.filter(({ attribution }) => attribution === "asserted" || attribution === "signed");
  const without = rows.filter(({ flags }) => flags?.includes('"coder_agents_without_headers"'));
  return {
    chats: grouped(chats, ({ id, chat_id }) => ({ day: dayOf(id), chat_id: chat_id ?? "" })),
    owners: grouped(owned, ({ id, initiator_id, actor_id }) => ({
      day: dayOf(id),
      owner_id: initiator_id,
      actor_id,
    })),
    hours: grouped(rows, ({ id, attribution }) => ({ hour: hourOf(id), attribution })),
    withoutHeaders: grouped(without, ({ id, actor_id }) => ({ day: dayOf(id), actor_id })),
  };
}

/** One group per key, with its first and last row and the number of its rows. The rows are in the order of their ids. */
function grouped<Key extends object>(
  rows: readonly InterceptionRow[],
  keyOf: (row: InterceptionRow) => Key,
): (Key & IdRange & { readonly requests: number })[] {
  const groups = new Map<string, Key & IdRange & { readonly requests: number }>();
  for (const row of rows) {
    const fields = keyOf(row);
    const key = JSON.stringify(fields);
    const group = groups.get(key);
    groups.set(key, {
      ...fields,
      first_id: group?.first_id ?? row.id,
      last_id: row.id,
      requests: (group?.requests ?? 0) + 1,
    });
  }
  return [...groups.values()];
}

const startOf = (id: string, spanMs: number): string => {
  const at = uuidTime(id);
  return uuidPrefix(at - (at % spanMs));
};

export const dayOf = (id: string): string => startOf(id, DAY_MS);
export const hourOf = (id: string): string => startOf(id, HOUR_MS);
