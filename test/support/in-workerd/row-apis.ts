/**
 * The three APIs as the ledger's tests ask them: requests that fit, each by another client, and what an interception's row
 * says of who asked and for what.
 */
import { CANARIES } from "./gateway-harness.ts";
import { OWN_KEY } from "./calls.ts";
import type { Row } from "./ledger-database.ts";

export const PROMPT = 'Grüße 🗼: which files changed on "Tuesday"?\n';
/** The call whose result a request brings back. */
export const BROUGHT = "call_of-the-request-before";

export type AskedApi = {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the user says. */
  readonly prompt: (stream: boolean) => object;
  /** A tool's result. */
  readonly result: (stream: boolean) => object;
  /** Whether the user says something beside the tool's result, as Messages can. */
  readonly saysBesideResult: boolean;
  /** The columns that tell of it. */
  readonly asked: Row;
};

const system = { role: "system", content: "Be brief." };
const chat: AskedApi = {
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
      { role: "tool", tool_call_id: BROUGHT, content: "a.ts" },
    ],
    stream,
  }),
  saysBesideResult: false,
  asked: {},
};

const messages: AskedApi = {
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
          { type: "tool_result", tool_use_id: BROUGHT, content: "a.ts" },
          { type: "text", text: PROMPT },
        ],
      },
    ],
    stream,
  }),
  saysBesideResult: true,
  asked: {
    client: "Claude Code",
    user_agent: "claude-cli/2.1.330 (external, cli)",
    client_session_id: "session-of-claude-code",
    session_id: "session-of-claude-code",
    provider: "anthropic",
    provider_type: "anthropic",
    route: "/v1/messages",
    model: "claude-opus-4-6",
  },
};

const responses: AskedApi = {
  path: "/openai/v1/responses",
  headers: { ...OWN_KEY, "user-agent": "codex_exec/0.169.0", "session-id": "session-of-codex" },
  prompt: (stream) => ({ model: "gpt-5.2", instructions: "Be brief.", input: PROMPT, stream }),
  result: (stream) => ({
    model: "gpt-5.2",
    input: [
      { role: "user", content: [{ type: "input_text", text: PROMPT }] },
      { type: "function_call_output", call_id: BROUGHT, output: "a.ts" },
    ],
    stream,
  }),
  saysBesideResult: false,
  asked: {
    client: "Codex",
    user_agent: "codex_exec/0.169.0",
    client_session_id: "session-of-codex",
    session_id: "session-of-codex",
    route: "/responses",
    model: "gpt-5.2",
  },
};

const APIS: Readonly<Record<string, AskedApi>> = { chat, messages, responses };

/** By a fixture's name, which begins with its API's. */
export function apiOf(name: string): AskedApi {
  const api = APIS[name.split("/")[0] ?? ""];
  if (!api) throw new Error(`no requests for ${name}`);
  return api;
}
