/** The fields of requests to OpenAI's API: https://platform.openai.com/docs/api-reference. */
import { requestFields } from "../model-call.ts";

const SHARED =
  "metadata moderation n parallel_tool_calls prompt_cache_key prompt_cache_options prompt_cache_retention safety_identifier " +
  "service_tier store temperature tool_choice tools top_logprobs top_p user verbosity";
/** OpenRouter's, whose models can replace the one that `model` names, and those of other compatible servers. */
const ROUTERS =
  "fallbacks models plugins preset provider reasoning route session_id transforms usage extra_body extra_headers";

export const chatFields = requestFields(
  (
    `${SHARED} ${ROUTERS} audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens ` +
    "messages modalities prediction presence_penalty reasoning_effort response_format seed stop web_search_options"
  ).split(" "),
);

export const responsesFields = requestFields(
  (
    `${SHARED} ${ROUTERS} background context_management conversation include input instructions max_output_tokens ` +
    "max_tool_calls previous_response_id prompt text truncation"
  ).split(" "),
);

/** Of the APIs without a conversation, and of text completions. */
export const modelRunFields = requestFields(
  (
    `${SHARED} ${ROUTERS} background best_of dimensions documents echo encoding_format frequency_penalty image images input ` +
    "input_fidelity instructions language logit_bias logprobs mask max_tokens messages output_compression output_format " +
    "partial_images presence_penalty prompt quality query response_format seed size speed stop stream_format style suffix " +
    "timestamp_granularities top_n voice"
  ).split(" "),
);

export const batchFields = requestFields(
  "completion_window endpoint input_file_id metadata output_expires_after".split(" "),
);
