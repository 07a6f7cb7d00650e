/** Every event that can be recorded, typed by the field table. */
import type { EventOf, LedgerEndValues, RecordType } from "./fields.ts";

export type InterceptionStart = EventOf<"interception_start">;
/** With the ledger's fields only where the event is on its way to the ledger (ledger-events.ts). */
export type InterceptionEnd = EventOf<"interception_end"> & Partial<LedgerEndValues>;
export type TokenUsage = EventOf<"token_usage">;
export type PromptUsage = EventOf<"prompt_usage">;
export type ToolUsage = EventOf<"tool_usage">;
export type ModelThought = EventOf<"model_thought">;
export type InitiatorOverride = EventOf<"initiator_override">;
export type InitiatorOverrideRejected = EventOf<"initiator_override_rejected">;
export type RefusalEvent = EventOf<"refusal">;
export type RetrievedUsage = EventOf<"retrieved_usage">;
export type BatchFile = EventOf<"batch_file">;
export type PassthroughStart = EventOf<"passthrough_start">;
export type RefusalCount = EventOf<"refusal_count">;
export type LedgerAccess = EventOf<"ledger_access">;
export type UpstreamAttempt = EventOf<"upstream_attempt">;
export type CostCorrection = EventOf<"cost_correction">;
export type PassthroughEvent = EventOf<"passthrough">;
export type BudgetEventType =
  | "budget_threshold"
  | "budget_exceeded"
  | "budget_overrun"
  | "rate_limited"
  | "budget_change"
  | "budget_charge";
export type BudgetEvent = { [Type in BudgetEventType]: EventOf<Type> }[BudgetEventType];

export type InterceptorEvent =
  | { [Type in Exclude<RecordType, "interception_end">]: EventOf<Type> }[Exclude<
      RecordType,
      "interception_end"
    >]
  | InterceptionEnd;
