/**
 * The deadline of a sender, against bodies that are sent slowly to keep memory and connections busy (Slowloris). The
 * sender may fall behind a minimum rate by a fixed time. A silence of that length therefore ends it, however much it sent
 * before, and a slow sender that keeps up has as long as it needs. It keeps one timer, however often bytes arrive.
 */
import { realTimer, type After } from "./deadline.ts";

export type Pace = {
  /** How far a sender may fall behind, in milliseconds. */
  readonly graceMs: number;
  /** Bytes per second. */
  readonly minRate: number;
};

export type SendDeadline = {
  /** Bytes have arrived. They extend the deadline at the minimum rate, to at most `graceMs` from now. */
  readonly received: (bytes: number) => void;
  /** Suspends the deadline until `resume`, while a slow reader and not the sender causes the silence. */
  readonly pause: () => void;
  readonly resume: () => void;
  readonly stop: () => void;
};

/**
 * Bytes that are held while they arrive take room that other requests need, so the minimum rate grows with them: it is the rate
 * at which the bytes so far would arrive within this time. 32 MiB take 13 minutes at most; at 16 KiB per second they would
 * take half an hour.
 */
const HELD_MS = 240_000;

/** How long the timer sleeps at least while the deadline is suspended. */
const PAUSED_POLL_MS = 1000;

/** `keeps`: whether the bytes are held or passed on. */
export function startSendDeadline(
  { graceMs, minRate, keeps }: Pace & { readonly keeps: "held" | "passed" },
  now: () => number,
  onLate: () => void,
  after: After = realTimer,
): SendDeadline {
  let total = 0;
  let deadline = now() + graceMs;
  let pausedAt: number | null = null;
  let cancel = after(graceMs, check);

  function check(): void {
    const leftMs =
      pausedAt === null ? deadline - now() : Math.max(deadline - pausedAt, Math.min(PAUSED_POLL_MS, graceMs));
    if (leftMs <= 0) onLate();
    else cancel = after(leftMs, check);
  }

  return {
    received: (bytes) => {
      total += bytes;
      const rate = keeps === "held" ? Math.max(minRate, total / (HELD_MS / 1000)) : minRate;
      deadline = Math.min(deadline + sendingMs(bytes, rate), now() + graceMs);
    },
    pause: () => {
      pausedAt ??= now();
    },
    resume: () => {
      if (pausedAt !== null) deadline += now() - pausedAt;
      pausedAt = null;
    },
    stop: () => cancel(),
  };
}

/** How long `bytes` take at the rate. */
export const sendingMs = (bytes: number, bytesPerSecond: number): number => (bytes / bytesPerSecond) * 1000;

/**
 * The size of the pieces to read a body in. A deadline sees a piece only when it is complete, so at the minimum rate each
 * must be complete well within the grace.
 */
export const pieceBytes = ({ graceMs, minRate }: Pace, maxBytes: number): number =>
  Math.max(1, Math.min(maxBytes, Math.floor((graceMs * minRate) / 4000)));
