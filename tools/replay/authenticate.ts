/** Verifies the MACs of logged events: which of them `npm run replay` stores in the ledger, and which apart from it. */
import { eventId } from "../../src/events/event-id.ts";
import type { Verify } from "../../src/events/event-mac.ts";
import { lineDigest, type LogMac } from "../../src/events/log-mac.ts";
import {
  createAuthenticate,
  ofEvent,
  type Authenticate,
  type Authenticity,
} from "../../src/records/ledger/write/authenticate.ts";
import type { LedgerEntry } from "../../src/records/ledger/stored-facts.ts";
import type { UnauthenticatedEntry } from "../../src/records/ledger/write/unauthenticated.ts";
import { eachOnce, type LogContent, type LoggedEvent } from "./logged-events.ts";

export type Replayed = {
  readonly accepted: readonly LedgerEntry[];
  readonly rejected: readonly UnauthenticatedEntry[];
};

type Authenticated = LoggedEvent & { readonly authenticity: Authenticity };

/**
 * Each event once. Where a log has an event with a valid MAC and, perhaps made up, without one, the valid one counts.
 * `verify`: null where no key is given, so that all are accepted, unmarked.
 */
export async function authenticateFound(
  found: readonly Pick<LogContent, "logged" | "logMacs">[],
  verify: Verify | null,
  storedAt: number,
): Promise<Replayed> {
  const authenticate = createAuthenticate(verify, false);
  const ofLines = await authenticateLines(
    found.flatMap(({ logMacs }) => logMacs),
    authenticate,
  );
  const all: Authenticated[] = [];
  for (const logged of found.flatMap((one) => one.logged)) {
    const authenticity =
      logged.kind === "complete"
        ? await authenticate(logged.mac)
        : (ofLines.get(await lineDigest(logged.line)) ?? (await authenticate(null)));
    all.push({ ...logged, authenticity: ofEvent(logged.event, authenticity) });
  }
  const accepted = eachOnce(all.filter(({ authenticity }) => authenticity.isAccepted));
  const ids = new Set(accepted.map(({ event }) => eventId(event)));
  const others = eachOnce(all.filter(({ event }) => !ids.has(eventId(event))));
  const toEntry = ({ event, authenticity: { macKeyId } }: Authenticated): LedgerEntry => ({
    event,
    via: "p",
    macKeyId,
    storedAt,
  });
  return {
    accepted: accepted.map(toEntry),
    rejected: others.flatMap((one) =>
      one.authenticity.isAccepted ? [] : { ...toEntry(one), reason: one.authenticity.reason },
    ),
  };
}

/** By the digest of the line. A digest that one valid MAC covers is authentic, regardless of other MACs that name it. */
async function authenticateLines(
  logMacs: readonly LogMac[],
  authenticate: Authenticate,
): Promise<ReadonlyMap<string, Authenticity>> {
  const byDigest = new Map<string, Authenticity>();
  for (const { digests, mac } of logMacs) {
    const authenticity = await authenticate(mac);
    for (const digest of digests)
      if (authenticity.isAccepted || !byDigest.has(digest)) byDigest.set(digest, authenticity);
  }
  return byDigest;
}
