/**
 * The facts about record types that the gateway needs. Generated from the event field table (fields.ts) by `npm run tables`,
 * so that the table's descriptions are not part of the gateway's bundle.
 */
import type { AnalyticsColumns, AnalyticsDataset } from "./analytics-columns.ts";
import type { RecordType } from "./fields.ts";

export type RecordFacts = {
  /** Four bits of the event's id. */
  readonly code: number;
  /** Whether the ledger's database has a table for it. */
  readonly isStored: boolean;
  /** Whether a response can have several of it. */
  readonly hasPosition: boolean;
  /** The fields that hold recorded content. */
  readonly content: readonly string[];
};

export const RECORD_FACTS: Readonly<Record<RecordType, RecordFacts>> = {
  interception_start: { code: 0, isStored: true, hasPosition: false, content: [] },
  interception_end: { code: 1, isStored: true, hasPosition: false, content: ["error_message"] },
  token_usage: { code: 2, isStored: true, hasPosition: false, content: [] },
  prompt_usage: { code: 3, isStored: true, hasPosition: false, content: ["prompt"] },
  tool_usage: { code: 4, isStored: true, hasPosition: true, content: ["input", "invocation_error"] },
  model_thought: { code: 5, isStored: true, hasPosition: true, content: ["content"] },
  initiator_override: { code: 6, isStored: true, hasPosition: false, content: [] },
  initiator_override_rejected: { code: 7, isStored: true, hasPosition: false, content: [] },
  refusal: { code: 8, isStored: true, hasPosition: false, content: [] },
  passthrough: { code: 9, isStored: true, hasPosition: false, content: [] },
  retrieved_usage: { code: 10, isStored: true, hasPosition: false, content: [] },
  batch_file: { code: 11, isStored: true, hasPosition: false, content: [] },
  passthrough_start: { code: 12, isStored: true, hasPosition: false, content: [] },
  refusal_count: { code: 13, isStored: true, hasPosition: false, content: [] },
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
