/** The fields of the ledger's records as they are answered: what is selected, read and documented, in one place. */
import {
  COUNT,
  COUNT_OR_NULL,
  FLAG,
  FLAG_OR_NULL,
  ID,
  ID_OR_NULL,
  JSON_OBJECT,
  withDescription,
  TEXT,
  TEXT_OR_NULL,
  TEXTS,
  TIME,
  TIME_OR_NULL,
  type Fields,
} from "./kit/row-mapper.ts";

/** Who, and what the client said of itself. */
const CALLER = {
  actor_id: TEXT,
  actor_kind: TEXT,
  initiator_id: TEXT,
  attribution: TEXT,
  identity_source: TEXT,
  client: TEXT,
  user_agent: TEXT_OR_NULL,
  client_session_id: TEXT_OR_NULL,
  chat_id: ID_OR_NULL,
  subchat_id: ID_OR_NULL,
  workspace_id: ID_OR_NULL,
  delegated_key_id: withDescription(
    TEXT_OR_NULL,
    "Of a gateway that delegates: the API key of the user behind it.",
  ),
  delegated_source: withDescription(TEXT_OR_NULL, "Likewise: what that user is using."),
} satisfies Fields;

export const INTERCEPTION = {
  id: ID,
  ...CALLER,
  session_id: TEXT,
  provider: TEXT,
  provider_type: TEXT,
  route: TEXT,
  model: withDescription(TEXT_OR_NULL, "As it was asked for."),
  streaming: FLAG,
  credential_kind: TEXT,
  credential_hint: TEXT_OR_NULL,
  api_key_id: withDescription(TEXT_OR_NULL, "The credential's id, never the credential."),
  metadata: withDescription(JSON_OBJECT, "Of the actor: its `actor_name` where it has one."),
  initiator_name: withDescription(TEXT_OR_NULL, "The owner's user name, where the directory told it."),
  flags: withDescription(TEXTS, "What is odd about the request, seen in it alone."),
  correlating_tool_call_id: TEXT_OR_NULL,
  thread_parent_id: ID_OR_NULL,
  thread_root_id: ID_OR_NULL,
  prompt_count: COUNT_OR_NULL,
  started_at: TIME,
  ended_at: TIME_OR_NULL,
  outcome: withDescription(TEXT_OR_NULL, "null: it has not ended."),
  status: COUNT_OR_NULL,
  finish_reason: TEXT_OR_NULL,
  error: TEXT_OR_NULL,
  error_message: TEXT_OR_NULL,
  usage: withDescription(TEXT_OR_NULL, "`final`, `partial` or `unknown`; null: it has not ended."),
  usage_invalid: FLAG_OR_NULL,
  observation: TEXT_OR_NULL,
  provider_response_id: TEXT_OR_NULL,
  response_model: TEXT_OR_NULL,
  response_bytes: COUNT_OR_NULL,
  first_byte_ms: COUNT_OR_NULL,
  duration_ms: COUNT_OR_NULL,
  tool_call_count: COUNT_OR_NULL,
  thought_count: COUNT_OR_NULL,
} satisfies Fields;

/** What belongs to an interception, under its name there. */
const OWNED = {
  id: ID,
  interception_id: ID,
  provider_response_id: TEXT_OR_NULL,
  metadata: JSON_OBJECT,
  created_at: TIME,
} satisfies Fields;

export const TOKEN_USAGE = {
  ...OWNED,
  input_tokens: COUNT_OR_NULL,
  output_tokens: COUNT_OR_NULL,
  cache_read_input_tokens: COUNT_OR_NULL,
  cache_write_input_tokens: COUNT_OR_NULL,
  usage: TEXT,
} satisfies Fields;

export const USER_PROMPT = { ...OWNED, prompt: TEXT, truncated: FLAG } satisfies Fields;

export const TOOL_USAGE = {
  ...OWNED,
  position: COUNT,
  provider_tool_call_id: TEXT_OR_NULL,
  tool: TEXT,
  input: withDescription(TEXT_OR_NULL, "null where inputs are not recorded."),
  truncated: FLAG,
  server_url: TEXT_OR_NULL,
  injected: FLAG,
  invocation_error: TEXT_OR_NULL,
} satisfies Fields;

export const MODEL_THOUGHT = { ...OWNED, position: COUNT, content: TEXT, truncated: FLAG } satisfies Fields;

export const OVERRIDE = {
  id: ID,
  interception_id: ID,
  accepted: FLAG,
  owner_id: withDescription(
    TEXT_OR_NULL,
    "Whom the header named; null where it did not count, as its value is not recorded.",
  ),
  reason: withDescription(TEXT_OR_NULL, "Why it did not count."),
  value_length: COUNT_OR_NULL,
  value_sha256: withDescription(TEXT_OR_NULL, "The first 16 hex digits."),
  owner_username: withDescription(TEXT_OR_NULL, "As the directory told it."),
  rule: withDescription(
    TEXT_OR_NULL,
    "What gave the right to assert, or denied it; null where not looked at.",
  ),
  signature: withDescription(
    TEXT_OR_NULL,
    "`valid`, `absent`, `off`, or what is wrong; null where not looked at.",
  ),
  directory: withDescription(
    TEXT_OR_NULL,
    "What the directory says of the owner, or `off`; null where not asked.",
  ),
  ...CALLER,
  provider: TEXT,
  created_at: TIME,
} satisfies Fields;
