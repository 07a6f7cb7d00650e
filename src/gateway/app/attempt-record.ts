/** The events of a request's attempts. */
import { attemptEvent } from "../../events/compose.ts";
import { isCached } from "../upstream/provider-headers.ts";
import { mayCost, type Attempt } from "./attempt.ts";
import type { Exchange } from "./exchange.ts";
import type { Forwardable } from "./upstream-call.ts";

type AttemptPlace = {
  /** Zero-based. */
  readonly position: number;
  /** Before the attempt. */
  readonly waitedMs: number;
  readonly sentModel: string | null;
};

export function recordAttempt(
  { id, deps, recorder }: Exchange,
  { route }: Pick<Forwardable, "route">,
  attempt: Attempt,
  { position, waitedMs, sentModel }: AttemptPlace,
): void {
  const { credential, startedAt, endedAt, status, failure, result } = attempt;
  const isUsed = failure === null && result.response instanceof Response;
  const { providerHeaders } = result;
  const mayBeCharged = failure === null ? !isCached(providerHeaders) : mayCost(attempt);
  const facts = {
    position,
    provider: route.provider.name,
    sentModel,
    keyHint: credential.kind === "centralized" ? credential.hint : null,
    reason: failure?.reason ?? (isUsed ? "used" : "other"),
    status,
    waitedMs,
    startedAt,
    endedAt,
    costMicros: mayBeCharged ? null : 0,
    aiGateway: providerHeaders.aiGateway,
  } as const;
  recorder.record(attemptEvent(id, facts, deps.now()));
}
