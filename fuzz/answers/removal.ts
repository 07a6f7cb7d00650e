/**
 * Target `removal`: the usage event that was asked for on the client's behalf taken out of chat streams. Checked against
 * whole events found in the bytes by other means: what comes out is what went in less exactly the usage events, however
 * it was cut; whole events are not kept waiting, and no more is held back than may be.
 */
import { createUsageEventFilter } from "../../src/gateway/observation/remove-usage-event.ts";
import { isUsageOnly } from "../../src/gateway/provider/openai/chat-response.ts";
import { latin1 } from "../../test/support/wire.ts";
import type { Target } from "../target.ts";
import {
  answerBytes,
  inPieces,
  isWhole,
  randomAnswer,
  showAnswer,
  smallerAnswers,
  type AnswerCase,
} from "./case.ts";
import { byteEvents, HELD, isWithoutUsage, type ByteEvent } from "./byte-events.ts";
import type { Cuts } from "./cuts.ts";

export const removal: Target<AnswerCase> = {
  name: "removal",
  generate: (random) => randomAnswer(random, ({ api, kind }) => api === "chat" && kind === "events"),
  check: (one) => {
    const bytes = answerBytes(one);
    const events = byteEvents(bytes);
    const taken = events.filter(({ usageOnly }) => usageOnly).length;
    const wrong =
      one.ways.map((cuts) => wrongWith(bytes, events, cuts)).find((what) => what !== null) ?? null;
    const how = taken === 0 ? "nothing to take out" : taken === 1 ? "one taken out" : "several taken out";
    return { wrong, sort: `${how}, ${isWhole(one) ? "whole" : "broken"}` };
  },
  smaller: smallerAnswers,
  show: showAnswer,
};

function wrongWith(bytes: Uint8Array, events: readonly ByteEvent[], cuts: Cuts): string | null {
  const out: Buffer[] = [];
  const seen: Buffer[] = [];
  const filter = createUsageEventFilter(isUsageOnly, (piece) => void seen.push(Buffer.from(piece)));
  let sent = 0;
  let given = 0;
  /** The first event whose end has not been sent. */
  let open = 0;
  for (const piece of inPieces(bytes, cuts)) {
    // The reader's memory is its own again once the piece is taken.
    const lent = piece.slice();
    const got = Buffer.from(filter.transform(lent));
    lent.fill(0x21);
    out.push(got);
    sent += piece.length;
    given += got.length;
    while ((events[open]?.end ?? Number.POSITIVE_INFINITY) <= sent) open += 1;
    const owed = events[open - 1]?.owed ?? 0;
    if (owed > given) return `at ${sent} only ${given} are given of the ${owed} bytes of whole events`;
    const held = sent - (events[open]?.start ?? sent);
    if (held > HELD && owed === given) return `${held} bytes are held back`;
  }
  out.push(Buffer.from(filter.flush()));
  if (!Buffer.concat(seen).equals(bytes)) return "the observer saw other bytes";
  const found = Buffer.concat(out);
  return isWithoutUsage(found, bytes, events)
    ? null
    : `other bytes came out: ${brief(found)} of ${brief(bytes)}`;
}

const brief = (bytes: Uint8Array): string => JSON.stringify(latin1(bytes).slice(0, 2000));
