/**
 * The times in the log, in its order. The sealer writes the time into an entry of its own every hour, and in between seals within
 * minutes what is stored. So the entries bound the times at which events say that they were stored.
 */
import type { AddFinding } from "./finding.ts";
import { TIME_ENTRY_MS } from "./sealer.ts";

const MOST_GAP_MS = 2 * TIME_ENTRY_MS;
/** A sealer that fails for some time is no finding. */
const MOST_LATE_MS = 24 * 3_600_000;
/** Between the clocks of two Workers, and from the store of a batch to the end of the step that seals it. */
const MOST_EARLY_MS = 15 * 60_000;

export const iso = (at: number): string =>
  Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : String(at);

type StoredEvent = { readonly at: number; readonly eventId: string; readonly index: number };

export class LogTimes {
  readonly #add: AddFinding;
  /** The time of the last entry of the log's own. */
  #own: number | null = null;
  /** The event since then that was stored last. */
  #last: StoredEvent | null = null;
  /** The journal may hold events of any age when a log begins. */
  #isFirst = true;
  /** By index; infinite where none is known. */
  readonly #times: number[] = [];

  constructor(add: AddFinding) {
    this.#add = add;
  }

  /** The time of the oldest event from an index on; infinite where there is none. */
  oldestFrom(index: number): number {
    return this.#times.slice(index).reduce((oldest, at) => Math.min(oldest, at), Infinity);
  }

  addOwn(at: number, index: number, kind: string): void {
    if (this.#own !== null && at - this.#own > MOST_GAP_MS)
      this.#add("gap", { index, detail: `from ${iso(this.#own)} to ${iso(at)}` });
    this.#checkLast(at);
    this.#own = Math.max(this.#own ?? at, at);
    if (kind === "time") this.#isFirst = false;
  }

  addEvent(at: number, eventId: string, index: number): void {
    while (this.#times.length < index) this.#times.push(Infinity);
    this.#times.push(at);
    if (this.#own !== null && at < this.#own - MOST_LATE_MS && !this.#isFirst)
      this.#add("misdated", {
        eventId,
        index,
        detail: `stored at ${iso(at)}, sealed after ${iso(this.#own)}`,
      });
    if (at >= (this.#last?.at ?? at)) this.#last = { at, eventId, index };
  }

  finish(now: number, size: number): void {
    if (size > 0) this.addOwn(now, size, "end");
  }

  #checkLast(at: number): void {
    if (this.#last && this.#last.at > at + MOST_EARLY_MS) {
      const { eventId, index, at: stored } = this.#last;
      this.#add("misdated", { eventId, index, detail: `stored at ${iso(stored)}, sealed before ${iso(at)}` });
    }
    this.#last = null;
  }
}
