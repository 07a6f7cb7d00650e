/**
 * The states of a provider's central keys, as this isolate sees them. A key is valid; or cooling down, after a rate limit; or
 * rejected, after the provider did not accept it. The states order the keys and exclude none: a caller that provokes errors
 * for its own requests cannot lock other callers out.
 */
import type { UpstreamCredential } from "./provider-key.ts";

/** How long a rejected key is used only where no other one is left. After that, one request tries it. */
export const REJECTED_MS = 300_000;
/** While one request tries a key that was rejected, the others go on without it for this long. */
const TRIAL_MS = 30_000;
/** A platform that ends an invocation runs no code of it: a call that is open for longer is not counted. */
const MAX_OPEN_MS = 3_600_000;

type Key = {
  readonly credential: UpstreamCredential;
  /** Milliseconds since 1970; 0 where the key was not rate limited. */
  coolsUntil: number;
  /** Milliseconds since 1970; 0 where the key was not rejected. */
  rejectedUntil: number;
  /** The calls that this isolate has open with the key, the oldest first. */
  readonly open: Set<{ readonly since: number }>;
};

/** The states that a choice accepts. Among valid keys the one with the fewest open calls is chosen, ties at random. */
export type Accepts = "valid" | "not rejected" | "any";

export class KeyPool {
  readonly #keys: readonly Key[];
  readonly #now: () => number;

  constructor(credentials: readonly UpstreamCredential[], now: () => number) {
    this.#keys = credentials.map((credential) => ({
      credential,
      coolsUntil: 0,
      rejectedUntil: 0,
      open: new Set(),
    }));
    this.#now = now;
  }

  get size(): number {
    return this.#keys.length;
  }

  /**
   * A valid key; else, as far as `accepts` permits, the cooling one that is ready first, or the one that was rejected first.
   * It changes no state. @returns null where no such key is left.
   *
   * @param random At least 0, below 1.
   */
  choose(
    random: () => number,
    accepts: Accepts = "any",
    tried: ReadonlySet<UpstreamCredential> = NONE,
  ): UpstreamCredential | null {
    const now = this.#now();
    const left = this.#keys.filter(({ credential }) => !tried.has(credential));
    const valid = left.filter((key) => key.coolsUntil <= now && key.rejectedUntil <= now);
    if (valid.length > 0) return leastLoaded(valid, now, random).credential;
    if (accepts === "valid") return null;
    const cooling = left.filter((key) => key.rejectedUntil <= now);
    if (cooling.length > 0) return earliest(cooling, "coolsUntil").credential;
    return accepts === "any" && left.length > 0 ? earliest(left, "rejectedUntil").credential : null;
  }

  /** Milliseconds until a key that is not rejected is valid; 0 where one is, or where all are rejected. */
  readyInMs(): number {
    const now = this.#now();
    const usable = this.#keys.filter((key) => key.rejectedUntil <= now);
    return usable.length === 0 ? 0 : Math.max(0, earliest(usable, "coolsUntil").coolsUntil - now);
  }

  /** A call begins. The returned function ends it. */
  open(credential: UpstreamCredential): () => void {
    const key = this.#keyOf(credential);
    if (key === null) return () => undefined;
    const since = this.#now();
    // Only one of many parallel requests finds out whether the key was repaired.
    if (key.rejectedUntil > 0 && key.rejectedUntil <= since) key.rejectedUntil = since + TRIAL_MS;
    const call = { since };
    key.open.add(call);
    return () => void key.open.delete(call);
  }

  /** The provider accepted the key. A rate limit of another model stays. */
  accepted(credential: UpstreamCredential): void {
    const key = this.#keyOf(credential);
    if (key) key.rejectedUntil = 0;
  }

  rateLimited(credential: UpstreamCredential, forMs: number): void {
    const key = this.#keyOf(credential);
    // The provider has accepted the key.
    if (key) Object.assign(key, { coolsUntil: this.#now() + forMs, rejectedUntil: 0 });
  }

  /** @returns Whether the key was valid, as far as this isolate knew. */
  rejected(credential: UpstreamCredential): boolean {
    const key = this.#keyOf(credential);
    if (key === null) return false;
    const wasKnown = key.rejectedUntil > 0;
    key.rejectedUntil = this.#now() + REJECTED_MS;
    return !wasKnown;
  }

  #keyOf(credential: UpstreamCredential): Key | null {
    return this.#keys.find((key) => key.credential === credential) ?? null;
  }
}

const NONE: ReadonlySet<UpstreamCredential> = new Set();

function earliest(keys: readonly Key[], time: "coolsUntil" | "rejectedUntil"): Key {
  return keys.reduce((first, key) => (key[time] < first[time] ? key : first));
}

function leastLoaded(keys: readonly Key[], now: number, random: () => number): Key {
  const loads = keys.map((key) => openCalls(key, now));
  const least = Math.min(...loads);
  const tied = keys.filter((_, at) => loads[at] === least);
  return tied[Math.floor(random() * tied.length)] as Key;
}

function openCalls({ open }: Key, now: number): number {
  for (const call of open) {
    if (now - call.since < MAX_OPEN_MS) break;
    open.delete(call);
  }
  return open.size;
}
