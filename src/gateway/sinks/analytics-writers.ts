/**
 * Writes the Analytics Engine rows of every intercepted request, column by column. Generated from the event field table
 * (src/events/fields.ts) by `npm run tables`; `toRow` writes the same rows of all events.
 */
import type { InitiatorOverride, InterceptionEnd } from "../../events/event.ts";
import { blob, count, index, ROW_VERSION, type DataPoint } from "./analytics-values.ts";

export const ROW_WRITERS = {
  interception_end: (event: InterceptionEnd): DataPoint => ({
    indexes: [index(event.initiator_id)],
    blobs: [
      ROW_VERSION,
      event.record_type,
      blob(event.interception_id),
      blob(event.initiator_id),
      blob(event.actor_id),
      blob(event.attribution),
      blob(event.actor_kind),
      blob(event.identity_source),
      blob(event.client),
      blob(event.client_session_id),
      blob(event.provider),
      blob(event.route),
      blob(event.model),
      blob(event.response_model),
      blob(event.outcome),
      blob(event.usage),
      blob(event.credential_kind),
      blob(event.error),
      "",
    ],
    doubles: [
      count(event.status),
      count(event.duration_ms),
      count(event.first_byte_ms),
      count(event.response_bytes),
      count(event.input_tokens),
      count(event.output_tokens),
      count(event.cache_read_input_tokens),
      count(event.cache_write_input_tokens),
      Number(event.streaming),
      count(event.cost_micros),
    ],
  }),
  initiator_override: (event: InitiatorOverride): DataPoint => ({
    indexes: [index(event.initiator_id)],
    blobs: [
      ROW_VERSION,
      event.record_type,
      blob(event.interception_id),
      blob(event.initiator_id),
      blob(event.actor_id),
      blob(event.attribution),
      blob(event.actor_kind),
      blob(event.identity_source),
      blob(event.owner_id),
      "",
      blob(event.client),
      blob(event.provider),
      blob(event.chat_id),
      blob(event.subchat_id),
      blob(event.workspace_id),
      "",
      blob(event.rule),
      blob(event.signature),
      blob(event.directory),
    ],
    doubles: [-1],
  }),
};
