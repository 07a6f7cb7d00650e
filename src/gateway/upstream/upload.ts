/**
 * Streams a request body to the provider as it arrives, a piece at a time: 64 KiB of it are in memory, however large it
 * is. Between the pieces JavaScript knows which side the upload waits for: only the client's time counts against the
 * client, and only the provider's against the provider.
 */
import { createDigest } from "../../shared/digest-stream.ts";
import { realTimer, TIMED_OUT, withDeadline, type After } from "../../shared/deadline.ts";
import { createInterruptible, type Interruptible } from "../../shared/interruptible.ts";
import { Refusal } from "../../shared/refusal.ts";
import { pieceBytes, startSendDeadline, type Pace } from "../../shared/send-deadline.ts";

export type Upload = {
  readonly body: ReadableStream;
  /** Resolves when nothing is left to send: to true where the provider has taken the whole body. Never rejects. */
  readonly sent: Promise<boolean>;
  /** Whether something is left to send. */
  readonly isPending: () => boolean;
  /** Why the gateway broke the upload off; null where it did not, or the provider did. Known before the fetch fails. */
  readonly failure: () => Refusal | null;
  /** Ends the upload once there is no provider to send it to. */
  readonly cancel: () => void;
};

export type UploadOptions = {
  /** The body's declared length, which is sent to the provider. */
  readonly length: number;
  readonly pace: Pace;
  /** How long the provider may take to accept a piece. */
  readonly acceptMs: number;
  readonly now: () => number;
  readonly after?: After;
  /** Examines the bytes, and withholds some of them for a while; null where they pass unexamined. */
  readonly filter?: UploadFilter | null;
  /** Gets the SHA-256 of the body once all of it has arrived, before its last piece is sent. null: it is not computed. */
  readonly onSha256?: ((sha256: string) => void) | null;
};

export type UploadFilter = {
  /** Takes a piece, whose memory is reused; returns the bytes to send, or why the upload must not be completed. */
  readonly push: (piece: Uint8Array) => Uint8Array | Refusal;
  /** The rest, once the body has ended. */
  readonly end: () => Promise<Uint8Array | Refusal> | Uint8Array | Refusal;
};

const PIECE_BYTES = 64 * 1024;
const CANCELLED = Symbol("cancelled");
const BROKEN = Symbol("the client's side broke");

export function openUpload(source: ReadableStream<Uint8Array>, options: UploadOptions): Upload {
  const through = new FixedLengthStream(options.length);
  const writer = through.writable.getWriter();
  const work = createInterruptible<Interruption>();
  let failure: Refusal | null = null;
  let isPending = true;
  const send = async (): Promise<boolean> => {
    try {
      failure = await sendPieces(source, writer, work, options);
      if (failure === null) return true;
    } catch {
      // The provider's side broke, or the upload was cancelled.
    } finally {
      isPending = false;
    }
    writer.abort(new Error(failure?.code ?? "the upload has ended")).catch(() => undefined);
    return false;
  };
  return {
    body: through.readable,
    sent: send(),
    isPending: () => isPending,
    failure: () => failure,
    cancel: () => work.interrupt(CANCELLED),
  };
}

type Interruption = typeof TIMED_OUT | typeof CANCELLED;

/** Null once the provider has the whole body. Rejects where the provider's side breaks, or the upload is cancelled. */
async function sendPieces(
  source: ReadableStream<Uint8Array>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  work: Interruptible<Interruption>,
  { length, pace, acceptMs, now, after = realTimer, filter = null, onSha256 = null }: UploadOptions,
): Promise<Refusal | null> {
  const deadline = startSendDeadline(
    { ...pace, keeps: "passed" },
    now,
    () => work.interrupt(TIMED_OUT),
    after,
  );
  const reader = source.getReader({ mode: "byob" });
  const digest = onSha256 && createDigest();
  let buffer = new ArrayBuffer(pieceBytes(pace, PIECE_BYTES));
  let size = 0;
  try {
    while (size < length) {
      const view = new Uint8Array(buffer, 0, Math.min(buffer.byteLength, length - size));
      const read = await work.wait(
        reader.readAtLeast(view.byteLength, view).catch((): typeof BROKEN => BROKEN),
      );
      if (read === CANCELLED) throw new Error("cancelled");
      if (read === TIMED_OUT) return new Refusal("body_timeout", { detail: `after ${size} bytes` });
      if (read === BROKEN || read.done)
        return new Refusal("body_incomplete", { detail: "while it was forwarded" });
      size += read.value.byteLength;
      deadline.received(read.value.byteLength);
      await digest?.update(read.value);
      if (digest && size === length) onSha256(await digest.hex());
      const passed = filter ? filter.push(read.value) : read.value;
      const isLast = size === length && !(passed instanceof Refusal);
      if (isLast) deadline.pause();
      for (const part of [passed, isLast && (await filter?.end())]) {
        if (part instanceof Refusal) return part;
        if (!part || part.byteLength === 0) continue;
        deadline.pause();
        const written = await work.wait(withDeadline(writer.write(part), acceptMs, after));
        if (written === CANCELLED) throw new Error("cancelled");
        if (written === TIMED_OUT)
          return new Refusal("upstream_timeout", { detail: `took no byte for ${acceptMs} ms` });
        deadline.resume();
      }
      buffer = read.value.buffer as ArrayBuffer;
    }
    // Not awaited: it resolves only when the fetch reads past the declared length.
    writer.close().catch(() => undefined);
    return null;
  } finally {
    deadline.stop();
    // Without this, a client that goes on sending would keep the reader's buffer.
    reader.cancel().catch(() => undefined);
  }
}
