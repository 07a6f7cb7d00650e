/** The fields by which a request runs another model than it names, or more of it. Each may occur once, in its one spelling. */

/** Fields with which a compatible server calls another address, or no model. */
export const REDIRECTS = [
  "api_base",
  "api_key",
  "api_version",
  "base_url",
  "custom_llm_provider",
  "extra_body",
  "mock_response",
  "mock_tool_calls",
  "model_list",
] as const;

/** The fields that decide what runs, beside those of each API. */
export const MODEL_FIELDS: readonly string[] = [
  ...REDIRECTS,
  "best_of",
  "chat_template",
  "fallbacks",
  "models",
  "n",
  "preset",
  "prompt_embeds",
  "service_tier",
  "speed",
  "inference_geo",
  "tools",
];
