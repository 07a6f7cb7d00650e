/**
 * Target `usage-removal`: the filter that removes the usage event which the gateway requested and the client did not.
 * An independent search over the whole stream supplies the expected events. Checks:
 *
 * - The output is the input without exactly the usage events, for every split.
 * - Complete events are forwarded at once.
 * - The filter holds back at most `HELD_BYTES`.
 */
import { createUsageEventFilter } from "../../src/gateway/observation/remove-usage-event.ts";
import { isUsageOnly } from "../../src/gateway/provider/openai/chat-response.ts";
import { latin1 } from "../../test/support/wire.ts";
import type { Target } from "../target.ts";
import { byteEvents, HELD_BYTES, isWithoutUsage, type ByteEvent } from "./byte-events.ts";
import {
  inPieces,
  isIntact,
  randomResponse,
  responseBytes,
  showResponse,
  smallerResponses,
  type ResponseCase,
} from "./case.ts";
import type { Cuts } from "./cuts.ts";

export const usageRemoval: Target<ResponseCase> = {
  name: "usage-removal",
  generate: (random) => randomResponse(random, ({ api, kind }) => api === "chat" && kind === "events"),
  check: async (one) => {
    const bytes = responseBytes(one);
    const events = byteEvents(bytes);
    const count = events.filter(({ usageOnly }) => usageOnly).length;
    const failures = one.splits.map((cuts) => findFailure(bytes, events, cuts));
    const removed = count === 0 ? "none removed" : count === 1 ? "one removed" : "several removed";
    return {
      failure: failures.find((failure) => failure !== null) ?? null,
      category: `${removed}, ${isIntact(one) ? "intact" : "damaged"}`,
    };
  },
  smaller: smallerResponses,
  show: showResponse,
};

function findFailure(bytes: Uint8Array, events: readonly ByteEvent[], cuts: Cuts): string | null {
  const output: Buffer[] = [];
  const observed: Buffer[] = [];
  // As the parser of a response: a character may be cut in two.
  const decoder = new TextDecoder();
  const filter = createUsageEventFilter(isUsageOnly, (piece) => {
    observed.push(Buffer.from(piece));
    return decoder.decode(piece, { stream: true });
  });
  let sent = 0;
  let received = 0;
  /** The index of the first event whose end has not been sent. */
  let open = 0;
  for (const piece of inPieces(bytes, cuts)) {
    // The filter must not keep a reference: the caller reuses the memory after `transform` returns.
    const lent = piece.slice();
    const forwarded = Buffer.from(filter.transform(lent));
    lent.fill(0x21);
    output.push(forwarded);
    sent += piece.length;
    received += forwarded.length;
    while ((events[open]?.end ?? Number.POSITIVE_INFINITY) <= sent) open += 1;
    const due = events[open - 1]?.dueBytes ?? 0;
    if (due > received)
      return `after ${sent} bytes, complete events have ${due} bytes but only ${received} are forwarded`;
    const held = sent - (events[open]?.start ?? sent);
    if (held > HELD_BYTES && due === received) return `${held} bytes are held back`;
  }
  output.push(Buffer.from(filter.flush()));
  if (!Buffer.concat(observed).equals(bytes)) return "the observer received different bytes";
  const all = Buffer.concat(output);
  return isWithoutUsage(all, bytes, events) ? null : `wrong output: ${brief(all)} of ${brief(bytes)}`;
}

const brief = (bytes: Uint8Array): string => JSON.stringify(latin1(bytes).slice(0, 2000));
