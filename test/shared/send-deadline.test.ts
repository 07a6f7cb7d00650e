import { describe, expect, it } from "vitest";
import { pieceBytes, sendingMs, startSendDeadline } from "../../src/shared/send-deadline.ts";
import { manualClock } from "../support/in-workerd/manual-clock.ts";

const PACE = { graceMs: 30_000, minRate: 16_384, keeps: "passed" } as const;
const HELD = { ...PACE, keeps: "held" } as const;
const MIB = 1024 * 1024;

function start(pace: typeof PACE | typeof HELD = PACE) {
  const clock = manualClock(1_000_000);
  let lateAt: number | null = null;
  const deadline = startSendDeadline(
    pace,
    clock.now,
    () => {
      lateAt = clock.now() - 1_000_000;
    },
    clock.after,
  );
  return { clock, deadline, lateAt: () => lateAt };
}

/** When a sender ends that sends `first` bytes at once, then at the minimum rate. */
function endOfHeld(first: number): number {
  const { clock, deadline, lateAt } = start(HELD);
  deadline.received(first);
  while (lateAt() === null && clock.now() < 1e7) {
    clock.advance(1000);
    if (lateAt() === null) deadline.received(PACE.minRate);
  }
  return lateAt() ?? Infinity;
}

describe("the deadline of a sender", () => {
  it("F12 ends a silent sender after the grace, not before", () => {
    const { clock, lateAt } = start();
    clock.advance(29_999);
    expect(lateAt()).toBeNull();
    clock.advance(1);
    expect(lateAt()).toBe(30_000);
    expect(clock.timers()).toBe(0);
  });

  // The attack: most of the body at once, then silence. The bytes sent first must not buy minutes of silence.
  it("F12 ends a sender that stops after 7 MiB as soon as a silent one", () => {
    const { clock, deadline, lateAt } = start();
    deadline.received(7 * MIB);
    clock.advance(60_000);
    expect(lateAt()).toBe(30_000);
  });

  it("F12 lets a sender of 32 MiB finish that keeps the minimum rate", () => {
    const { clock, deadline, lateAt } = start();
    for (let sent = 0; sent < 32 * MIB; sent += 65_536) {
      clock.advance(sendingMs(65_536, PACE.minRate));
      deadline.received(65_536);
    }
    expect(lateAt()).toBeNull();
    expect(clock.now()).toBe(1_000_000 + (32 * MIB * 1000) / PACE.minRate);
    expect(clock.timers()).toBe(1);
    deadline.stop();
    expect(clock.timers()).toBe(0);
  });

  it("F12 lets a sender of 32 MiB finish at 1 Mbit/s, also where its bytes are held", () => {
    const { clock, deadline, lateAt } = start(HELD);
    for (let sent = 0; sent < 32 * MIB; sent += 65_536) {
      clock.advance(sendingMs(65_536, 125_000));
      deadline.received(65_536);
    }
    expect(lateAt()).toBeNull();
  });

  // The attack: most of a large body at once, then the minimum rate: for a quarter of an hour no large body of another client fits.
  it("F12 ends a sender whose bytes are held sooner, the more they are", () => {
    const [small, large, larger] = [endOfHeld(MIB), endOfHeld(8 * MIB), endOfHeld(18 * MIB)];
    expect(larger).toBeLessThan(40_000);
    expect(large).toBeLessThan(60_000);
    expect(small).toBeGreaterThan(240_000);
  });

  it("ends a sender at half the minimum rate once it is behind by the grace", () => {
    const { clock, deadline, lateAt } = start();
    while (lateAt() === null) {
      clock.advance(1000);
      if (lateAt() === null) deadline.received(PACE.minRate / 2);
    }
    expect(lateAt()).toBeGreaterThanOrEqual(58_000);
    expect(lateAt()).toBeLessThanOrEqual(60_000);
  });

  it("does not count time in which it is suspended, however long", () => {
    const { clock, deadline, lateAt } = start();
    clock.advance(20_000);
    deadline.pause();
    clock.advance(600_000);
    expect(lateAt()).toBeNull();
    deadline.resume();
    clock.advance(9999);
    expect(lateAt()).toBeNull();
    clock.advance(1001);
    expect(lateAt()).not.toBeNull();
  });

  it("counts a repeated pause from the first, and a resume without a pause not at all", () => {
    const { clock, deadline, lateAt } = start();
    deadline.resume();
    deadline.pause();
    clock.advance(10_000);
    deadline.pause();
    clock.advance(10_000);
    deadline.resume();
    deadline.resume();
    clock.advance(29_999);
    expect(lateAt()).toBeNull();
    clock.advance(1001);
    expect(lateAt()).not.toBeNull();
  });

  it("does nothing after it is stopped", () => {
    const { clock, deadline, lateAt } = start();
    deadline.stop();
    clock.advance(600_000);
    expect(lateAt()).toBeNull();
  });
});

describe("the pieces of a body", () => {
  it("arrive in a quarter of the grace at the minimum rate, and have a largest size", () => {
    expect(pieceBytes(PACE, 128 * 1024)).toBe(122_880);
    expect(pieceBytes(PACE, 64 * 1024)).toBe(65_536);
    expect(pieceBytes({ graceMs: 1, minRate: 1 }, 64 * 1024)).toBe(1);
  });
});
