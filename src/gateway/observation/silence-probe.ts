/**
 * Tells whether the provider or the client causes a silence on an observed branch that keeps step with the client. It holds
 * a branch of the provider's own body. If that branch has bytes which have not reached the observer, the provider has sent
 * them and the client does not take them.
 */
import type { SilenceCause } from "./idle-timeout.ts";

/** The branch keeps a copy of the bytes that were observed since its last read. */
const READ_BYTES = 64 * 1024;

export type SilenceProbe = SilenceCause & {
  /** `bytes` more have reached the observer. */
  readonly advance: (bytes: number) => void;
  readonly release: () => void;
};

/** `behind`: observed bytes that are still in the branch; negative where the branch begins behind bytes that were not observed. */
export function probeSilence(branch: ReadableStream<Uint8Array>, behind = 0): SilenceProbe {
  const reader = branch.getReader({ mode: "byob" });
  let buffer: ArrayBuffer | null = null;
  let isReading = false;
  let isLooking = false;
  /** The provider's body has ended or broken off: only the client can still delay the observed branch. */
  let hasEnded = false;

  const readOn = async (): Promise<void> => {
    if (isReading || hasEnded) return;
    isReading = true;
    try {
      while (behind >= READ_BYTES || (isLooking && behind >= 0)) {
        const { done, value } = await reader.read(new Uint8Array(buffer ?? new ArrayBuffer(READ_BYTES)));
        if (done) {
          hasEnded = true;
          break;
        }
        behind -= value.byteLength;
        buffer = value.buffer as ArrayBuffer;
      }
    } catch {
      hasEnded = true;
    }
    isLooking = false;
    isReading = false;
  };

  return {
    advance: (bytes) => {
      behind += bytes;
      if (behind >= READ_BYTES) void readOn();
    },
    // Observed bytes are read at once. A read past them is pending until the provider sends more.
    look: () => {
      isLooking = true;
      void readOn();
    },
    isCausedByClient: () => hasEnded || behind < 0,
    release: () => {
      hasEnded = true;
      reader.cancel().catch(() => undefined);
    },
  };
}
