/**
 * What of all that was seen is odd. Receives sightings and what the ledger holds beside them; hands on anomalies, one per
 * kind, subject and day. Asks nobody, proves nothing: each is a reason to look.
 */
import { sha256Hex } from "../../../shared/digest.ts";
import { DAY_MS, dayOf, type Aggregates, type IdRange } from "./aggregate.ts";
import { uuidPrefix, uuidTime } from "../../../shared/uuid.ts";

export type AnomalyKind =
  | "chat_multiple_initiators" // one chat's id on the account of several
  | "actor_multiple_owners" // the same, and in the mouth of one actor
  | "owner_many_actors" // more actors in a day than one owner has reason for
  | "coder_agents_without_headers" // Coder Agents by its own word, naming neither owner nor chat
  | "asserted_share_spike"; // far more of an hour's requests are asserted than in the week before

export type Anomaly = {
  readonly id: string;
  readonly kind: AnomalyKind;
  /** The chat's, the owner's or the actor's id; for what is nobody's, the word for it. */
  readonly subject: string;
  readonly first_interception_id: string;
  readonly last_interception_id: string;
  /** Of initiators or actors, at most as many as are read (`watch.ts`); or of requests. */
  readonly count: number;
  readonly details: object;
  readonly first_seen: string;
  readonly last_seen: string;
};

/** More than so many actors for one owner in a day. */
export const MANY_ACTORS = 3;
/** So many requests in the hour and in the week before it, or there is nothing to compare; and so much more of them. */
export const SHARE_SPIKE = { requests: 50, before: 500, by: 0.25, days: 7 };
/** Who has spoken in a chat for whom. */
export type ChatPair = IdRange & {
  readonly chat_id: string;
  readonly actor_id: string;
  readonly initiator_id: string;
};
/** Who has asserted an owner on a day; not all of them, where they are very many. */
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

/** What the ledger holds about what was seen. */
export type LedgerContext = {
  readonly pairs: readonly ChatPair[];
  readonly owners: readonly OwnerActors[];
  /** Every hour that was seen, without what was seen now, and the week before each. */
  readonly hours: readonly Hour[];
};

export async function detectAnomalies(
  seen: Aggregates,
  { pairs, owners, hours }: LedgerContext,
): Promise<Anomaly[]> {
  const byChat = Map.groupBy(pairs, ({ chat_id: chat }) => chat);
  const touched = [...new Set(seen.hours.map(({ hour }) => hour))];
  const added = withThese(hours, seen.hours);
  return Promise.all([
    ...seen.chats.flatMap(({ day, chat_id: chat }) => chatAnomalies(day, chat, byChat.get(chat) ?? [])),
    ...owners.flatMap(ownerAnomalies),
    ...seen.withoutHeaders.map(({ day, actor_id: actor, requests, ...span }) =>
      anomaly("coder_agents_without_headers", actor, day, span, requests, {}),
    ),
    ...touched.flatMap((hour) => shareSpike(hour, added)),
  ]);
}

function chatAnomalies(day: string, chat: string, pairs: readonly ChatPair[]): Promise<Anomaly>[] {
  const switching = [...Map.groupBy(pairs, ({ actor_id: actor }) => actor).values()].flatMap((own) =>
    own.length > 1 ? own : [],
  );
  return [
    multipleInitiators("chat_multiple_initiators", day, chat, pairs),
    multipleInitiators("actor_multiple_owners", day, chat, switching),
  ].flat();
}

/** It is odd from the second initiator on. */
function multipleInitiators(
  kind: AnomalyKind,
  day: string,
  chat: string,
  pairs: readonly ChatPair[],
): Promise<Anomaly>[] {
  const owners = firstOf(pairs, ({ initiator_id: initiator }) => initiator);
  const [, second] = owners;
  if (!second) return [];
  const span = { first_id: second.first_id, last_id: lastOf(pairs) };
  const details = {
    initiators: owners.map(({ initiator_id: initiator }) => initiator),
    actors: firstOf(pairs, ({ actor_id: actor }) => actor).map(({ actor_id: actor }) => actor),
  };
  return [anomaly(kind, chat, day, span, owners.length, details)];
}

function ownerAnomalies({ day, owner_id: owner, actors }: OwnerActors): Promise<Anomaly>[] {
  const sorted = firstOf(actors, ({ actor_id: actor }) => actor);
  const one = sorted[MANY_ACTORS];
  if (!one) return [];
  const span = { first_id: one.first_id, last_id: lastOf(actors) };
  const details = { actors: sorted.map(({ actor_id: actor }) => actor) };
  return [anomaly("owner_many_actors", owner, day, span, actors.length, details)];
}

/** The hour's share of `asserted` against that of the whole week before it. */
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
  return [
    anomaly("asserted_share_spike", "asserted", dayOf(first_id), { first_id, last_id }, requests, details),
  ];
}

/** As the ledger adds them up (`watch.ts`). */
function withThese(hours: readonly Hour[], seen: readonly Hour[]): readonly Hour[] {
  const key = ({ hour, attribution }: Hour): string => `${hour} ${attribution}`;
  const all = new Map(hours.map((hour) => [key(hour), hour]));
  for (const one of seen) {
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

async function anomaly(
  kind: AnomalyKind,
  subject: string,
  day: string,
  { first_id: first, last_id: last }: IdRange,
  count: number,
  details: object,
): Promise<Anomaly> {
  return {
    id: await anomalyId(kind, subject, day),
    kind,
    subject,
    first_interception_id: first,
    last_interception_id: last,
    count,
    details,
    first_seen: iso(first),
    last_seen: iso(last),
  };
}

/** A UUID of version 8: the day's start, and 72 bits of what it is about. */
async function anomalyId(kind: AnomalyKind, subject: string, day: string): Promise<string> {
  const hash = await sha256Hex(`${kind}\n${subject}`);
  return `${day}-8${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
}

/** The earliest of each, in the order of time. */
function firstOf<T extends IdRange>(spans: readonly T[], key: (span: T) => string): T[] {
  const first = new Map<string, T>();
  for (const span of spans.toSorted((a, b) => (a.first_id < b.first_id ? -1 : 1)))
    if (!first.has(key(span))) first.set(key(span), span);
  return [...first.values()];
}

const lastOf = (spans: readonly IdRange[]): string =>
  spans.reduce((last, { last_id: id }) => (id > last ? id : last), "");

const iso = (id: string): string => new Date(uuidTime(id)).toISOString();
const rounded = (share: number): number => Math.round(share * 1e6) / 1e6;
