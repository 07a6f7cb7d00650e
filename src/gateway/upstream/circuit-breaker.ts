/**
 * A provider that fails is not called for a while: its circuit opens. Each route and model has a circuit of its own, as this
 * isolate sees it. After the pause a few requests try the provider, and the circuit closes once they succeed.
 */
import type { BreakerRules } from "../provider/provider.ts";

/** A call that may be made. Exactly one of the functions is called, once the response's headers have arrived or will not. */
export type Permit = {
  readonly succeeded: () => void;
  readonly failed: () => void;
  /** The call says nothing about the provider: the client disconnected, or the key was limited. */
  readonly unknown: () => void;
};

/** The result of a call, as far as it is about the provider. */
export type Verdict = keyof Permit;

/** Closed: counts consecutive failures. Open: until a time. Half open: after it, while trials run. */
type Circuit = {
  /** Consecutive ones, while the circuit is closed. */
  failures: number;
  /** When the first of them was, in milliseconds since 1970. */
  failedSince: number;
  /** Milliseconds since 1970; null while the circuit is closed. */
  openUntil: number | null;
  /** The trials that run, by when they began. */
  readonly trials: Set<{ readonly since: number }>;
  succeeded: number;
  /** How often it has opened: an older trial says nothing about the time since. */
  openings: number;
};

/** Clients choose the names of models. Without a circuit, a model counts as one that works. */
const MAX_CIRCUITS = 1000;
/** A platform that ends an invocation runs no code of it: an older trial is not waited for. Its result counts, if it has one. */
const MAX_TRIAL_MS = 60_000;
/** While all trials run. */
const BUSY_MS = 1000;

const PERMITTED: Permit = { succeeded: () => undefined, failed: () => undefined, unknown: () => undefined };

/** Gets the first opening of a circuit and its closing, but not the openings by trials in between. */
export type OnChange = (state: "opened" | "closed", route: string) => void;

export class CircuitBreaker {
  readonly #rules: BreakerRules;
  readonly #now: () => number;
  readonly #onChange: OnChange;
  readonly #circuits = new Map<string, Circuit>();

  constructor(rules: BreakerRules, now: () => number, onChange: OnChange) {
    this.#rules = rules;
    this.#now = now;
    this.#onChange = onChange;
  }

  /** @returns the permit, or the milliseconds after which one may be given. */
  enter(route: string, model: string | null): Permit | number {
    const name = JSON.stringify([route, model]);
    const circuit = this.#circuits.get(name);
    const failed = (): void => this.#failed(name, route);
    if (circuit === undefined) return { ...PERMITTED, failed };
    if (circuit.openUntil === null) return this.#closed(name, circuit, failed);
    const now = this.#now();
    if (circuit.openUntil > now) return circuit.openUntil - now;
    return this.#trial(name, circuit, route);
  }

  #closed(name: string, circuit: Circuit, failed: Permit["failed"]): Permit {
    return {
      ...PERMITTED,
      failed,
      // A call that began before the circuit opened says nothing about what has happened since.
      succeeded: () => {
        if (circuit.openUntil === null && this.#circuits.get(name) === circuit) this.#circuits.delete(name);
      },
    };
  }

  /** Of a call that began while the circuit was closed. */
  #failed(name: string, route: string): void {
    const now = this.#now();
    const circuit = this.#circuits.get(name) ?? this.#create(name, now);
    if (circuit.openUntil !== null) return;
    if (now - circuit.failedSince > this.#rules.intervalMs) {
      circuit.failures = 0;
      circuit.failedSince = now;
    }
    circuit.failures += 1;
    if (circuit.failures < this.#rules.failures) return;
    this.#open(circuit, now);
    this.#onChange("opened", route);
  }

  #trial(name: string, circuit: Circuit, route: string): Permit | number {
    const { trials } = circuit;
    const now = this.#now();
    for (const trial of trials) if (now - trial.since >= MAX_TRIAL_MS) trials.delete(trial);
    // The trials that succeeded count: together they are no more than the rule permits until the circuit closes.
    if (trials.size + circuit.succeeded >= this.#rules.trials) return BUSY_MS;
    const trial = { since: now };
    trials.add(trial);
    const { openings } = circuit;
    let hasEnded = false;
    // False where the circuit has closed, or another trial has opened it again.
    const end = (): boolean => {
      const counts = !hasEnded && circuit.openings === openings && this.#circuits.get(name) === circuit;
      hasEnded = true;
      trials.delete(trial);
      return counts;
    };
    return {
      unknown: () => void end(),
      failed: () => {
        if (end()) this.#open(circuit, this.#now());
      },
      succeeded: () => {
        if (!end()) return;
        circuit.succeeded += 1;
        if (circuit.succeeded < this.#rules.trials) return;
        this.#circuits.delete(name);
        this.#onChange("closed", route);
      },
    };
  }

  #open(circuit: Circuit, now: number): void {
    circuit.openUntil = now + this.#rules.openMs;
    circuit.openings += 1;
    circuit.trials.clear();
    circuit.succeeded = 0;
  }

  #create(name: string, now: number): Circuit {
    const circuit: Circuit = {
      failures: 0,
      failedSince: now,
      openUntil: null,
      trials: new Set(),
      succeeded: 0,
      openings: 0,
    };
    const [oldest] = this.#circuits.keys();
    if (this.#circuits.size >= MAX_CIRCUITS && oldest !== undefined) this.#circuits.delete(oldest);
    this.#circuits.set(name, circuit);
    return circuit;
  }
}
