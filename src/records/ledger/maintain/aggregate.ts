import { uuidPrefix, uuidTime } from "../../../shared/uuid.ts";

/** Of an interception, what is looked at. */
export type InterceptionRow = {
  readonly id: string;
  readonly actor_id: string;
  readonly initiator_id: string;
  readonly attribution: string;
  readonly chat_id: string | null;
  /** A JSON list; null where the row is older than flags, or its start has not come yet. */
  readonly flags: string | null;
};

/** The first and the last interception in which it was seen. */
export type IdRange = { readonly first_id: string; readonly last_id: string };

/** `day` and `hour`: what the ids of their first millisecond begin with. */
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

export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

const PLAIN = "[]";

export function aggregate(rows: readonly InterceptionRow[]): Aggregates {
  const chats = rows.filter(({ chat_id: chat, flags }) => chat !== null && flags === PLAIN);
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

/** One for all the rows that say the same, with the first and the last of them and how many they are. */
function grouped<Said extends object>(
  rows: readonly InterceptionRow[],
  say: (row: InterceptionRow) => Said,
): (Said & IdRange & { readonly requests: number })[] {
  const groups = new Map<string, Said & IdRange & { readonly requests: number }>();
  for (const row of rows) {
    const said = say(row);
    const key = JSON.stringify(said);
    const group = groups.get(key);
    groups.set(key, {
      ...said,
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
