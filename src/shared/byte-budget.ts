/**
 * A bound over the bytes that concurrent requests hold in memory. A request whose invocation the platform ends never runs
 * another line, not even a `finally`: its holding has an expiry, and expired ones are dropped when the budget is short.
 */

/** The bytes that one request holds. Created by `emptyHolding`, changed only by a budget. */
export type Holding = {
  bytes: number;
  /** The part of these bytes that is reserved before it arrives. */
  announced: number;
  /** When the holding is dropped if nothing releases it, in milliseconds since 1970. */
  expiresAt: number;
};

export const emptyHolding = (): Holding => ({ bytes: 0, announced: 0, expiresAt: 0 });

/** A holding up to this size is small. */
export const SMALL_BYTES = 256 * 1024;

/** A quarter of the budget is out of reach of large holdings, so that a few of them never lock out every small one. */
const LARGE_SHARE = 3 / 4;
/** Reserving bytes that have not arrived lets silent senders fill the budget, so only an eighth of it can be reserved so. */
const ANNOUNCED_SHARE = 1 / 8;

export class ByteBudget {
  readonly #total: number;
  readonly #now: () => number;
  readonly #holdings = new Set<Holding>();
  #held = 0;
  #large = 0;
  #announced = 0;

  constructor(total: number, now: () => number) {
    this.#total = total;
    this.#now = now;
  }

  /** The sum of all holdings. */
  get held(): number {
    return this.#held;
  }

  /** Changes the holding to `bytes`, all of them arrived. False where they do not fit; the holding is then unchanged. */
  resize(holding: Holding, bytes: number, forMs: number): boolean {
    if (!this.#fits(holding, bytes) && !(this.#dropExpired() && this.#fits(holding, bytes))) return false;
    this.#set(holding, bytes, 0);
    holding.expiresAt = this.#now() + forMs;
    return true;
  }

  /** Reserves `bytes` before they arrive. False where too many are reserved so: they must then be reserved as they arrive. */
  announce(holding: Holding, bytes: number, forMs: number): boolean {
    if (!this.#mayAnnounce(holding, bytes) && !(this.#dropExpired() && this.#mayAnnounce(holding, bytes)))
      return false;
    this.#set(holding, bytes, bytes);
    holding.expiresAt = this.#now() + forMs;
    return true;
  }

  release(holding: Holding): void {
    if (holding.bytes > 0) this.#set(holding, 0, 0);
  }

  #mayAnnounce(holding: Holding, bytes: number): boolean {
    return this.#announced + bytes <= this.#total * ANNOUNCED_SHARE && this.#fits(holding, bytes);
  }

  #fits(holding: Holding, bytes: number): boolean {
    if (this.#held - holding.bytes + bytes > this.#total) return false;
    return (
      bytes <= SMALL_BYTES || this.#large - largeBytes(holding.bytes) + bytes <= this.#total * LARGE_SHARE
    );
  }

  #set(holding: Holding, bytes: number, announced: number): void {
    const isNew = holding.bytes === 0;
    this.#held += bytes - holding.bytes;
    this.#large += largeBytes(bytes) - largeBytes(holding.bytes);
    this.#announced += announced - holding.announced;
    holding.bytes = bytes;
    holding.announced = announced;
    if (bytes === 0) this.#holdings.delete(holding);
    else if (isNew) this.#holdings.add(holding);
  }

  /** Whether any holding was dropped. */
  #dropExpired(): boolean {
    const now = this.#now();
    const before = this.#holdings.size;
    for (const holding of this.#holdings) if (holding.expiresAt <= now) this.#set(holding, 0, 0);
    return this.#holdings.size < before;
  }
}

const largeBytes = (bytes: number): number => (bytes > SMALL_BYTES ? bytes : 0);
