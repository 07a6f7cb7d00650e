/** Aggregates a page of interceptions for the anomaly scan: by chat, by owner and actor, by hour, by actor and hour. */
import type { AnomalyKind } from "../../../events/anomaly-kinds.ts";
import { uuidPrefix, uuidTime } from "../../../shared/uuid.ts";

/** The columns of an interception that the scan reads. */
export type InterceptionRow = {
  readonly id: string;
  /** Principals: a source, a colon and an id. */
  readonly actor: string;
  readonly initiator: string;
  readonly actor_kind: string;
  readonly attribution: string;
  readonly chat_id: string | null;
  /** A JSON array; null where the row is older than flags, or its start event has not arrived yet. */
  readonly flags: string | null;
  readonly outcome: string | null;
  readonly usage: string | null;
  readonly error: string | null;
  readonly provider: string;
  readonly credential_hint: string | null;
  /** The central keys that providers rejected in its attempts: a JSON array of pairs of a provider and the key's hint. */
  readonly rejected_keys: string;
};

/** The id of a principal. A source's name has no colon. */
export const idOf = (principal: string): string => principal.slice(principal.indexOf(":") + 1);

/** The first and the last interception of a group. */
export type IdRange = { readonly first_id: string; readonly last_id: string };

/** `day` and `hour` are the id prefix (`uuidPrefix`) of their first millisecond. */
export type Aggregates = {
  readonly chats: readonly { readonly day: string; readonly chat_id: string }[];
  /** The actors in a chat whose owner was not accepted: their requests are in no `chats`. */
  readonly rejectedInChats: readonly (IdRange & {
    readonly day: string;
    readonly chat_id: string;
    readonly actor: string;
  })[];
  readonly owners: readonly (IdRange & {
    readonly hour: string;
    readonly owner: string;
    readonly actor: string;
  })[];
  readonly hours: readonly (IdRange & {
    readonly hour: string;
    readonly attribution: string;
    readonly requests: number;
  })[];
  readonly actors: readonly (IdRange & ActorHour)[];
  /** The anomalies that a single request shows, counted. `about`: what the subject is distinguished by. */
  readonly counted: readonly (IdRange & CountedKey & { readonly requests: number })[];
};

export type ActorHour = {
  readonly hour: string;
  readonly actor: string;
  readonly isService: boolean;
  /** Requests that a provider served, and those of them without a usage figure. */
  readonly served: number;
  readonly unknown: number;
};

type CountedKey = {
  readonly kind: AnomalyKind;
  readonly day: string;
  readonly subject: string;
  readonly details: Readonly<Record<string, string | null>>;
};

const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

const NO_FLAGS = "[]";

export function aggregate(rows: readonly InterceptionRow[]): Aggregates {
  const chats = rows.filter(({ chat_id: chat, flags }) => chat !== null && flags === NO_FLAGS);
  const rejected = rows.filter(
    ({ chat_id: chat, flags }) => chat !== null && hasFlag(flags, "owner_rejected"),
  );
  const owned = rows.filter(({ attribution }) => isOwned(attribution));
  return {
    chats: grouped(chats, ({ id, chat_id }) => ({ day: dayOf(id), chat_id: chat_id ?? "" })),
    rejectedInChats: grouped(rejected, ({ id, chat_id, actor }) => ({
      day: dayOf(id),
      chat_id: chat_id ?? "",
      actor,
    })),
    owners: grouped(owned, ({ id, initiator: owner, actor }) => ({ hour: hourOf(id), owner, actor })),
    hours: grouped(rows, ({ id, attribution }) => ({ hour: hourOf(id), attribution })),
    actors: actorHours(rows),
    counted: COUNTED.flatMap((keysOf) =>
      groupedPairs(
        rows.flatMap((row) => keysOf(row).map((key) => [row, { day: dayOf(row.id), ...key }] as const)),
      ),
    ),
  };
}

const isOwned = (attribution: string): boolean => attribution === "asserted" || attribution === "signed";
const hasFlag = (flags: string | null, flag: string): boolean => flags?.includes(`"${flag}"`) ?? false;

type Keyed = Omit<CountedKey, "day">;

const flagOfActor =
  (kind: "coder_agents_without_headers" | "owner_without_chat") =>
  ({ flags, actor }: InterceptionRow): readonly Keyed[] =>
    hasFlag(flags, kind) ? [{ kind, subject: idOf(actor), details: { actor } }] : [];

/** A made-up key costs nothing, so callers that are not verified are counted by what they claim. */
function unverifiedClaim({ attribution, flags, initiator }: InterceptionRow): readonly Keyed[] {
  const kind = "unverified_owner_claims";
  if (attribution === "claimed") return [{ kind, subject: idOf(initiator), details: { owner: initiator } }];
  const isRejected = attribution === "unverified" && hasFlag(flags, "owner_rejected");
  return isRejected ? [{ kind, subject: "rejected", details: {} }] : [];
}

/** Each key of the request's attempts, also where it succeeded with another one. */
function rejectedKeys(row: InterceptionRow): readonly Keyed[] {
  const { error, provider, credential_hint } = row;
  const ofAttempts = JSON.parse(row.rejected_keys) as readonly RejectedKey[];
  const isOnly = ofAttempts.length === 0 && error === "upstream_key_rejected";
  const all: readonly RejectedKey[] = isOnly ? [[provider, credential_hint]] : ofAttempts;
  const distinct = new Map(all.map((pair) => [pair.join(" "), pair]));
  return [...distinct.values()].map(([subject, hint]) => ({
    kind: "provider_key_rejected",
    subject,
    details: { credential_hint: hint },
  }));
}

type RejectedKey = readonly [provider: string, hint: string | null];

const leakedKey = ({ error, provider, credential_hint }: InterceptionRow): readonly Keyed[] =>
  error === "upstream_key_leaked"
    ? [{ kind: "provider_key_leaked", subject: provider, details: { credential_hint } }]
    : [];

const COUNTED: readonly ((row: InterceptionRow) => readonly Keyed[])[] = [
  flagOfActor("coder_agents_without_headers"),
  flagOfActor("owner_without_chat"),
  unverifiedClaim,
  rejectedKeys,
  leakedKey,
];

/** The outcomes of a response that a provider sent, completely or in part, or still has to send. */
const SERVED: ReadonlySet<string | null> = new Set([
  "completed",
  "cancelled",
  "truncated",
  "stalled",
  "queued",
]);

/** A caller that no provider served and that named no owner leaves no row: any made-up key is an actor. */
const isNoted = (group: readonly InterceptionRow[]): boolean =>
  group.some(({ outcome, attribution }) => SERVED.has(outcome) || isOwned(attribution));

function actorHours(rows: readonly InterceptionRow[]): (IdRange & ActorHour)[] {
  const groups = Map.groupBy(rows, ({ id, actor }) => `${hourOf(id)} ${actor}`);
  return [...groups.values()].filter(isNoted).map((group) => {
    const [first, last] = [group[0] as InterceptionRow, group.at(-1) as InterceptionRow];
    const served = group.filter(({ outcome }) => SERVED.has(outcome));
    return {
      hour: hourOf(first.id),
      actor: first.actor,
      isService: first.actor_kind === "service",
      served: served.length,
      unknown: served.filter(({ usage }) => usage === "unknown").length,
      first_id: first.id,
      last_id: last.id,
    };
  });
}

/** One group per key, with its first and last row and the number of its rows. The rows are in the order of their ids. */
const grouped = <Key extends object>(
  rows: readonly InterceptionRow[],
  keyOf: (row: InterceptionRow) => Key,
): Group<Key>[] => groupedPairs(rows.map((row) => [row, keyOf(row)]));

type Group<Key> = Key & IdRange & { readonly requests: number };

function groupedPairs<Key extends object>(
  pairs: readonly (readonly [row: InterceptionRow, key: Key])[],
): Group<Key>[] {
  const groups = new Map<string, Group<Key>>();
  for (const [row, fields] of pairs) {
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
