/** The request headers that a provider of this dialect receives, and why. */
import { forwardedHeaders } from "../forwarded-headers.ts";

export const openaiHeaders = forwardedHeaders(
  [
    // Beta features of the API.
    "openai-beta",
    // Codex: the client and its session, by which the Responses API finds its prompt cache.
    "originator",
    "version",
    "session_id",
    "session-id",
    "thread_id",
    "thread-id",
    "conversation_id",
    "x-codex-*",
    // Codex: the form of the request (tools in its input), and what it is for. They choose no account.
    "x-openai-internal-codex-responses-lite",
    "x-openai-subagent",
    "x-openai-memgen-request",
    // xAI: the conversation, for the same as Codex's session.
    "x-grok-conv-id",
    // OpenRouter's names of the application.
    "http-referer",
    "x-title",
  ],
  // The organization and project that pay, the account of a ChatGPT login, and headers of OpenAI's own clients.
  ["openai-organization", "openai-project", "chatgpt-account-id", "x-openai-*", "x-oai-*"],
);
