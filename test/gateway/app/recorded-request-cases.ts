/** The requests of test/fixtures/recorded-requests.ndjson, in its order. Each has the events of its line. */
import { CANARIES } from "../../support/in-workerd/gateway-harness.ts";
import type { Fixture } from "../../support/in-workerd/fixtures.ts";

export type RecordedRequest = {
  readonly name: string;
  readonly path: string;
  readonly init: RequestInit;
  /** The provider's response. */
  readonly response: { readonly status: number; readonly type: string; readonly body: string };
};

const OWNER = "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5";
const CHAT_ID = "0b9f6f2e-58f1-4a6f-9f43-0a1b2c3d4e5f";
const AGENTS = "coder-agents/v2.30.0 (linux/amd64)";
const USER_AGENTS = [AGENTS, "claude-cli/2.1.0 (external, cli)", "codex_exec/0.171.0"];
const API_PATHS: Readonly<Record<string, string>> = {
  chat: "chat/completions",
  messages: "messages",
  responses: "responses",
};

/** A model call for every fixture. Its position decides the credential, the client and the Coder headers. */
export function modelCalls(fixtures: readonly Fixture[]): RecordedRequest[] {
  return fixtures.map(({ name, kind, text }, position) => {
    const api = name.split("/")[0] ?? "";
    const stream = kind === "events";
    const isCentral = api !== "messages" && position % 2 === 0;
    const provider = api === "messages" ? "anthropic" : isCentral ? "central" : "openai";
    const messages = [{ role: "user", content: "Which tests fail?" }];
    const conversation = api === "responses" ? { input: messages } : { messages };
    return {
      name,
      path: `/${provider}/v1/${API_PATHS[api] ?? ""}`,
      init: {
        method: "POST",
        headers: headersAt(position, isCentral),
        body: JSON.stringify({ model: "gpt-5.1", stream, ...conversation }),
      },
      response: { status: 200, type: stream ? "text/event-stream" : "application/json", body: text },
    };
  });
}

function headersAt(position: number, isCentral: boolean): Record<string, string> {
  return {
    authorization: `Bearer ${isCentral ? CANARIES.clientKey : CANARIES.ownKey}`,
    "user-agent": USER_AGENTS[position % 3] ?? "",
    ...(position % 4 === 0 && { "x-coder-owner-id": OWNER }),
    ...(position % 12 === 6 && { "x-coder-owner-id": "not-a-uuid" }),
    ...(position % 5 === 0 && { "x-coder-chat-id": CHAT_ID }),
  };
}

const OWN_KEY = { authorization: `Bearer ${CANARIES.ownKey}` };
const OWN_X_API_KEY = { "x-api-key": CANARIES.ownKey };
const CLIENT_KEY = { authorization: `Bearer ${CANARIES.clientKey}` };
const CODER = { ...CLIENT_KEY, "user-agent": AGENTS };
const CHAT = "/openai/v1/chat/completions";
const CENTRAL_CHAT = "/central/v1/chat/completions";
const MESSAGES = "/anthropic/v1/messages";

const post = (headers: Record<string, string>, body: string | object): RequestInit => ({
  method: "POST",
  headers,
  body: typeof body === "string" ? body : JSON.stringify(body),
});

const HELLO = { model: "gpt-5.1", messages: [{ role: "user", content: "Hello there" }] };
const SESSION_CALL = {
  model: "claude-opus-4-8",
  max_tokens: 1,
  metadata: { user_id: "user_1_account__session_0123" },
  messages: [{ role: "user", content: [{ type: "text", text: "Hello there" }] }],
};
const TOOL_RESULT = {
  model: "gpt-5.1",
  messages: [
    { role: "user", content: "x" },
    { role: "assistant", tool_calls: [] },
    { role: "tool", tool_call_id: "call_7", content: "done" },
  ],
};
const RATE_LIMITED = '{"error":{"type":"rate_limit_error","message":"slow down"}}';
const SERVER_ERROR = '{"error":{"type":"server_error","message":"no"}}';

type Row = readonly [name: string, path: string, init: RequestInit, body: string, status: number];

/** Passthroughs, refusals, errors of the provider, and unusual owner headers and credentials. */
const ROWS: readonly Row[] = [
  ["models", "/openai/v1/models", { headers: OWN_KEY }, "{}", 200],
  [
    "models of the shortcut",
    "/v1/models",
    { headers: { ...OWN_KEY, "anthropic-version": "2023-06-01" } },
    "{}",
    200,
  ],
  ["files", "/central/v1/files", post(CLIENT_KEY, "x"), "{}", 200],
  ["embeddings", "/central/v1/embeddings", post(CLIENT_KEY, { model: "e" }), "{}", 200],
  [
    "owner on a passthrough",
    "/central/v1/models",
    { headers: { ...CODER, "x-coder-owner-id": OWNER } },
    "{}",
    200,
  ],
  ["no such route", "/nothing", {}, "", 200],
  ["no credential", CHAT, post({}, HELLO), "", 200],
  ["method not allowed", CHAT, { headers: OWN_KEY }, "", 200],
  ["body is not JSON", CHAT, post(OWN_KEY, "{"), "", 200],
  ["rate limited", CHAT, post(OWN_KEY, HELLO), RATE_LIMITED, 429],
  ["provider fails", CENTRAL_CHAT, post(CLIENT_KEY, HELLO), SERVER_ERROR, 500],
  ["own key for a central provider", CENTRAL_CHAT, post(OWN_KEY, HELLO), "", 200],
  [
    "owner of another client",
    CHAT,
    post({ ...OWN_KEY, "user-agent": "claude-cli/2", "x-coder-owner-id": OWNER }, HELLO),
    "{}",
    200,
  ],
  [
    "owner with version 1",
    CENTRAL_CHAT,
    post({ ...CODER, "x-coder-owner-id": OWNER.replace("-4", "-1") }, HELLO),
    "{}",
    200,
  ],
  ["HTML response", CHAT, post(OWN_KEY, HELLO), "<html>", 200],
  ["passthrough refused by the provider", "/openai/v1/models", { headers: OWN_KEY }, "{}", 404],
  [
    "session in the body",
    MESSAGES,
    post({ ...OWN_X_API_KEY, "user-agent": "claude-cli/2.1.0" }, SESSION_CALL),
    "{}",
    200,
  ],
  ["tool result", CHAT, post(OWN_KEY, TOOL_RESULT), "{}", 200],
  [
    "own key in X-Api-Key",
    MESSAGES,
    post(OWN_X_API_KEY, { model: "claude-opus-4-8", messages: [] }),
    "{}",
    529,
  ],
  ["count tokens", `${MESSAGES}/count_tokens`, post(OWN_X_API_KEY, "{}"), "{}", 200],
  [
    "identity header beside an own key",
    CHAT,
    post({ "x-coder-ai-governance-token": CANARIES.clientKey, ...OWN_KEY }, HELLO),
    "{}",
    200,
  ],
  [
    "owner given twice",
    CENTRAL_CHAT,
    post({ ...CODER, "x-coder-owner-id": `${OWNER}, ${OWNER}` }, HELLO),
    "{}",
    200,
  ],
  ["Coder Agents without its headers", CENTRAL_CHAT, post(CODER, HELLO), "{}", 200],
];

export const otherRequests: readonly RecordedRequest[] = ROWS.map(([name, path, init, body, status]) => ({
  name,
  path,
  init,
  response: { status, type: "application/json", body },
}));
