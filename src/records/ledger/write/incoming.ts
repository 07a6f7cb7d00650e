/**
 * The events that the records Worker receives, with their authenticity. Accepted events go into the ledger, the others into
 * the table of unauthenticated events.
 */
import type { InterceptorEvent } from "../../../events/event.ts";
import { readMessage, type MessageContent } from "../../../events/queue-message.ts";
import type { LedgerDeps } from "../ledger.ts";
import type { LedgerEntry, Via } from "../stored-facts.ts";
import { ofEvent, type Authenticity } from "./authenticate.ts";
import { withPublicNames } from "./previous-names.ts";
import { storeEvents } from "./store.ts";
import { storeUnauthenticated, type UnauthenticatedEntry } from "./unauthenticated.ts";

export type Incoming = {
  readonly content: MessageContent;
  readonly authenticity: Authenticity;
  readonly via: Via;
};

/** The content of a message, with the names of today. */
export const readIncoming = (
  body: unknown,
  via: Via,
  deps: Pick<LedgerDeps, "authenticate">,
): Promise<Incoming> => authenticated(readMessage(body), via, deps);

export async function authenticated(
  content: MessageContent,
  via: Via,
  { authenticate }: Pick<LedgerDeps, "authenticate">,
): Promise<Incoming> {
  const authenticity = await authenticate(content.mac);
  return { content: { ...content, events: content.events.map(withPublicNames) }, authenticity, via };
}

/** The events that the ledger takes. */
export const acceptedEvents = (incoming: readonly Incoming[]): readonly InterceptorEvent[] =>
  incoming.flatMap(({ content, authenticity }) =>
    content.events.filter((event) => ofEvent(event, authenticity).isAccepted),
  );

/** Whether it holds events that the ledger does not take. */
export const isRejected = ({ content, authenticity }: Incoming): boolean =>
  content.events.some((event) => !ofEvent(event, authenticity).isAccepted);

type StoreDeps = Pick<LedgerDeps, "now" | "newId">;

/**
 * Resolves when all are stored, each where it belongs. After a rejection some may be; repeating is safe.
 * @returns the number of the journal's deltas that are not folded into the totals yet.
 */
export async function storeIncoming(
  database: D1Database,
  incoming: readonly Incoming[],
  { now, newId }: StoreDeps,
): Promise<number> {
  const { accepted, rejected } = toEntries(incoming, now());
  const deltas = await storeEvents(database, accepted);
  if (rejected.length > 0) await storeUnauthenticated(database, rejected, newId);
  return deltas;
}

function toEntries(
  incoming: readonly Incoming[],
  storedAt: number,
): { readonly accepted: readonly LedgerEntry[]; readonly rejected: readonly UnauthenticatedEntry[] } {
  const accepted: LedgerEntry[] = [];
  const rejected: UnauthenticatedEntry[] = [];
  for (const { content, via, ...ofMessage } of incoming) {
    for (const event of content.events) {
      const authenticity = ofEvent(event, ofMessage.authenticity);
      const entry = { event, via, macKeyId: authenticity.macKeyId, storedAt };
      if (authenticity.isAccepted) accepted.push(entry);
      else rejected.push({ ...entry, reason: authenticity.reason });
    }
  }
  return { accepted, rejected };
}

/** Tells the operator of events that the ledger did not take, once they are stored: one line for all of them. */
export function logRejected(incoming: readonly Incoming[], { logError }: Pick<LedgerDeps, "logError">): void {
  const messages = incoming.filter(isRejected);
  if (messages.length === 0) return;
  const { rejected } = toEntries(messages, 0);
  logError({
    event: "events_unauthenticated",
    events: rejected.length,
    messages: messages.length,
    reasons: [...new Set(rejected.map(({ reason }) => reason))],
    mac_key_ids: [...new Set(rejected.flatMap(({ macKeyId }) => macKeyId ?? []))].slice(0, 10),
  });
}
