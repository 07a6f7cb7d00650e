import type { ResponseReader, ResponseReport } from "../provider/response-reader.ts";
import { bodyKind, createBodyParser, type BodyParser, type BodyKind } from "./body-parser.ts";
import { observeTee } from "./tee.ts";
import type { StreamEnd, ObservationOptions } from "./stream-end.ts";
import { decideOutcome, usageState, type Outcome, type UsageState } from "./outcome.ts";
import { observeCoalesced } from "./coalesce.ts";
import { createUsageEventFilter } from "./remove-usage-event.ts";
import { observeBuffered, MAX_BUFFERED_BYTES } from "./buffered.ts";
import { contentEncoding, declaredLength } from "../../shared/http/body-headers.ts";
import { MAX_ERROR_BYTES } from "../../shared/bounded-read.ts";

export type Observation = {
  readonly outcome: Outcome;
  readonly usageState: UsageState;
  readonly report: ResponseReport;
  readonly end: StreamEnd;
};

export type ObservedResponse = {
  readonly body: Uint8Array | ReadableStream | null;
  /** A promise only where the client's body goes on after this. */
  readonly observation: Observation | Promise<Observation>;
  /** The client's body is not, byte for byte, what the provider's headers measured. */
  readonly isModified: boolean;
};

export type ObserveOptions = ObservationOptions & {
  /** Tells the usage event to take out of the client's stream; null where nothing is to be taken out. */
  readonly isInjectedUsage: ((data: string) => boolean) | null;
};

const NOTHING: StreamEnd = { how: "end", bytes: 0, firstByteAt: null, truncated: false };

export async function observe(
  response: Response,
  reader: ResponseReader,
  options: ObserveOptions,
): Promise<ObservedResponse> {
  const { status, body, headers } = response;
  const encoding = contentEncoding(headers);
  const named = encoding === "encoded" ? "opaque" : bodyKind(headers);
  // Asked for as a stream: a good answer that says of itself neither what it is nor that it is JSON, is one.
  const unnamedStream =
    options.isInjectedUsage !== null && named === "opaque" && encoding !== "encoded" && status < 400;
  const answer = createBodyParser(unnamedStream ? "events" : named, reader);
  const conclude = (ending: StreamEnd): Observation => toObservation(answer, ending, status);
  if (body === null) return { body: null, observation: conclude(NOTHING), isModified: false };

  // A compressed body is decoded on its way through: its declared length is not the client's.
  const decoded = encoding === "decoded";
  const length = decoded ? null : declaredLength(headers);
  if (length !== null && isBuffered(length, answer.kind, status)) {
    const whole = await observeBuffered(body, length, answer.whole, options);
    return { body: whole.body, observation: conclude(whole.ending), isModified: false };
  }
  if (options.isInjectedUsage && answer.kind === "events") {
    const { body: shorter, end: ending } = observeCoalesced(
      body,
      createUsageEventFilter(options.isInjectedUsage, answer.bytes),
      options,
    );
    return { body: shorter, observation: ending.then(conclude), isModified: true };
  }
  const watched = observeTee(body, length, answer.bytes, options);
  return { body: watched.body, observation: watched.end.then(conclude), isModified: decoded };
}

/** An error never streams, whatever it calls itself; and it may have been read already (`upstream/key-echo.ts`). */
function isBuffered(length: number, kind: BodyKind, status: number): boolean {
  if (status >= 400) return length <= MAX_ERROR_BYTES;
  return kind !== "events" && length <= MAX_BUFFERED_BYTES;
}

function toObservation(answer: BodyParser, ending: StreamEnd, status: number): Observation {
  const report = answer.finish();
  const outcome = decideOutcome(ending, answer.kind, report, status);
  return { outcome, usageState: usageState(report), report, end: ending };
}
