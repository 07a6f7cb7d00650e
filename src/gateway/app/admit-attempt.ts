/** Whether a provider may be called at the moment: its circuit is closed, and it has room for another call. */
import { Refusal } from "../../shared/refusal.ts";
import type { Verdict } from "../upstream/circuit-breaker.ts";
import type { Failure } from "../upstream/failure.ts";
import type { Guard } from "../upstream/guards.ts";
import type { Exchange } from "./exchange.ts";

/** An attempt that may be sent. */
export type Admitted = {
  /** The provider's headers have arrived, or will not: what the attempt says about the provider. */
  readonly settle: (verdict: Verdict) => void;
  /** The call has ended. */
  readonly release: () => void;
};

export type Denied = { readonly failure: Failure; readonly refusal: Refusal };

type Admission = {
  readonly guard: Guard | null;
  /** The route's path, and the model that the client named. */
  readonly path: string;
  readonly model: string | null;
  readonly signal: AbortSignal;
  /** The longest wait for other calls to end. */
  readonly maxWaitMs: number;
};

const ALWAYS: Admitted = { settle: () => undefined, release: () => undefined };

/** The `retry-after` of a refusal because of the cap, in seconds. */
const BUSY_RETRY_S = 1;

export function admit(
  { after }: Exchange,
  admission: Admission,
): Admitted | Denied | Promise<Admitted | Denied> {
  const { guard, path, model, signal, maxWaitMs } = admission;
  if (guard === null) return ALWAYS;
  const { breaker, slots } = guard;
  const permit = breaker?.enter(path, model) ?? null;
  if (typeof permit === "number") return circuitOpen(permit);
  const settle: Admitted["settle"] = (verdict) => permit?.[verdict]();
  const start = (release: (() => void) | null): Admitted | Denied => {
    if (release !== null) return { settle, release };
    settle("unknown");
    return BUSY;
  };
  if (slots === null) return { settle, release: ALWAYS.release };
  const slot = slots.take({ after, signal, maxMs: maxWaitMs });
  return slot instanceof Promise ? slot.then(start) : start(slot);
}

const circuitOpen = (forMs: number): Denied => ({
  failure: { reason: "circuit_open", mayHaveRun: false },
  refusal: new Refusal("circuit_open", { retryAfterS: Math.max(1, Math.ceil(forMs / 1000)) }),
});

const BUSY: Denied = {
  failure: { reason: "busy", mayHaveRun: false },
  refusal: new Refusal("provider_busy", { retryAfterS: BUSY_RETRY_S }),
};
