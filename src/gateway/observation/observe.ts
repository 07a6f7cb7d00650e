/** Observes a provider's response while the client receives it: buffered, coalesced or teed. */
import type { Outcome, UsageState } from "../../events/vocabulary.ts";
import type { ResponseReader, ResponseReport } from "../provider/response-reader.ts";
import { createBodyParser, unreadBody, type BodyParser, type HeldBytes } from "./body-parser.ts";
import { watchForEdgeError, type WatchedBody } from "./edge-error.ts";
import { observeTee } from "./tee.ts";
import type { ObservedEnd, StreamEnd, ObservationOptions } from "./stream-end.ts";
import { decideOutcome, usageState } from "./outcome.ts";
import { observeCoalesced } from "./coalesce.ts";
import { createUsageEventFilter } from "./remove-usage-event.ts";
import { observeBuffered, MAX_BUFFERED_BYTES } from "./buffered.ts";
import {
  contentEncoding,
  declaredKind,
  declaredLength,
  type BodyKind,
} from "../../shared/http/body-headers.ts";
import { createDigest } from "../../shared/digest-stream.ts";
import { MAX_ERROR_BYTES } from "../../shared/bounded-read.ts";

export type Observation = {
  readonly outcome: Outcome;
  readonly usageState: UsageState;
  readonly report: ResponseReport;
  readonly end: ObservedEnd;
  /** SHA-256 of the whole body as the provider sent it; null where it was not requested, or not all of the body arrived. */
  readonly sha256: string | null;
};

export type ObservedResponse = {
  /**
   * Bytes, or a stream that ends in this isolate: never the provider's own body or a branch of its `tee()`. workerd would
   * pump such a body natively and release the request's context ("deferred proxying"): `waitUntil`'s thirty seconds would
   * begin in mid-stream, and `request.signal` would never fire. (workerd's worker-entrypoint.c++ and system-streams.c++,
   * cloudflare/workerd#6151; held by test/sockets/context.test.ts.)
   */
  readonly body: Uint8Array | ReadableStream | null;
  /** Resolves when the response has ended; never rejects. Already resolved if the response is buffered or has no body. */
  readonly observation: Promise<Observation>;
  /** The client must not get the body: it contains a configured secret. */
  readonly isLeak: boolean;
  /** The client's body differs from the one that the provider's length and encoding headers describe. */
  readonly isModified: boolean;
};

export type ObserveOptions = ObservationOptions & {
  readonly heldBytes: HeldBytes;
  /** Recognizes the usage event to remove from the client's stream, by its data; null if there is none to remove. */
  readonly isInjectedUsage: ((data: string) => boolean) | null;
  /** Whether to compute the body's SHA-256. */
  readonly hashes: boolean;
};

const NO_BYTES: StreamEnd = { how: "end", bytes: 0, firstByteAt: null };

/** Resolves once the client's body can be returned: for a buffered response, when all of it has arrived. */
export async function observe(
  response: Response,
  reader: ResponseReader,
  options: ObserveOptions,
): Promise<ObservedResponse> {
  const { body, headers, status } = response;
  const { isInjectedUsage, secrets } = options;
  const encoding = contentEncoding(headers);
  const declared = declaredKind(headers);
  const unwatched =
    encoding === "encoded"
      ? unreadBody(reader)
      : createBodyParser(declared, reader, options.heldBytes, secrets);
  // Only such a response can be of a network in front of the provider.
  const watched = status >= 400 || declared === "opaque" ? watchForEdgeError(response, unwatched) : null;
  const parser = watched?.parser ?? unwatched;
  const conclude = (end: StreamEnd): Observation => {
    const observation = toObservation(parser, end, status, watched);
    return secrets?.found() == null ? observation : leakedObservation(observation);
  };
  const { onBody, onBytes, settle } = options.hashes
    ? withDigest(parser, conclude)
    : { onBody: parser.body, onBytes: parser.bytes, settle: conclude };
  if (body === null)
    return { body: null, observation: Promise.resolve(conclude(NO_BYTES)), isModified: false, isLeak: false };

  // The runtime decodes a compressed body: the client's length is not the declared one.
  const decoded = encoding === "decoded";
  const length = decoded ? null : declaredLength(headers);
  // A stream that is labelled as something else has the usage event too.
  const isFiltered = isInjectedUsage !== null && status < 400 && encoding !== "encoded";
  if (length !== null && !isFiltered && isBuffered(length, declared, status)) {
    const buffered = await observeBuffered(body, length, onBody, options);
    const observation = Promise.resolve(settle(buffered.end));
    const isLeak = secrets?.found() != null;
    return { body: isLeak ? null : buffered.body, observation, isModified: false, isLeak };
  }
  if (isFiltered) {
    const filter = createUsageEventFilter(isInjectedUsage, onBytes);
    const coalesced = observeCoalesced(body, filter, options);
    return {
      body: coalesced.body,
      observation: coalesced.end.then(settle),
      isModified: true,
      isLeak: false,
    };
  }
  const teed = observeTee(body, length, onBytes, options);
  return { body: teed.body, observation: teed.end.then(settle), isModified: decoded, isLeak: false };
}

/** Also hashes the bytes. A batch's memory is reused before the digest has taken it, so it gets a copy. */
function withDigest({ body, bytes }: BodyParser, conclude: (end: StreamEnd) => Observation) {
  const digest = createDigest();
  const update = (piece: Uint8Array): void => void digest.update(piece.slice());
  return {
    onBody: (whole: Uint8Array): void => {
      update(whole);
      body(whole);
    },
    onBytes: (batch: Uint8Array): string | null => {
      update(batch);
      return bytes(batch);
    },
    settle: async (end: StreamEnd): Promise<Observation> => {
      const sha256 = await digest.hex();
      const observation = conclude(end);
      return observation.end.how === "end" ? { ...observation, sha256 } : observation;
    },
  };
}

/** The secret is found after the end too, where nothing can be cut any more. */
const leakedObservation = (observation: Observation): Observation => ({
  ...observation,
  outcome: "upstream_error",
  report: { ...observation.report, error: "upstream_key_leaked", errorMessage: null },
  end: { ...observation.end, how: "secret" },
});

/** An error never streams, regardless of its type, and it may already be in memory (`upstream/key-leak.ts`). */
function isBuffered(length: number, kind: BodyKind, status: number): boolean {
  if (status >= 400) return length <= MAX_ERROR_BYTES;
  return kind !== "events" && length <= MAX_BUFFERED_BYTES;
}

function toObservation(
  parser: BodyParser,
  streamEnd: StreamEnd,
  status: number,
  watched: WatchedBody | null,
): Observation {
  const read = parser.finish();
  const error = watched ? watched.errorOf(read.error) : read.error;
  const end = { ...streamEnd, truncated: parser.isTruncated() };
  const outcome = decideOutcome(end, parser.kind(), { ...read, error }, status);
  const report = { ...read, error };
  return { outcome, usageState: usageState(report), report, end, sha256: null };
}
