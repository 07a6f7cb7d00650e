/** Plays the earlier days: sets the clock of both Workers, sends the requests of a slot, and waits until they are recorded. */
import { waitForDelivery } from "../../local/undelivered.ts";
import { setClock } from "../clock.ts";
import type { EventLog } from "../event-log.ts";
import { isComplete, rowOf } from "../row.ts";
import { DAYS } from "./days.ts";
import type { Sent } from "./request.ts";
import { sendersOf } from "./senders.ts";

const HOUR_MS = 3_600_000;
const RECORDED_WITHIN_MS = 30_000;

export type Past = {
  /** Each starts an interception. */
  readonly requests: number;
  /** One sentence per request that did not end as expected. */
  readonly errors: readonly string[];
};

/** Resolves when everything is recorded and the clock is right again. */
export async function playPast(url: string, log: EventLog): Promise<Past> {
  const senders = sendersOf(url);
  const sent: Sent[] = [];
  for (const { hoursAgo, actions } of DAYS) {
    await setClock(url, hoursAgo * HOUR_MS);
    const all = await Promise.all(actions.map((action) => action(senders)));
    sent.push(...all.flat());
    await log.until(() => all.flat().every(({ id }) => isComplete(log.of(id))), RECORDED_WITHIN_MS);
    const rest = await waitForDelivery(url, { withinMs: RECORDED_WITHIN_MS, onWait: () => undefined });
    if (rest !== null) throw new Error("The events of an earlier day did not reach the ledger.");
  }
  await setClock(url, 0);
  return {
    requests: sent.length,
    errors: sent.flatMap(({ id, ends }) => {
      const { outcome, model, client } = rowOf(log.of(id));
      return outcome === ends
        ? []
        : [`A request of ${client} with ${model} on an earlier day: ${outcome}, expected ${ends}.`];
    }),
  };
}
