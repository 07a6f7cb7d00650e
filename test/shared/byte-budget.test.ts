import { describe, expect, it } from "vitest";
import { ByteBudget, emptyHolding, SMALL_BYTES, type Holding } from "../../src/shared/byte-budget.ts";
import { manualClock } from "../support/in-workerd/manual-clock.ts";

const MIB = 1024 * 1024;
const TOTAL = 32 * MIB;
const FOR_MS = 1000;

function openBudget(total = TOTAL) {
  const clock = manualClock(1_000_000);
  const budget = new ByteBudget(total, clock.now);
  /** A new holding of `bytes`; null where the budget refuses it. */
  const hold = (bytes: number): Holding | null => {
    const holding = emptyHolding();
    return budget.resize(holding, bytes, FOR_MS) ? holding : null;
  };
  /** How many holdings of `bytes` fit. */
  const count = (bytes: number): number => {
    let held = 0;
    while (hold(bytes)) held += 1;
    return held;
  };
  return { clock, budget, hold, count };
}

describe("a byte budget", () => {
  it("F13 admits exactly its total, and more once something is released", () => {
    const { budget, hold, count } = openBudget();
    const first = hold(SMALL_BYTES);
    expect(count(SMALL_BYTES)).toBe(TOTAL / SMALL_BYTES - 1);
    expect(budget.held).toBe(TOTAL);
    expect(hold(1)).toBeNull();
    if (first) budget.release(first);
    expect(hold(SMALL_BYTES)).not.toBeNull();
    expect(hold(1)).toBeNull();
  });

  it("counts a holding that grows and shrinks once", () => {
    const { budget } = openBudget();
    const holding = emptyHolding();
    for (const bytes of [1, MIB, 8 * MIB, 3, 0, 5]) {
      expect(budget.resize(holding, bytes, FOR_MS)).toBe(true);
      expect(budget.held).toBe(bytes);
    }
    budget.release(holding);
    budget.release(holding);
    expect(budget.held).toBe(0);
  });

  it("leaves a holding as it is when its growth does not fit", () => {
    const { budget, hold } = openBudget(10);
    const holding = emptyHolding();
    budget.resize(holding, 6, FOR_MS);
    expect(hold(4)).not.toBeNull();
    expect(budget.resize(holding, 7, FOR_MS)).toBe(false);
    expect([holding.bytes, budget.held]).toEqual([6, 10]);
  });

  // The attack: a few connections hold bodies of the largest size and stop, and the gateway accepts no other client's prompt.
  it("F13 keeps a quarter for small holdings, however many large ones there are", () => {
    const { budget, hold, count } = openBudget();
    expect(count(8 * MIB)).toBe(3);
    expect(hold(SMALL_BYTES + 1)).toBeNull();
    expect(count(SMALL_BYTES)).toBe((8 * MIB) / SMALL_BYTES);
    expect(budget.held).toBe(TOTAL);
  });

  it("counts a holding as large from the byte on that makes it so", () => {
    const { hold, budget } = openBudget();
    const holding = hold(SMALL_BYTES);
    if (!holding) throw new Error("a small holding was refused");
    while (hold(8 * MIB));
    expect(budget.resize(holding, SMALL_BYTES + 1, FOR_MS)).toBe(false);
    expect(holding.bytes).toBe(SMALL_BYTES);
  });
});

describe("a holding whose request the platform has ended", () => {
  it("F13 is dropped after its time when the budget is short, and not before", () => {
    const { clock, budget, hold } = openBudget(10);
    expect(hold(10)).not.toBeNull();
    clock.advance(FOR_MS - 1);
    expect(hold(1)).toBeNull();
    clock.advance(1);
    expect(hold(1)).not.toBeNull();
    expect(budget.held).toBe(1);
  });

  it("keeps its bytes as long as it is renewed", () => {
    const { clock, budget, hold } = openBudget(10);
    const holding = emptyHolding();
    for (let times = 0; times < 5; times += 1) {
      expect(budget.resize(holding, 10, FOR_MS)).toBe(true);
      clock.advance(FOR_MS - 1);
      expect(hold(1)).toBeNull();
    }
  });

  it("can be released and can grow after it was dropped, and is then counted again", () => {
    const { clock, budget, hold } = openBudget(10);
    const late = hold(10) ?? emptyHolding();
    clock.advance(FOR_MS);
    const other = hold(4);
    expect([late.bytes, budget.held]).toEqual([0, 4]);
    expect(budget.resize(late, 6, FOR_MS)).toBe(true);
    budget.release(late);
    if (other) budget.release(other);
    expect(budget.held).toBe(0);
  });
});

describe("bytes that are announced before they arrive", () => {
  // The attack: many connections announce a body and send nothing. Their announcements must not use up the budget.
  it("F13 take at most an eighth of the budget; the rest stays for bytes that arrive", () => {
    const { budget, count } = openBudget();
    let announced = 0;
    while (budget.announce(emptyHolding(), SMALL_BYTES, FOR_MS)) announced += 1;
    expect(announced).toBe(TOTAL / 8 / SMALL_BYTES);
    expect(count(SMALL_BYTES)).toBe(TOTAL / SMALL_BYTES - announced);
  });

  it("make room for others once they have arrived, are released, or have expired", () => {
    const { clock, budget } = openBudget(80);
    const arrives = emptyHolding();
    const ends = emptyHolding();
    expect(budget.announce(arrives, 10, FOR_MS)).toBe(true);
    expect(budget.announce(ends, 1, FOR_MS)).toBe(false);
    budget.resize(arrives, 10, FOR_MS);
    expect(budget.announce(ends, 10, FOR_MS)).toBe(true);
    budget.release(ends);
    expect(budget.announce(emptyHolding(), 10, FOR_MS)).toBe(true);
    expect(budget.announce(emptyHolding(), 10, FOR_MS)).toBe(false);
    clock.advance(FOR_MS);
    expect(budget.announce(emptyHolding(), 10, FOR_MS)).toBe(true);
    expect(budget.held).toBe(10);
  });

  it("are refused where the whole budget is used up", () => {
    const { budget, hold } = openBudget(80);
    hold(80);
    expect(budget.announce(emptyHolding(), 1, FOR_MS)).toBe(false);
  });
});
