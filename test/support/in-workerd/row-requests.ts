/**
 * Exchanges whose rows depend on more than the response, each with its expected rows in every column: an agent's loop, owner
 * assertions, a refusal, a provider error, and requests that are no interceptions.
 */
import { byteLength } from "../../../src/shared/text.ts";
import { PROVIDERS } from "./gateway-harness.ts";
import { AGENTS, OWN_KEY, post } from "./calls.ts";
import { jsonPost, CHAT, CHAT_REQUEST, userMessage } from "./row-responses.ts";
import { RECORDED, jsonResponse, type Case } from "./row-case.ts";
import {
  ID,
  interceptionRow,
  overrideRow,
  passthroughRow,
  promptRow,
  refusalRow,
  SECOND_ID,
  tables,
  toolRow,
} from "./row-values.ts";
import { CODER_AGENTS_UA, OWNER } from "./values.ts";

const LOOP_CALL = JSON.stringify({
  id: "x",
  model: "m",
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content: null,
        tool_calls: [
          { id: "call_1", type: "function", function: { name: "read_file", arguments: '{"path":"a.ts"}' } },
        ],
      },
      finish_reason: "tool_calls",
    },
  ],
  usage: { prompt_tokens: 10, completion_tokens: 4 },
});
const LOOP_TEXT = JSON.stringify({
  id: "y",
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "There." }, finish_reason: "stop" }],
  usage: { prompt_tokens: 30, completion_tokens: 2 },
});
const TEXT_FIGURES = { input_tokens: 30, output_tokens: 2, usage_metadata: "{}" } as const;
const assistantMessage = {
  role: "assistant",
  content: null,
  tool_calls: [{ id: "call_1", type: "function" }],
};

const agentLoop: Case = {
  name: "puts a tool call and the request with its result into one thread and one session",
  vars: RECORDED,
  exchanges: [
    {
      path: CHAT,
      init: jsonPost({ model: "gpt-4o", messages: [userMessage] }),
      response: jsonResponse(LOOP_CALL),
    },
    {
      at: 1000,
      path: CHAT,
      init: jsonPost({
        model: "gpt-4o",
        messages: [
          userMessage,
          assistantMessage,
          { role: "tool", tool_call_id: "call_1", content: "RESULT" },
        ],
      }),
      response: jsonResponse(LOOP_TEXT),
    },
  ],
  rows: tables({
    interceptions: [
      interceptionRow({
        streaming: 0,
        finish_reason: "tool_calls",
        tool_call_count: 1,
        response_bytes: byteLength(LOOP_CALL),
        input_tokens: 10,
        output_tokens: 4,
        usage_metadata: "{}",
      }),
      interceptionRow({
        id: SECOND_ID,
        streaming: 0,
        started_at: "2026-11-23T12:00:01.000Z",
        ended_at: "2026-11-23T12:00:01.040Z",
        correlating_tool_call_id: "call_1",
        prompt_count: 0,
        earlier_prompt_count: 1,
        provider_response_id: "y",
        response_bytes: byteLength(LOOP_TEXT),
        ...TEXT_FIGURES,
        thread_parent_id: ID,
        thread_root_id: ID,
        session_id: ID,
      }),
    ],
    user_prompts: [promptRow()],
    tool_usages: [
      toolRow({
        position: 0,
        provider_tool_call_id: "call_1",
        tool: "read_file",
        input: '{"path":"a.ts"}',
        metadata: '{"kind":"function"}',
      }),
    ],
  }),
};

const CENTRAL = "/central/v1/chat/completions";
const CHAT_ID = "0a0a0a0a-0000-4000-8000-00000000000a";
const WORKSPACE_ID = "0b0b0b0b-0000-4000-8000-00000000000b";
/** The columns of a request with a client key, forwarded with the gateway's central key. */
const CENTRAL_COLUMNS = {
  actor_id: "ci-bot",
  actor_kind: "service",
  identity_source: "keys",
  client: "Coder Agents",
  client_kind: "agent",
  user_agent: CODER_AGENTS_UA,
  provider: "central",
  streaming: 0,
  credential_kind: "centralized",
  credential_hint: "sk-c...cdef",
  api_key_id: "2f9492882e36c476",
  metadata: '{"actor_name":"CI bot"}',
} as const;
const CHAT_IDS = { chat_id: CHAT_ID, subchat_id: null, workspace_id: WORKSPACE_ID };

const overrides: Case = {
  name: "records the initiator and the override of an accepted and of a rejected owner assertion",
  vars: RECORDED,
  exchanges: [
    {
      path: CENTRAL,
      init: jsonPost(
        { model: "gpt-4o", messages: [userMessage] },
        {
          ...AGENTS,
          "x-coder-owner-id": OWNER.toUpperCase(),
          "x-coder-chat-id": CHAT_ID,
          "x-coder-workspace-id": WORKSPACE_ID,
        },
      ),
      response: jsonResponse(LOOP_TEXT),
    },
    {
      at: 1000,
      path: CENTRAL,
      init: jsonPost(
        { model: "gpt-4o", messages: [userMessage] },
        { ...AGENTS, "x-coder-owner-id": "not-a-uuid" },
      ),
      response: jsonResponse(LOOP_TEXT),
    },
  ],
  rows: tables({
    interceptions: [
      interceptionRow({
        ...CENTRAL_COLUMNS,
        ...CHAT_IDS,
        initiator_id: OWNER,
        attribution: "asserted",
        client_session_id: CHAT_ID,
        session_id: CHAT_ID,
        provider_response_id: "y",
        response_bytes: byteLength(LOOP_TEXT),
        ...TEXT_FIGURES,
      }),
      interceptionRow({
        flags: '["owner_rejected"]',
        ...CENTRAL_COLUMNS,
        id: SECOND_ID,
        initiator_id: "ci-bot",
        attribution: "authenticated",
        started_at: "2026-11-23T12:00:01.000Z",
        ended_at: "2026-11-23T12:00:01.040Z",
        session_id: SECOND_ID,
        provider_response_id: "y",
        response_bytes: byteLength(LOOP_TEXT),
        ...TEXT_FIGURES,
      }),
    ],
    user_prompts: [
      promptRow({ initiator_id: OWNER }),
      promptRow({
        id: "01a20847-01e8-8300-8def-0123456789ab",
        interception_id: SECOND_ID,
        initiator_id: "ci-bot",
        created_at: "2026-11-23T12:00:01.000Z",
      }),
    ],
    initiator_overrides: [
      overrideRow({
        ...CHAT_IDS,
        client_session_id: CHAT_ID,
        initiator_id: OWNER,
        attribution: "asserted",
        owner_id: OWNER,
      }),
      overrideRow({
        id: "01a20847-01e8-8700-8def-0123456789ab",
        interception_id: SECOND_ID,
        accepted: 0,
        initiator_id: "ci-bot",
        attribution: "authenticated",
        owner_id: null,
        reason: "form",
        signature: null,
        directory: null,
        candidates:
          '[{"who":"owner","id":null,"rejection_reason":"form"},{"who":"actor","id":"ci-bot","rejection_reason":null}]',
        value_length: 10,
        // printf %s not-a-uuid | sha256sum
        value_sha256: "2184a32a3bae6ad7",
        created_at: "2026-11-23T12:00:01.000Z",
      }),
    ],
  }),
};

const NO_RESPONSE = {
  finish_reason: null,
  usage: "unknown",
  provider_response_id: null,
  response_model: null,
  service_tier: null,
  speed: null,
  inference_geo: null,
  reported_cost: null,
  response_bytes: 0,
  first_byte_ms: null,
} as const;

const refused: Case = {
  name: "records a request that policy refuses as refused, with its prompt and without usage",
  vars: { ...RECORDED, PROVIDERS: { openai: { ...PROVIDERS.openai, models: ["gpt-5.2"] } } },
  exchanges: [{ path: CHAT, init: jsonPost(CHAT_REQUEST), response: null }],
  rows: tables({
    interceptions: [
      interceptionRow({
        ...NO_RESPONSE,
        usage_opt_in: null,
        outcome: "refused",
        status: 403,
        error: "model_not_allowed",
        ended_at: "2026-11-23T12:00:00.000Z",
        duration_ms: 0,
      }),
    ],
    user_prompts: [promptRow()],
    refusals: [refusalRow({ reason: "model_not_allowed", status: 403 })],
  }),
};

/** Providers quote credentials in their error messages. */
const TOO_MANY =
  '{"error":{"message":"Rate limit reached for sk-proj-abcdefgh12345678 in Grüße 🗼.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}';

const tooMany: Case = {
  name: "records a provider's 429 with its error type and its message, the key in it redacted, and without usage",
  vars: RECORDED,
  exchanges: [{ path: CHAT, init: jsonPost(CHAT_REQUEST), response: jsonResponse(TOO_MANY, 429) }],
  rows: tables({
    interceptions: [
      interceptionRow({
        ...NO_RESPONSE,
        outcome: "upstream_error",
        status: 429,
        error: "tokens",
        error_message: "Rate limit reached for [redacted:provider_key] in Grüße 🗼.",
        response_bytes: byteLength(TOO_MANY),
        first_byte_ms: 40,
      }),
    ],
    user_prompts: [promptRow()],
  }),
};

const NO_ACTOR = {
  actor_id: null,
  actor_kind: null,
  initiator_id: null,
  identity_source: null,
  api_key_id: null,
  initiator_source: null,
} as const;

const noInterception: Case = {
  name: "records passthroughs, and the owner override of one, of requests that are no interceptions",
  vars: RECORDED,
  exchanges: [
    { path: CHAT, init: jsonPost(CHAT_REQUEST, {}), response: null },
    { at: 1000, path: CHAT, init: post("no json"), response: null },
    {
      at: 2000,
      path: "/openai/v1/models",
      init: { headers: OWN_KEY },
      response: jsonResponse('{"data":[]}'),
    },
    { at: 3000, path: "/nothing", init: jsonPost(CHAT_REQUEST), response: null },
    {
      at: 4000,
      path: "/central/v1/models",
      init: { headers: { ...AGENTS, "x-coder-owner-id": OWNER } },
      response: jsonResponse('{"data":[]}'),
    },
  ],
  rows: tables({
    initiator_overrides: [
      overrideRow({
        id: "01a20847-0da0-8600-8def-0123456789ab",
        interception_id: "01a20847-0da0-7abc-8def-0123456789ab",
        initiator_id: OWNER,
        attribution: "asserted",
        owner_id: OWNER,
        created_at: "2026-11-23T12:00:04.000Z",
      }),
    ],
    passthroughs: [
      passthroughRow({
        id: "01a20847-05d0-7abc-8def-0123456789ab",
        started_at: "2026-11-23T12:00:02.000Z",
        ended_at: "2026-11-23T12:00:02.040Z",
      }),
      passthroughRow({
        id: "01a20847-0da0-7abc-8def-0123456789ab",
        actor_id: "ci-bot",
        actor_kind: "service",
        initiator_id: OWNER,
        attribution: "asserted",
        identity_source: "keys",
        client: "Coder Agents",
        user_agent: "coder-agents/v2.24.0 (linux/amd64)",
        provider: "central",
        api_key_id: "2f9492882e36c476",
        metadata: '{"actor_name":"CI bot"}',
        started_at: "2026-11-23T12:00:04.000Z",
        ended_at: "2026-11-23T12:00:04.040Z",
      }),
    ],
    refusals: [
      refusalRow({ ...NO_ACTOR, reason: "credential_missing", status: 401 }),
      refusalRow({
        id: "01a20847-01e8-8800-8def-0123456789ab",
        interception_id: "01a20847-01e8-7abc-8def-0123456789ab",
        reason: "body_invalid",
        status: 400,
        created_at: "2026-11-23T12:00:01.000Z",
      }),
      refusalRow({
        ...NO_ACTOR,
        id: "01a20847-09b8-8800-8def-0123456789ab",
        interception_id: "01a20847-09b8-7abc-8def-0123456789ab",
        reason: "not_found",
        status: 404,
        provider: null,
        route: null,
        client: null,
        created_at: "2026-11-23T12:00:03.000Z",
      }),
    ],
  }),
};

export const REQUEST_CASES: readonly Case[] = [agentLoop, overrides, refused, tooMany, noInterception];
