import { beforeEach, describe, expect, it } from "vitest";
import { CircuitBreaker, type Permit } from "../../../src/gateway/upstream/circuit-breaker.ts";
import { seededRandom } from "../../support/rechunk.ts";

const RULES = { failures: 3, intervalMs: 10_000, openMs: 30_000, trials: 2 };
const CHAT = "/chat/completions";

let now = 0;
let changes: string[] = [];
const create = (): CircuitBreaker =>
  new CircuitBreaker(
    RULES,
    () => now,
    (state, route) => void changes.push(`${route} ${state}`),
  );
let breaker = create();
beforeEach(() => {
  now = 1_000_000;
  changes = [];
  breaker = create();
});

function permit(model = "gpt", route = CHAT): Permit {
  const entered = breaker.enter(route, model);
  if (typeof entered === "number") throw new Error(`open for ${entered} ms`);
  return entered;
}

const fail = (times: number, model = "gpt", route = CHAT): void => {
  for (let at = 0; at < times; at += 1) permit(model, route).failed();
};

describe("a closed circuit", () => {
  it("opens at the last of the consecutive failures, for the time of the rules", () => {
    fail(2);
    permit().unknown();
    fail(1);
    expect(breaker.enter(CHAT, "gpt")).toBe(30_000);
    now += 29_999;
    expect(breaker.enter(CHAT, "gpt")).toBe(1);
  });

  it("counts from zero after a success, and after failures that are further apart", () => {
    fail(2);
    permit().succeeded();
    fail(2);
    now += 10_001;
    fail(2);
    permit().unknown();
    fail(1);
    expect(breaker.enter(CHAT, "gpt")).toBe(30_000);
  });

  it("is of one route and one model", () => {
    fail(3);
    expect(breaker.enter(CHAT, "gpt")).toBe(30_000);
    permit("gpt", "/responses").failed();
    permit("other").failed();
    permit(`gpt",null`).failed();
    expect(typeof breaker.enter(CHAT, null)).toBe("object");
  });

  it("does not open for longer by calls that began before it opened, nor closes by them", () => {
    const [late, later] = [permit(), permit()];
    fail(3);
    now += 10_000;
    late.failed();
    later.succeeded();
    expect(breaker.enter(CHAT, "gpt")).toBe(20_000);
  });

  // The attack: a caller names a new model in each request, and fills the memory of the isolate.
  it("is forgotten as the oldest of a thousand, which then counts as one that works", () => {
    fail(3, "first");
    for (let at = 0; at < 1000; at += 1) fail(1, `model-${at}`);
    expect(typeof breaker.enter(CHAT, "first")).toBe("object");
  });
});

describe("an open circuit, after its time", () => {
  beforeEach(() => {
    fail(3);
    now += 30_000;
  });

  it("lets as many calls try as the rules permit, and closes once they succeed", () => {
    const [one, two] = [permit(), permit()];
    expect(breaker.enter(CHAT, "gpt")).toBe(1000);
    one.succeeded();
    expect(breaker.enter(CHAT, "gpt")).toBe(1000);
    expect(changes).toEqual([`${CHAT} opened`]);
    two.succeeded();
    expect(changes).toEqual([`${CHAT} opened`, `${CHAT} closed`]);
    fail(2);
    permit().succeeded();
  });

  it("opens again at the first trial that fails, regardless of the results of the others", () => {
    const [one, two] = [permit(), permit()];
    one.failed();
    now += 1;
    two.succeeded();
    two.failed();
    expect(breaker.enter(CHAT, "gpt")).toBe(29_999);
    expect(changes).toEqual([`${CHAT} opened`]);
    now += 29_999;
    permit();
    permit();
    expect(breaker.enter(CHAT, "gpt")).toBe(1000);
  });

  it("lets another call try where one says nothing about the provider, or ended without a word", () => {
    permit().unknown();
    permit();
    permit();
    expect(breaker.enter(CHAT, "gpt")).toBe(1000);
    now += 60_000;
    permit().succeeded();
    permit().succeeded();
    expect(typeof breaker.enter(CHAT, "gpt")).toBe("object");
  });
});

describe("a trial that takes longer than a minute", () => {
  it.each([
    ["closes the circuit by its success", "succeeded"],
    ["opens it again by its failure", "failed"],
  ] as const)("%s", (_, end) => {
    fail(3);
    now += 30_000;
    const slow = [permit(), permit()];
    now += 60_000;
    permit();
    for (const trial of slow) trial[end]();
    expect(typeof breaker.enter(CHAT, "gpt")).toBe(end === "succeeded" ? "object" : "number");
  });
});

/** The states of a circuit after calls that end at once, from the list of them. */
class Expected {
  failures: number[] = [];
  openUntil: number | null = null;
  successes = 0;

  mayEnter(at: number): boolean {
    return this.openUntil === null || at >= this.openUntil;
  }

  ended(end: keyof Permit, at: number): void {
    const isTrial = this.openUntil !== null;
    const isFirst = this.failures.length === 0 || at - (this.failures[0] ?? at) > RULES.intervalMs;
    if (end === "failed") this.failures = isFirst ? [at] : [...this.failures, at];
    if (end === "succeeded") this.failures = [];
    if (end === "succeeded" && isTrial) this.successes += 1;
    if (end === "failed" && (isTrial || this.failures.length === RULES.failures)) {
      Object.assign(this, { openUntil: at + RULES.openMs, successes: 0, failures: [] });
    }
    if (this.successes === RULES.trials) Object.assign(this, { openUntil: null, successes: 0 });
  }
}

describe("random calls that end at once", () => {
  it.each(Array.from({ length: 50 }, (_, seed) => seed))("agree with a simple model: seed %i", (seed) => {
    const random = seededRandom(seed);
    const expected = new Expected();
    for (let at = 0; at < 400; at += 1) {
      now += Math.floor(random() ** 3 * 20_000);
      const entered = breaker.enter(CHAT, "gpt");
      expect(typeof entered, `call ${at}`).toBe(expected.mayEnter(now) ? "object" : "number");
      if (typeof entered === "number") continue;
      const end =
        (["failed", "failed", "succeeded", "unknown"] as const)[Math.floor(random() * 4)] ?? "failed";
      entered[end]();
      expected.ended(end, now);
    }
  });
});
