/**
 * Writes the events of every intercepted request as JSON, field by field, which takes fewer instructions than
 * `JSON.stringify`. Generated from the event field table (fields.ts) by `npm run tables`.
 */
import type { InitiatorOverride, InterceptionEnd, InterceptionStart, TokenUsage } from "./event.ts";
import type { CallerValues } from "./fields.ts";
import { list, object, orNull, quote } from "./json-values.ts";

let last: CallerValues | null = null;
let lastMembers = "";

/** The events of one request are written one after the other, and have the same caller. */
function callerMembers(event: CallerValues): string {
  if (
    last !== null &&
    event.interception_id === last.interception_id &&
    event.initiator_id === last.initiator_id &&
    event.actor_id === last.actor_id &&
    event.attribution === last.attribution &&
    event.actor_kind === last.actor_kind &&
    event.identity_source === last.identity_source &&
    event.client === last.client &&
    event.user_agent === last.user_agent &&
    event.client_session_id === last.client_session_id &&
    event.chat_id === last.chat_id &&
    event.subchat_id === last.subchat_id &&
    event.workspace_id === last.workspace_id &&
    event.delegated_key_id === last.delegated_key_id &&
    event.delegated_source === last.delegated_source &&
    event.claimed_ids === last.claimed_ids &&
    event.initiator_source === last.initiator_source &&
    event.api_key_id === last.api_key_id
  )
    return lastMembers;
  last = event;
  lastMembers = `"interception_id":${quote(event.interception_id)},"initiator_id":${quote(event.initiator_id)},"actor_id":${quote(event.actor_id)},"attribution":${quote(event.attribution)},"actor_kind":${quote(event.actor_kind)},"identity_source":${quote(event.identity_source)},"client":${quote(event.client)},"user_agent":${orNull(event.user_agent)},"client_session_id":${orNull(event.client_session_id)},"chat_id":${orNull(event.chat_id)},"subchat_id":${orNull(event.subchat_id)},"workspace_id":${orNull(event.workspace_id)},"delegated_key_id":${orNull(event.delegated_key_id)},"delegated_source":${orNull(event.delegated_source)},"claimed_ids":${object(event.claimed_ids)},"initiator_source":${quote(event.initiator_source)},"api_key_id":${quote(event.api_key_id)}`;
  return lastMembers;
}

export const EVENT_WRITERS = {
  interception_start: (event: InterceptionStart): string =>
    `{"record_type":"interception_start",${callerMembers(event)},"provider":${quote(event.provider)},"provider_type":${quote(event.provider_type)},"route":${quote(event.route)},"model":${orNull(event.model)},"streaming":${event.streaming},"credential_kind":${quote(event.credential_kind)},"credential_hint":${orNull(event.credential_hint)},"started_at":${quote(event.started_at)},"worker_version":${orNull(event.worker_version)},"metadata":${object(event.metadata)},"initiator_name":${orNull(event.initiator_name)},"flags":${list(event.flags)},"correlating_tool_call_id":${orNull(event.correlating_tool_call_id)},"thread_parent_id":${orNull(event.thread_parent_id)},"thread_root_id":${orNull(event.thread_root_id)},"prompt_count":${event.prompt_count},"earlier_prompt_count":${event.earlier_prompt_count},"prompt_hashes":${list(event.prompt_hashes)},"earlier_prompt_hashes":${list(event.earlier_prompt_hashes)},"agent_id":${orNull(event.agent_id)},"parent_agent_id":${orNull(event.parent_agent_id)},"client_prompt_id":${orNull(event.client_prompt_id)},"request_class":${orNull(event.request_class)},"client_kind":${orNull(event.client_kind)},"end_user":${orNull(event.end_user)},"request_encoding":${orNull(event.request_encoding)},"delegation_chain":${list(event.delegation_chain)},"request_sha256":${orNull(event.request_sha256)},"config_version":${quote(event.config_version)},"client_country":${orNull(event.client_country)},"client_ray":${orNull(event.client_ray)},"client_ip":${orNull(event.client_ip)}}`,
  interception_end: (event: InterceptionEnd): string =>
    `{"record_type":"interception_end",${callerMembers(event)},"provider":${quote(event.provider)},"provider_type":${quote(event.provider_type)},"route":${quote(event.route)},"model":${orNull(event.model)},"streaming":${event.streaming},"credential_kind":${quote(event.credential_kind)},"credential_hint":${orNull(event.credential_hint)},"started_at":${quote(event.started_at)},"worker_version":${orNull(event.worker_version)},"outcome":${quote(event.outcome)},"status":${event.status},"finish_reason":${orNull(event.finish_reason)},"error":${orNull(event.error)},"error_message":${orNull(event.error_message)},"tool_call_count":${event.tool_call_count},"thought_count":${event.thought_count},"input_tokens":${event.input_tokens},"output_tokens":${event.output_tokens},"cache_read_input_tokens":${event.cache_read_input_tokens},"cache_write_input_tokens":${event.cache_write_input_tokens},"usage":${quote(event.usage)},"usage_invalid":${event.usage_invalid},"observation":${quote(event.observation)},"msg_id":${orNull(event.msg_id)},"response_model":${orNull(event.response_model)},"service_tier":${orNull(event.service_tier)},"speed":${orNull(event.speed)},"inference_geo":${orNull(event.inference_geo)},"reported_cost":${orNull(event.reported_cost)},"cost_micros":${event.cost_micros},"cost_source":${quote(event.cost_source)},"price_version":${orNull(event.price_version)},"response_bytes":${event.response_bytes},"first_byte_ms":${event.first_byte_ms},"duration_ms":${event.duration_ms},"ended_at":${quote(event.ended_at)},"provider_request_id":${orNull(event.provider_request_id)},"provider_ray":${orNull(event.provider_ray)},"response_encoding":${orNull(event.response_encoding)},"usage_opt_in":${orNull(event.usage_opt_in)},"own_key_rejected":${event.own_key_rejected},"upload_sha256":${orNull(event.upload_sha256)},"response_sha256":${orNull(event.response_sha256)}${event.usage_metadata === undefined ? "" : `,"usage_metadata":${object(event.usage_metadata)}`}${event.raw_usage === undefined ? "" : `,"raw_usage":${orNull(event.raw_usage)}`}}`,
  initiator_override: (event: InitiatorOverride): string =>
    `{"record_type":"initiator_override",${callerMembers(event)},"owner_id":${quote(event.owner_id)},"owner_username":${orNull(event.owner_username)},"rule":${orNull(event.rule)},"signature":${orNull(event.signature)},"directory":${orNull(event.directory)},"candidates":${object(event.candidates)},"provider":${quote(event.provider)},"created_at":${quote(event.created_at)},"delegation_chain":${list(event.delegation_chain)}}`,
  token_usage: (event: TokenUsage): string =>
    `{"record_type":"token_usage","interception_id":${quote(event.interception_id)},"initiator_id":${quote(event.initiator_id)},"msg_id":${orNull(event.msg_id)},"input_tokens":${event.input_tokens},"output_tokens":${event.output_tokens},"cache_read_input_tokens":${event.cache_read_input_tokens},"cache_write_input_tokens":${event.cache_write_input_tokens},"usage":${quote(event.usage)},"metadata":${object(event.metadata)},"raw_usage":${orNull(event.raw_usage)},"created_at":${quote(event.created_at)}}`,
};
