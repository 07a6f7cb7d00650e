/**
 * Detects anomalies in the aggregates of a page and their context from the ledger: one anomaly per kind, subject and day.
 * It does no I/O. An anomaly is a reason to look, not proof.
 */
import { sha256Hex } from "../../../shared/digest.ts";
import type { AnomalyKind } from "../../../events/anomaly-kinds.ts";
import { DAY_MS, dayOf, idOf, type Aggregates, type IdRange } from "./aggregate.ts";
import { uuidPrefix, uuidTime } from "../../../shared/uuid.ts";

export type Anomaly = {
  readonly id: string;
  readonly kind: AnomalyKind;
  /** The id of the chat, owner, actor or credential; a provider; or a fixed word (`ANOMALY_KINDS`). */
  readonly subject: string;
  readonly first_interception_id: string;
  readonly last_interception_id: string;
  /** Initiators or actors, bounded by the number that `anomaly-sql.ts` reads; or requests. */
  readonly count: number;
  readonly details: object;
  readonly first_seen: string;
  readonly last_seen: string;
};

/** An owner with more actors than this in a day is an anomaly. */
export const MANY_ACTORS = 3;
/**
 * Owners per actor and hour. A person's credential is for one person, and rarely for a few accounts of theirs. A service
 * such as Coder's gateway speaks for every user of that hour, so it is compared with its own busiest hour too.
 */
export const MANY_OWNERS = { person: 3, service: 20, growth: 3 };
/** Fewer are clients that disconnect early. A fifth of a day's requests without a figure is no accident any more. */
export const UNKNOWN_USAGE = { requests: 10, share: 0.2 };
/** Refusals per credential and hour: more than one a minute is no person. A broken client is worth a look as well. */
export const KEY_REFUSALS = 60;
/** Minimum requests of the hour and of the days before it, and by how much the share must grow. */
export const SHARE_SPIKE = { requests: 50, before: 500, by: 0.25, days: 7 };
/** An actor and an initiator that occur together in a chat. */
export type ChatPair = IdRange & {
  readonly chat_id: string;
  readonly actor: string;
  readonly initiator: string;
};
/** An actor in a chat, by one of its interceptions. */
export type ChatActor = Pick<ChatPair, "chat_id" | "actor" | keyof IdRange>;
/** The actors that asserted an owner on a day; bounded. */
export type OwnerActors = {
  readonly day: string;
  readonly owner: string;
  readonly actors: readonly (IdRange & { readonly actor: string })[];
};
/** The ledger's rows about an actor's hour; null where it has none. */
export type ActorHourContext = {
  readonly hour: string;
  readonly actor: string;
  readonly served: number | null;
  readonly unknown: number | null;
  readonly last_id: string | null;
  readonly owners: number;
  readonly busiest: number | null;
  readonly served_before: number | null;
  readonly unknown_before: number | null;
};
/** An actor's hour with the page's requests. */
export type ActorHourTotal = IdRange &
  Pick<ActorHourContext, "hour" | "actor" | "owners"> & {
    readonly isService: boolean;
    readonly served: number;
    readonly unknown: number;
    readonly busiest: number;
    /** Of the day, up to this hour. */
    readonly servedOfDay: number;
    readonly unknownOfDay: number;
  };
export type Hour = IdRange & {
  readonly hour: string;
  readonly attribution: string;
  readonly requests: number;
};

/** Rows of the ledger about the same chats, owners and hours. */
export type LedgerContext = {
  readonly pairs: readonly ChatPair[];
  readonly owners: readonly OwnerActors[];
  /** The hours of the page as counted before it, and the week before each. */
  readonly hours: readonly Hour[];
  readonly actors: readonly ActorHourTotal[];
  /** The actors of the page's chats; bounded. */
  readonly chatActors: readonly ChatActor[];
};

export async function detectAnomalies(
  aggregates: Aggregates,
  { pairs, owners, hours, actors, chatActors }: LedgerContext,
): Promise<Anomaly[]> {
  const byChat = Map.groupBy(pairs, ({ chat_id: chat }) => chat);
  const hoursInPage = [...new Set(aggregates.hours.map(({ hour }) => hour))];
  const updated = addHours(hours, aggregates.hours);
  return Promise.all([
    ...aggregates.chats.flatMap(({ day, chat_id: chat }) => chatAnomalies(day, chat, byChat.get(chat) ?? [])),
    ...actorsInChats(aggregates, [...pairs, ...chatActors]),
    ...owners.flatMap(ownerAnomalies),
    ...aggregates.counted.map(({ kind, subject, day, details, requests: count, ...range }) =>
      anomaly({ kind, subject, day, range, count, details, key: JSON.stringify(details) }),
    ),
    ...actors.flatMap(manyOwners),
    ...actors.flatMap(unknownUsage),
    ...hoursInPage.flatMap((hour) => shareSpike(hour, updated)),
  ]);
}

function chatAnomalies(day: string, chat: string, pairs: readonly ChatPair[]): Promise<Anomaly>[] {
  const byActor = [...Map.groupBy(pairs, ({ actor }) => actor).values()];
  const switching = byActor.flatMap((actorPairs) => (actorPairs.length > 1 ? actorPairs : []));
  return [
    multipleInitiators("chat_multiple_initiators", day, chat, pairs),
    multipleInitiators("actor_multiple_owners", day, chat, switching),
  ].flat();
}

/** The anomaly begins with the second initiator. */
function multipleInitiators(
  kind: AnomalyKind,
  day: string,
  chat: string,
  pairs: readonly ChatPair[],
): Promise<Anomaly>[] {
  const owners = firstOf(pairs, ({ initiator }) => initiator);
  const [, second] = owners;
  if (!second) return [];
  const range = { first_id: second.first_id, last_id: lastOf(pairs) };
  const details = {
    initiators: owners.map(({ initiator }) => initiator),
    actors: firstOf(pairs, ({ actor }) => actor).map(({ actor }) => actor),
  };
  return [anomaly({ kind, subject: chat, day, range, count: owners.length, details })];
}

/** The anomaly begins with the second actor. A request whose owner was rejected counts too: its caller knows the chat. */
function actorsInChats(
  { chats, rejectedInChats }: Aggregates,
  stored: readonly ChatActor[],
): Promise<Anomaly>[] {
  const byChat = Map.groupBy(stored, ({ chat_id: chat }) => chat);
  const seen = new Map([...chats, ...rejectedInChats].map((one) => [`${one.day} ${one.chat_id}`, one]));
  return [...seen.values()].flatMap(({ day, chat_id: chat }) => {
    const rejected = rejectedInChats.filter((one) => one.day === day && one.chat_id === chat);
    const all: readonly ChatActor[] = [...(byChat.get(chat) ?? []), ...rejected];
    const actors = firstOf(all, ({ actor }) => actor);
    const [, second] = actors;
    if (!second) return [];
    const range = { first_id: second.first_id, last_id: lastOf(all) };
    const details = { actors: actors.map(({ actor }) => actor) };
    const kind = "chat_multiple_actors";
    return [anomaly({ kind, subject: chat, day, range, count: actors.length, details })];
  });
}

/** Compares an actor's owners of an hour with a fixed number and, for a service, with its own week. */
function manyOwners({
  hour,
  actor,
  isService,
  owners,
  busiest,
  ...range
}: ActorHourTotal): Promise<Anomaly>[] {
  const most = isService ? Math.max(MANY_OWNERS.service, MANY_OWNERS.growth * busiest) : MANY_OWNERS.person;
  if (owners <= most) return [];
  const details = { hour: iso(hour), actor, busiest_hour_before: busiest };
  return [ofActor("actor_many_owners", { actor, range, count: owners, details })];
}

function unknownUsage({ actor, unknownOfDay, servedOfDay, ...range }: ActorHourTotal): Promise<Anomaly>[] {
  const share = servedOfDay === 0 ? 0 : unknownOfDay / servedOfDay;
  if (unknownOfDay < UNKNOWN_USAGE.requests || share < UNKNOWN_USAGE.share) return [];
  const details = { actor, requests: servedOfDay, share: rounded(share) };
  return [ofActor("unknown_usage_share", { actor, range, count: unknownOfDay, details })];
}

type OfActor = Pick<Anomaly, "count" | "details"> & { readonly actor: string; readonly range: IdRange };

function ofActor(kind: AnomalyKind, { actor, range, count, details }: OfActor): Promise<Anomaly> {
  const { first_id, last_id } = range;
  const day = dayOf(first_id);
  return anomaly({
    kind,
    subject: idOf(actor),
    day,
    range: { first_id, last_id },
    count,
    details,
    key: actor,
  });
}

/** A credential's refusals of an hour, the page's included. */
export type KeyHour = IdRange & {
  readonly hour: string;
  readonly api_key_id: string;
  readonly refusals: number;
  readonly first_interception_id: string;
  readonly last_interception_id: string;
  readonly details: Readonly<Record<string, unknown>>;
};

export function keyAnomalies(keys: readonly KeyHour[]): Promise<Anomaly[]> {
  return Promise.all(
    keys.flatMap((key) => {
      if (key.refusals <= KEY_REFUSALS) return [];
      const range = { first_id: key.first_interception_id, last_id: key.last_interception_id };
      const details = { hour: iso(key.hour), ...key.details };
      const { api_key_id: subject, refusals: count } = key;
      const day = dayOf(key.hour);
      return [anomaly({ kind: "key_many_refusals", subject, day, range, count, details })];
    }),
  );
}

function ownerAnomalies({ day, owner, actors }: OwnerActors): Promise<Anomaly>[] {
  const sorted = firstOf(actors, ({ actor }) => actor);
  const excess = sorted[MANY_ACTORS];
  if (!excess) return [];
  const range = { first_id: excess.first_id, last_id: lastOf(actors) };
  const details = { owner, actors: sorted.map(({ actor }) => actor) };
  const [kind, subject, count] = ["owner_many_actors", idOf(owner), actors.length] as const;
  return [anomaly({ kind, subject, day, range, count, details, key: owner })];
}

/** Compares the hour's share of `asserted` with that of the whole week before it. */
function shareSpike(hour: string, hours: readonly Hour[]): Promise<Anomaly>[] {
  const from = uuidPrefix(Math.max(0, uuidTime(hour) - SHARE_SPIKE.days * DAY_MS));
  const now = sharesOf(hours.filter((one) => one.hour === hour));
  const before = sharesOf(hours.filter((one) => one.hour >= from && one.hour < hour));
  if (now.requests < SHARE_SPIKE.requests || before.requests < SHARE_SPIKE.before) return [];
  if (!now.asserted || now.share - before.share <= SHARE_SPIKE.by) return [];
  const { first_id, last_id, requests } = now.asserted;
  const details = {
    hour: iso(hour),
    requests: now.requests,
    share: rounded(now.share),
    share_before: rounded(before.share),
  };
  const range = { first_id, last_id };
  const day = dayOf(first_id);
  return [
    anomaly({ kind: "asserted_share_spike", subject: "asserted", day, range, count: requests, details }),
  ];
}

/** The counts after this page: adds as the SQL of `attribution_hours` does (`anomaly-sql.ts`). */
function addHours(hours: readonly Hour[], added: readonly Hour[]): readonly Hour[] {
  const key = ({ hour, attribution }: Hour): string => `${hour} ${attribution}`;
  const all = new Map(hours.map((hour) => [key(hour), hour]));
  for (const one of added) {
    const known = all.get(key(one));
    if (!known) all.set(key(one), one);
    else if (one.first_id > known.last_id)
      all.set(key(one), { ...known, requests: known.requests + one.requests, last_id: one.last_id });
  }
  return [...all.values()];
}

function sharesOf(hours: readonly Hour[]) {
  const sum = (some: readonly Hour[]): number => some.reduce((all, { requests }) => all + requests, 0);
  const asserted = hours.filter(({ attribution }) => attribution === "asserted");
  const requests = sum(hours);
  return { requests, share: requests === 0 ? 0 : sum(asserted) / requests, asserted: asserted[0] };
}

async function anomaly({
  kind,
  subject,
  day,
  range,
  count,
  details,
  key = subject,
}: Pick<Anomaly, "kind" | "subject" | "count" | "details"> & {
  readonly day: string;
  readonly range: IdRange;
  /** Distinguishes it from others of the kind and day, where two can have one subject. */
  readonly key?: string;
}): Promise<Anomaly> {
  return {
    id: await anomalyId(kind, `${subject}\n${key}`, day),
    kind,
    subject,
    first_interception_id: range.first_id,
    last_interception_id: range.last_id,
    count,
    details,
    first_seen: iso(range.first_id),
    last_seen: iso(range.last_id),
  };
}

/** A UUID of version 8: the day's start and 72 bits of the hash of kind, subject and key. */
async function anomalyId(kind: AnomalyKind, subject: string, day: string): Promise<string> {
  const hash = await sha256Hex(`${kind}\n${subject}`);
  return `${day}-8${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
}

/** The earliest range of each key, in the order of time. */
function firstOf<T extends IdRange>(ranges: readonly T[], key: (range: T) => string): T[] {
  const first = new Map<string, T>();
  for (const range of ranges.toSorted((a, b) => (a.first_id < b.first_id ? -1 : 1)))
    if (!first.has(key(range))) first.set(key(range), range);
  return [...first.values()];
}

const lastOf = (ranges: readonly IdRange[]): string =>
  ranges.reduce((last, { last_id: id }) => (id > last ? id : last), "");

const iso = (id: string): string => new Date(uuidTime(id)).toISOString();
const rounded = (share: number): number => Math.round(share * 1e6) / 1e6;
