/** The fields of requests to Anthropic's API: https://docs.anthropic.com/en/api/messages. */
import { requestFields } from "../model-call.ts";

export const messagesFields = requestFields(
  (
    "cache_control container context_management fallbacks inference_geo max_tokens mcp_servers messages metadata models " +
    "output_config output_format service_tier speed stop_sequences system temperature thinking tool_choice tools top_k top_p"
  ).split(" "),
);
