/**
 * Carries a body to a writable stream: through JavaScript while that is cheaper or the gate holds its start, and natively
 * from then on. Each chunk of a native pipe is a write to the client's connection of its own, so a burst costs less when
 * JavaScript carries it in batches. A stream at a model's own pace costs less natively.
 *
 *     burst   provider ─tee─┬─ batches ─ gate ─ to        slow   provider ─tee─┬─ pipe ─ to
 *                           └─ run ahead                                       └─ silence probe
 *
 * A native pipe cannot be cut again, so a stream that has become slow stays with it.
 */
import { createBurstReader, type BurstReader } from "./burst-reader.ts";
import { probeSilence, type SilenceProbe } from "./silence-probe.ts";
import { SecretFound, type StartGate } from "./start-gate.ts";

export type Carried = SilenceProbe & {
  /** Resolves when the body has ended or has broken off, and the client has been sent all of it. Never rejects. */
  readonly ended: Promise<void>;
};

type Route = {
  readonly to: WritableStream<Uint8Array>;
  /** null where the start need not be held. */
  readonly gate: StartGate | null;
  readonly now: () => number;
  /** Whether a secret was found: bytes that were pulled ahead go no further. */
  readonly isLeak: () => boolean;
};

/** Rejections of either stream end the other one. Of a response that breaks off within its start the held bytes are dropped. */
export function carry(body: ReadableStream<Uint8Array>, { to, gate, now, isLeak }: Route): Carried {
  /** Bytes that were sent through JavaScript and have not reached the observer. */
  let unobserved = 0;
  let probe: SilenceProbe | null = null;
  const writer = to.getWriter();

  const send = async (bytes: Uint8Array): Promise<void> => {
    if (isLeak()) throw new SecretFound();
    unobserved += bytes.byteLength;
    if (bytes.byteLength > 0) await writer.write(bytes);
  };
  /** Returns whether the body has ended. */
  const sendUntilSlow = async (reader: BurstReader): Promise<boolean> => {
    while (!reader.isSlow() || gate?.isOpen() === false) {
      const bytes = await reader.read();
      if (bytes === null) {
        if (gate) await send(gate.end());
        await writer.close();
        return true;
      }
      await send(gate === null || gate.isOpen() ? bytes : gate.push(bytes));
    }
    return false;
  };
  const run = async (): Promise<void> => {
    const reader = createBurstReader(body, now);
    try {
      if (await sendUntilSlow(reader)) return;
    } catch (error) {
      reader
        .release()
        .cancel(error)
        .catch(() => undefined);
      writer.abort(error).catch(() => undefined);
      throw error;
    }
    writer.releaseLock();
    const [forwarded, probed] = reader.release().tee();
    probe = probeSilence(probed, -unobserved);
    await forwarded.pipeTo(to);
  };

  return {
    ended: run().catch(() => undefined),
    advance: (bytes) => {
      if (probe) probe.advance(bytes);
      else unobserved -= bytes;
    },
    look: () => probe?.look(),
    isCausedByClient: () => probe?.isCausedByClient() ?? unobserved > 0,
    release: () => {
      if (probe) probe.release();
      else writer.abort(new Error("the response was aborted")).catch(() => undefined);
    },
  };
}
