/**
 * Bytes in, the same bytes out, and exactly one conclusion. Receives the provider's answer and a reader of its
 * dialect; hands on a body for the client and a promise of what there was to see, which never rejects.
 */
import { declaredLength, MAX_ERROR_BYTES } from "../app/request-body.ts";
import { bodyEncoding } from "../../shared/http/content-encoding.ts";
import type { AnswerReader, AnswerReport } from "../provider/response-reader.ts";
import { answerKind, readAnswer, type Answer, type AnswerKind } from "./body-parser.ts";
import { watchBeside } from "./tee.ts";
import type { Ending, WatchOptions } from "./stream-end.ts";
import { decideOutcome, usageState, type Outcome, type UsageState } from "./outcome.ts";
import { watchThrough } from "./coalesce.ts";
import { withoutUsageEvent } from "./remove-usage-event.ts";
import { watchWhole, WHOLE_MAX_BYTES } from "./buffered.ts";

export type Conclusion = {
  readonly outcome: Outcome;
  readonly usageState: UsageState;
  readonly report: AnswerReport;
  readonly ending: Ending;
};

export type Observed = {
  readonly body: Uint8Array | ReadableStream | null;
  /** A promise only where the client's body goes on after this. */
  readonly conclusion: Conclusion | Promise<Conclusion>;
  /** The client's body is not, byte for byte, what the provider's headers measured. */
  readonly reframed: boolean;
};

export type ObserveOptions = WatchOptions & {
  /** Tells the usage event to take out of the client's stream; null where nothing is to be taken out. */
  readonly takeOut: ((data: string) => boolean) | null;
};

const NOTHING: Ending = { how: "end", bytes: 0, firstByteAt: null, capped: false };

export async function observe(
  response: Response,
  reader: AnswerReader,
  options: ObserveOptions,
): Promise<Observed> {
  const { status, body, headers } = response;
  const encoding = bodyEncoding(headers);
  const named = encoding === "encoded" ? "opaque" : answerKind(headers);
  // Asked for as a stream: a good answer that says of itself neither what it is nor that it is JSON, is one.
  const unnamedStream =
    options.takeOut !== null && named === "opaque" && encoding !== "encoded" && status < 400;
  const answer = readAnswer(unnamedStream ? "events" : named, reader);
  const conclude = (ending: Ending): Conclusion => concludeAnswer(answer, ending, status);
  if (body === null) return { body: null, conclusion: conclude(NOTHING), reframed: false };

  // A compressed body is decoded on its way through: its declared length is not the client's.
  const decoded = encoding === "decoded";
  const length = decoded ? null : declaredLength(headers);
  if (length !== null && isForWhole(length, answer.kind, status)) {
    const whole = await watchWhole(body, length, answer.whole, options);
    return { body: whole.body, conclusion: conclude(whole.ending), reframed: false };
  }
  if (options.takeOut && answer.kind === "events") {
    const { body: shorter, ending } = watchThrough(
      body,
      withoutUsageEvent(options.takeOut, answer.bytes),
      options,
    );
    return { body: shorter, conclusion: ending.then(conclude), reframed: true };
  }
  const watched = watchBeside(body, length, answer.bytes, options);
  return { body: watched.body, conclusion: watched.ending.then(conclude), reframed: decoded };
}

/** An error never streams, whatever it calls itself; and it may have been read already (`upstream/key-echo.ts`). */
function isForWhole(length: number, kind: AnswerKind, status: number): boolean {
  if (status >= 400) return length <= MAX_ERROR_BYTES;
  return kind !== "events" && length <= WHOLE_MAX_BYTES;
}

function concludeAnswer(answer: Answer, ending: Ending, status: number): Conclusion {
  const report = answer.finish();
  const outcome = decideOutcome(ending, answer.kind, report, status);
  return { outcome, usageState: usageState(report), report, ending };
}
