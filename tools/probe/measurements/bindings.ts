/** The echo's own bindings: create-only puts on R2, the queue's delivery, the distance of a Durable Object. */
import type { Context } from "../context.ts";
import type { Bindings, CreateOnly, ObjectTimes, QueueTimes } from "../echo/protocol.ts";
import { asAssumed, define, differs, type Finding } from "../measurement.ts";
import { duration, median } from "./text.ts";

/** Why a binding's measurement is not possible; null where it is. */
const without =
  (binding: keyof Bindings, what: string) =>
  ({ bindings }: Context): string | null =>
    bindings[binding] ? null : `the echo has no ${what}: deploy it with one`;

const shown = (stored: boolean): string => (stored ? "an object" : "null");

export function assessCreateOnly({ first, second, kept }: CreateOnly): Finding {
  const measured = `first put: ${shown(first)}; second: ${shown(second)}; the first content was ${kept ? "kept" : "replaced"}`;
  return first && !second && kept
    ? asAssumed(measured)
    : differs(
        measured,
        "the archive must not rely on create-only puts (src/records/ledger/write/archive.ts)",
      );
}

export const createOnly = define<CreateOnly>({
  question: "Does a create-only put on R2 return null for an existing key?",
  assumed: "yes (docs of R2: a failed condition returns null)",
  phase: "quick",
  requests: 1,
  isNetworkOnly: true,
  unavailable: without("bucket", "R2 bucket"),
  measure: ({ echo }) => echo.call("bucket"),
  assess: assessCreateOnly,
});

/** The ledger sink's deadline of one send, and the queue's max_batch_timeout with as much again. */
const SEND_MS = 2000;
const DELIVERED_MS = 10_000;

export function assessQueue({ sendMs, deliveredMs }: QueueTimes): Finding {
  const times = deliveredMs.filter((ms) => ms !== null);
  const missing = deliveredMs.length - times.length;
  const delivered =
    missing > 0
      ? `${missing} of ${deliveredMs.length} not delivered within 30 s`
      : `delivered ${times.map(duration).join(", ")} after the send`;
  const measured = `send: median ${duration(median(sendMs))}, longest ${duration(Math.max(...sendMs))}; ${delivered}`;
  return missing === 0 && Math.max(...sendMs) <= SEND_MS && Math.max(...times) <= DELIVERED_MS
    ? asAssumed(measured)
    : differs(measured, "docs/records.md must name this delay; above 2 s, a send falls back to the log");
}

export const queueLatency = define<QueueTimes>({
  question: "How long does a queue take from send to delivery?",
  assumed: "about the batch's timeout of 5 s; a send takes less than 2 s (docs/limits.md)",
  phase: "slow",
  requests: 1,
  isNetworkOnly: true,
  unavailable: without("queue", "queue"),
  measure: ({ echo }) => echo.call("queue", { run: "queue" }),
  assess: assessQueue,
});

export function assessObject({ firstMs, callsMs }: ObjectTimes): Finding {
  const longest = Math.max(firstMs, ...callsMs);
  const measured = `first call ${duration(firstMs)}; then median ${duration(median(callsMs))}, longest ${duration(Math.max(...callsMs))}`;
  return longest <= SEND_MS
    ? asAssumed(measured)
    : differs(
        measured,
        "the replay cache's timeout of 2 s is too short here (src/gateway/initiator/replay-cache-client.ts)",
      );
}

export const objectDistance = define<ObjectTimes>({
  question: "How far away is a Durable Object that the same Worker creates?",
  assumed: "each call well below the replay cache's timeout of 2 s",
  phase: "quick",
  requests: 1,
  isNetworkOnly: true,
  unavailable: without("journal", "Durable Object"),
  measure: ({ echo }) => echo.call("durable"),
  assess: assessObject,
});
