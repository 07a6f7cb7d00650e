import { describe, expect, it } from "vitest";
import { createSharedTimer } from "../../src/shared/shared-timer.ts";

/** A clock whose native timers are counted. */
function clock() {
  let at = 1_000_000;
  let native: { readonly at: number; readonly call: () => void }[] = [];
  let set = 0;
  return {
    now: () => at,
    native: (ms: number, call: () => void) => {
      const timer = { at: at + ms, call };
      native.push(timer);
      set += 1;
      return () => {
        native = native.filter((one) => one !== timer);
      };
    },
    set: () => set,
    advance: (ms: number) => {
      const end = at + ms;
      for (;;) {
        const next = native.toSorted((a, b) => a.at - b.at)[0];
        if (!next || next.at > end) break;
        at = next.at;
        native = native.filter((one) => one !== next);
        next.call();
      }
      at = end;
    },
  };
}

describe("a shared timer", () => {
  it("calls each back at its time, in their order", () => {
    const { now, native, advance } = clock();
    const after = createSharedTimer(now, native);
    const called: string[] = [];
    after(30_000, () => called.push(`late ${now()}`));
    after(20, () => called.push(`early ${now()}`));
    after(7000, () => called.push(`middle ${now()}`));
    advance(40_000);
    expect(called).toEqual(["early 1000020", "middle 1007000", "late 1030000"]);
  });

  it("sets one native timer for the phases of a short request", () => {
    const { now, native, set, advance } = clock();
    const after = createSharedTimer(now, native);
    for (const ms of [30_000, 600_000, 5000]) {
      const cancel = after(ms, () => expect.unreachable());
      advance(10);
      cancel();
    }
    expect(set()).toBe(1);
    advance(1_000_000);
    expect(set()).toBe(1);
  });

  it("wakes earlier for an earlier deadline, and not for one that was cancelled", () => {
    const { now, native, advance } = clock();
    const after = createSharedTimer(now, native);
    const called: number[] = [];
    const cancel = after(100, () => expect.unreachable());
    after(50, () => called.push(now()));
    cancel();
    advance(10_000);
    expect(called).toEqual([1_000_050]);
  });

  it("takes a timer that a callback sets, and one that it cancels", () => {
    const { now, native, advance } = clock();
    const after = createSharedTimer(now, native);
    const called: number[] = [];
    const cancel = after(10, () => expect.unreachable());
    after(5, () => {
      cancel();
      after(5, () => called.push(now()));
    });
    advance(1000);
    expect(called).toEqual([1_000_010]);
  });
});
