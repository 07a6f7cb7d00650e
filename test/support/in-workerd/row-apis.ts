/** Requests to the three APIs, each by another client, and the columns that an interception's row takes from them. */
import { CANARIES } from "./gateway-harness.ts";
import { OWN_KEY } from "./calls.ts";
import { assistantMessage } from "./row-responses.ts";
import type { Row } from "./ledger-database.ts";

export const PROMPT = 'Grüße 🗼: which files changed on "Tuesday"?\n';
/** The tool call whose result a request carries. */
export const RESULT_CALL_ID = "call_of-the-request-before";

export type ApiRequests = {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A request with the user's prompt. */
  readonly prompt: (stream: boolean) => object;
  /** A request with a tool's result. */
  readonly result: (stream: boolean) => object;
  /** Whether the request with the tool's result has a prompt too, as Messages allows. */
  readonly promptWithResult: boolean;
  /** The row's columns that depend on the request. */
  readonly columns: Row;
};

const system = { role: "system", content: "Be brief." };
const chat: ApiRequests = {
  path: "/openai/v1/chat/completions",
  headers: OWN_KEY,
  prompt: (stream) => ({
    model: "gpt-4o",
    messages: [system, { role: "user", content: [{ type: "text", text: PROMPT }] }],
    stream,
  }),
  result: (stream) => ({
    model: "gpt-4o",
    messages: [
      { role: "user", content: PROMPT },
      assistantMessage,
      { role: "tool", tool_call_id: RESULT_CALL_ID, content: "a.ts" },
    ],
    stream,
  }),
  promptWithResult: false,
  columns: {},
};

const messages: ApiRequests = {
  path: "/anthropic/v1/messages?beta=true",
  headers: {
    "x-api-key": CANARIES.ownKey,
    "user-agent": "claude-cli/2.1.330 (external, cli)",
    "x-claude-code-session-id": "session-of-claude-code",
  },
  prompt: (stream) => ({
    model: "claude-opus-4-6",
    max_tokens: 99,
    system: "Be brief.",
    messages: [{ role: "user", content: PROMPT }],
    stream,
  }),
  result: (stream) => ({
    model: "claude-opus-4-6",
    max_tokens: 99,
    messages: [
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: RESULT_CALL_ID, content: "a.ts" },
          { type: "text", text: PROMPT },
        ],
      },
    ],
    stream,
  }),
  promptWithResult: true,
  columns: {
    client: "Claude Code",
    client_kind: "agent",
    user_agent: "claude-cli/2.1.330 (external, cli)",
    client_session_id: "session-of-claude-code",
    session_id: "session-of-claude-code",
    provider: "anthropic",
    provider_type: "anthropic",
    route: "/v1/messages",
    model: "claude-opus-4-6",
  },
};

const responses: ApiRequests = {
  path: "/openai/v1/responses",
  headers: { ...OWN_KEY, "user-agent": "codex_exec/0.169.0", "session-id": "session-of-codex" },
  prompt: (stream) => ({ model: "gpt-5.2", instructions: "Be brief.", input: PROMPT, stream }),
  result: (stream) => ({
    model: "gpt-5.2",
    input: [
      { role: "user", content: [{ type: "input_text", text: PROMPT }] },
      assistantMessage,
      { type: "function_call_output", call_id: RESULT_CALL_ID, output: "a.ts" },
    ],
    stream,
  }),
  promptWithResult: false,
  columns: {
    client: "Codex",
    client_kind: "agent",
    user_agent: "codex_exec/0.169.0",
    client_session_id: "session-of-codex",
    session_id: "session-of-codex",
    route: "/responses",
    model: "gpt-5.2",
  },
};

const APIS: Readonly<Record<string, ApiRequests>> = { chat, messages, responses };

/** The API of a fixture, whose name begins with the API's. */
export function apiOf(name: string): ApiRequests {
  const api = APIS[name.split("/")[0] ?? ""];
  if (!api) throw new Error(`no requests for ${name}`);
  return api;
}
