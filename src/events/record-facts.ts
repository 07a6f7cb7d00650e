/**
 * The facts about record types that the gateway needs. Generated from the event field table (fields.ts) by `npm run tables`,
 * so that the table's descriptions are not part of the gateway's bundle.
 */
import type { AnalyticsColumns, AnalyticsDataset } from "./analytics-columns.ts";
import type { RecordType } from "./fields.ts";

export type RecordFacts = {
  /** Four bits of the event's id. */
  readonly code: number;
  /** Whether a response can have several of it. */
  readonly hasPosition: boolean;
  /** The fields that hold recorded content. */
  readonly content: readonly string[];
};

export const RECORD_FACTS: Readonly<Record<RecordType, RecordFacts>> = {
  interception_start: { code: 0, hasPosition: false, content: [] },
  interception_end: { code: 1, hasPosition: false, content: ["error_message"] },
  token_usage: { code: 2, hasPosition: false, content: [] },
  prompt_usage: { code: 3, hasPosition: false, content: ["prompt"] },
  tool_usage: { code: 4, hasPosition: true, content: ["input", "invocation_error"] },
  model_thought: { code: 5, hasPosition: true, content: ["content"] },
  initiator_override: { code: 6, hasPosition: false, content: [] },
  initiator_override_rejected: { code: 7, hasPosition: false, content: [] },
  refusal: { code: 8, hasPosition: false, content: [] },
  passthrough: { code: 9, hasPosition: false, content: [] },
  retrieved_usage: { code: 10, hasPosition: false, content: [] },
  batch_file: { code: 11, hasPosition: false, content: [] },
  passthrough_start: { code: 12, hasPosition: false, content: [] },
  refusal_count: { code: 13, hasPosition: false, content: [] },
  ledger_access: { code: 14, hasPosition: false, content: [] },
  budget_threshold: { code: 15, hasPosition: true, content: [] },
  budget_exceeded: { code: 16, hasPosition: true, content: [] },
  budget_overrun: { code: 17, hasPosition: true, content: [] },
  rate_limited: { code: 18, hasPosition: true, content: [] },
  budget_change: { code: 19, hasPosition: true, content: [] },
  budget_charge: { code: 20, hasPosition: true, content: [] },
  cost_correction: { code: 21, hasPosition: true, content: [] },
  upstream_attempt: { code: 22, hasPosition: true, content: [] },
};

/** Field names by position. */
export const ANALYTICS_COLUMNS: Readonly<Record<AnalyticsDataset, AnalyticsColumns>> = {
  interceptions: {
    blobs: [
      "version",
      "record_type",
      "interception_id",
      "initiator_id",
      "actor_id",
      "attribution",
      "actor_kind",
      "identity_source",
      "client",
      "client_session_id",
      "provider",
      "route",
      "model",
      "response_model",
      "outcome",
      "usage",
      "credential_kind",
      "error",
      "usage_of",
    ],
    doubles: [
      "status",
      "duration_ms",
      "first_byte_ms",
      "response_bytes",
      "input_tokens",
      "output_tokens",
      "cache_read_input_tokens",
      "cache_write_input_tokens",
      "streaming",
      "cost_micros",
    ],
  },
  overrides: {
    blobs: [
      "version",
      "record_type",
      "interception_id",
      "initiator_id",
      "actor_id",
      "attribution",
      "actor_kind",
      "identity_source",
      "owner_id",
      "reason",
      "client",
      "provider",
      "chat_id",
      "subchat_id",
      "workspace_id",
      "value_sha256",
      "rule",
      "signature",
      "directory",
    ],
    doubles: ["value_length"],
  },
};
