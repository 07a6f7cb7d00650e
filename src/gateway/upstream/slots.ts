/** The calls that this isolate has open at a provider, at most. A call above the cap waits for the end of another one. */
import type { After } from "../../shared/deadline.ts";
import type { ConcurrencyRules } from "../provider/provider.ts";

/** A platform that ends an invocation runs no code of it: a call that is open for longer is not counted. */
const MAX_OPEN_MS = 3_600_000;

/** Ends the call. It may be called again. */
export type Release = () => void;

type Waiting = {
  readonly start: (release: Release) => void;
  /** Where it still waits after that, its invocation has ended. Milliseconds since 1970. */
  readonly until: number;
};

type Wait = {
  readonly after: After;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  /** The longest wait in milliseconds, where the rules permit more. */
  readonly maxMs: number;
};

export class Slots {
  readonly #rules: ConcurrencyRules;
  readonly #now: () => number;
  /** The oldest first. */
  readonly #open = new Set<{ readonly since: number }>();
  /** In the order in which they came. */
  readonly #waiting = new Set<Waiting>();

  constructor(rules: ConcurrencyRules, now: () => number) {
    this.#rules = rules;
    this.#now = now;
  }

  /** @returns null where no call ended in time, or the signal was aborted. */
  take({ after, signal, maxMs }: Wait): Release | null | Promise<Release | null> {
    if (this.#waiting.size === 0 && this.#hasRoom()) return this.#start();
    const ms = Math.min(this.#rules.waitMs, maxMs);
    if (ms <= 0 || signal.aborted) return null;
    return this.#wait(ms, after, signal);
  }

  async #wait(ms: number, after: After, signal: AbortSignal): Promise<Release | null> {
    // The request that ends its call resolves it; the runtime continues this one in its own context.
    const { promise, resolve } = Promise.withResolvers<Release | null>();
    const waiting: Waiting = { start: resolve, until: this.#now() + ms };
    this.#waiting.add(waiting);
    // Another request may have removed it already, as too late: it ends nevertheless.
    const stop = (): void => {
      this.#waiting.delete(waiting);
      resolve(null);
    };
    const cancel = after(ms, stop);
    signal.addEventListener("abort", stop, { once: true });
    // A call whose invocation has ended leaves room, and no code of it runs that would say so.
    this.#next();
    const release = await promise;
    cancel();
    signal.removeEventListener("abort", stop);
    if (release === null || !signal.aborted) return release;
    release();
    return null;
  }

  #start(): Release {
    const call = { since: this.#now() };
    this.#open.add(call);
    return () => {
      if (this.#open.delete(call)) this.#next();
    };
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      if (!this.#hasRoom()) return;
      this.#waiting.delete(waiting);
      if (this.#now() <= waiting.until) waiting.start(this.#start());
    }
  }

  #hasRoom(): boolean {
    if (this.#open.size < this.#rules.max) return true;
    const now = this.#now();
    for (const call of this.#open) {
      if (now - call.since < MAX_OPEN_MS) break;
      this.#open.delete(call);
    }
    return this.#open.size < this.#rules.max;
  }
}
