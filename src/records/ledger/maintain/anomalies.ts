/**
 * Detects anomalies in the aggregates of a page and their context from the ledger: one anomaly per kind, subject and day.
 * It does no I/O. An anomaly is a reason to look, not proof.
 */
import { sha256Hex } from "../../../shared/digest.ts";
import type { AnomalyKind } from "../../../events/vocabulary.ts";
import { DAY_MS, dayOf, type Aggregates, type IdRange } from "./aggregate.ts";
import { uuidPrefix, uuidTime } from "../../../shared/uuid.ts";

export type Anomaly = {
  readonly id: string;
  readonly kind: AnomalyKind;
  /** The id of the chat, owner or actor; `asserted` for a share of requests. */
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
/** Minimum requests of the hour and of the days before it, and by how much the share must grow. */
export const SHARE_SPIKE = { requests: 50, before: 500, by: 0.25, days: 7 };
/** An actor and an initiator that occur together in a chat. */
export type ChatPair = IdRange & {
  readonly chat_id: string;
  readonly actor_id: string;
  readonly initiator_id: string;
};
/** The actors that asserted an owner on a day; bounded. */
export type OwnerActors = {
  readonly day: string;
  readonly owner_id: string;
  readonly actors: readonly (IdRange & { readonly actor_id: string })[];
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
};

export async function detectAnomalies(
  aggregates: Aggregates,
  { pairs, owners, hours }: LedgerContext,
): Promise<Anomaly[]> {
  const byChat = Map.groupBy(pairs, ({ chat_id: chat }) => chat);
  const hoursInPage = [...new Set(aggregates.hours.map(({ hour }) => hour))];
  const updated = addHours(hours, aggregates.hours);
  return Promise.all([
    ...aggregates.chats.flatMap(({ day, chat_id: chat }) => chatAnomalies(day, chat, byChat.get(chat) ?? [])),
    ...owners.flatMap(ownerAnomalies),
    ...aggregates.withoutHeaders.map(({ day, actor_id: subject, requests: count, ...range }) =>
      anomaly({ kind: "coder_agents_without_headers", subject, day, range, count, details: {} }),
    ),
    ...hoursInPage.flatMap((hour) => shareSpike(hour, updated)),
  ]);
}

function chatAnomalies(day: string, chat: string, pairs: readonly ChatPair[]): Promise<Anomaly>[] {
  const byActor = [...Map.groupBy(pairs, ({ actor_id: actor }) => actor).values()];
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
  const owners = firstOf(pairs, ({ initiator_id: initiator }) => initiator);
  const [, second] = owners;
  if (!second) return [];
  const range = { first_id: second.first_id, last_id: lastOf(pairs) };
  const details = {
    initiators: owners.map(({ initiator_id: initiator }) => initiator),
    actors: firstOf(pairs, ({ actor_id: actor }) => actor).map(({ actor_id: actor }) => actor),
  };
  return [anomaly({ kind, subject: chat, day, range, count: owners.length, details })];
}

function ownerAnomalies({ day, owner_id: owner, actors }: OwnerActors): Promise<Anomaly>[] {
  const sorted = firstOf(actors, ({ actor_id: actor }) => actor);
  const excess = sorted[MANY_ACTORS];
  if (!excess) return [];
  const range = { first_id: excess.first_id, last_id: lastOf(actors) };
  const details = { actors: sorted.map(({ actor_id: actor }) => actor) };
  return [anomaly({ kind: "owner_many_actors", subject: owner, day, range, count: actors.length, details })];
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
}: Pick<Anomaly, "kind" | "subject" | "count" | "details"> & {
  readonly day: string;
  readonly range: IdRange;
}): Promise<Anomaly> {
  return {
    id: await anomalyId(kind, subject, day),
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

/** A UUID of version 8: the day's start and 72 bits of the hash of kind and subject. */
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
