/**
 * The states of a provider's central keys, as this isolate sees them. A key is valid; or cooling down, after a rate limit; or
 * rejected, after the provider did not accept it. The states order the keys and exclude none: a caller that provokes errors
 * for its own requests cannot lock other callers out.
 */
import type { UpstreamCredential } from "./provider-key.ts";
import { coolingMs, DEFAULT_COOLING_MS } from "./retry-after.ts";

/** How long a rejected key is used only where no other one is left. After that, one request tries it. */
export const REJECTED_MS = 300_000;
/** While one request tries a key that was rejected, the others go on without it for this long. */
const TRIAL_MS = 30_000;
/** A platform that ends an invocation runs no code of it: a call that is open for longer is not counted. */
const MAX_OPEN_MS = 3_600_000;

type Key = {
  readonly credential: UpstreamCredential;
  /** Milliseconds since 1970; 0 where the key was not rate limited. Other keys are preferred until then. */
  coolsUntil: number;
  /** The provider's own time, which may be later. Milliseconds since 1970. */
  limitedUntil: number;
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
      limitedUntil: 0,
      rejectedUntil: 0,
      open: new Set(),
    }));
    this.#now = now;
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
    const valid = left.filter((key) => isValid(key, now));
    if (valid.length > 0) return leastLoaded(valid, now, random).credential;
    if (accepts === "valid") return null;
    const cooling = left.filter((key) => key.rejectedUntil <= now);
    if (cooling.length > 0) return earliest(cooling, "coolsUntil").credential;
    return accepts === "any" && left.length > 0 ? earliest(left, "rejectedUntil").credential : null;
  }

  /**
   * The chosen key, unless it has become invalid since it was chosen and another one is valid. Call it just before `open`: then
   * only one of the requests that chose a key that was rejected tries it.
   */
  confirm(chosen: UpstreamCredential, random: () => number): UpstreamCredential {
    const key = this.#keyOf(chosen);
    if (key === null || isValid(key, this.#now())) return chosen;
    return this.choose(random, "valid") ?? chosen;
  }

  /** The key that is not rejected and whose rate limit ends first, by the provider's own time. null where all are rejected. */
  nextReady(): { readonly credential: UpstreamCredential; readonly inMs: number } | null {
    const now = this.#now();
    const usable = this.#keys.filter((key) => key.rejectedUntil <= now);
    if (usable.length === 0) return null;
    const { credential, limitedUntil } = earliest(usable, "limitedUntil");
    return { credential, inMs: Math.max(0, limitedUntil - now) };
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

  /** `retryAfterMs`: the provider's own time in milliseconds; null where it stated none. */
  rateLimited(credential: UpstreamCredential, retryAfterMs: number | null): void {
    const key = this.#keyOf(credential);
    if (key === null) return;
    const now = this.#now();
    key.coolsUntil = now + coolingMs(retryAfterMs);
    key.limitedUntil = now + (retryAfterMs ?? DEFAULT_COOLING_MS);
    // The provider has accepted the key.
    key.rejectedUntil = 0;
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

const isValid = ({ coolsUntil, rejectedUntil }: Key, now: number): boolean =>
  coolsUntil <= now && rejectedUntil <= now;

function earliest(keys: readonly Key[], time: "coolsUntil" | "limitedUntil" | "rejectedUntil"): Key {
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
