/**
 * An interception's record: one start and exactly one end. The first end is recorded; a second one (the client
 * disconnects while the response ends) is ignored.
 */
import {
  endEvent,
  promptEvent,
  startEvent,
  thoughtEvents,
  tokenUsageEvent,
  toolEvents,
  type InterceptionResult,
  type StartFacts,
  type Subject,
} from "../../events/compose.ts";
import type { InitiatorOverride } from "../../events/event.ts";
import type { Redact } from "../../events/redaction.ts";
import { isRejectedOwnKey } from "../observation/outcome.ts";
import type { CostFacts, PriceCall } from "../../shared/prices/pricing.ts";
import type { Recorder } from "../sinks/recorder.ts";
import { costOfResult } from "./call-cost.ts";

/** The provider that responded, and its id of the model, where they may not be those of the request. */
export type Served = { readonly provider: string; readonly sentModel: string | null };

export type Interception = {
  /** Whether every required sink took the start. */
  readonly started: Promise<boolean>;
  /**
   * Records the end. The caller flushes, so that an end and the refusal after it go to the sinks as one group: a queue that
   * hangs keeps three connections of each group open, and one request has six.
   * @returns the call's cost; null where the end was recorded before.
   */
  readonly end: (result: InterceptionResult, by?: Served) => CostFacts | null;
};

export type InterceptionContext = StartFacts & {
  readonly subject: Subject;
  /** The accepted owner, recorded with the start: a request without one is on the account of no owner. */
  readonly override: InitiatorOverride | null;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** The SHA-256 of a body that is forwarded while it arrives; null until all of it has. */
  readonly uploadSha256?: () => string | null;
};

/** The rules for recording the conversation, the prices, and the clock of the end. */
export type RecordingContext = {
  readonly prompts: boolean;
  readonly redact: Redact;
  readonly price: PriceCall;
  readonly now: () => number;
};

export function startInterception(
  { record, flush }: Recorder,
  context: InterceptionContext,
  { prompts, redact, price, now }: RecordingContext,
): Interception {
  const { subject, override, startedAt, conversation, uploadSha256 } = context;
  let isOpen = true;
  if (override) record(override);
  record(startEvent(subject, context));
  const prompt = prompts ? promptEvent(subject, conversation, redact, startedAt) : null;
  if (prompt) record(prompt);
  const started = flush();

  const end: Interception["end"] = (result, by) => {
    if (!isOpen) return null;
    isOpen = false;
    const at = now();
    const isOwnKeyRejected = isRejectedOwnKey(subject.credential_kind, result);
    const { observation } = result;
    const usage = observation && tokenUsageEvent(subject, observation, redact, at);
    if (usage) record(usage);
    const call = by ? { provider: by.provider, model: by.sentModel ?? subject.model } : subject;
    const cost = costOfResult(price, call, result, { at, startedAt });
    // Before the tool calls: Logpush drops the last lines of a request that prints too much.
    const ended = { ...result, isOwnKeyRejected, uploadSha256: uploadSha256?.() ?? null, cost };
    record(endEvent(subject, ended, redact, { startedAt, at }));
    if (observation) {
      for (const event of toolEvents(subject, observation, redact, at)) record(event);
      for (const event of thoughtEvents(subject, observation, redact, at)) record(event);
    }
    return cost;
  };
  return { started, end };
}
