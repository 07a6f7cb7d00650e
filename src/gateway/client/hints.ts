/**
 * Headers by which coding agents state the place of a request in their work: the sub-agent, the user prompt, the purpose.
 * Any caller can spoof them.
 */
import type { RequestHints } from "../../events/compose.ts";
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { parseObject, type JsonObject } from "../../shared/json.ts";
import { toShortText } from "./short-text.ts";

/** In characters. Codex sends about 800. */
const MAX_TURN_METADATA = 4096;

type Agent = Pick<RequestHints, "agentId" | "parentAgentId">;

const MAIN_AGENT: Agent = { agentId: null, parentAgentId: null };
const NO_TURN: JsonObject = {};

/** Each hint has at most 128 visible ASCII characters; null if the request has no valid one. */
export function readHints(headers: HeaderReader): RequestHints {
  const turn = readTurn(headers);
  return {
    ...(readClaudeAgent(headers) ?? readCodexAgent(headers) ?? readOpenCodeAgent(headers) ?? MAIN_AGENT),
    promptId: toShortText(headers.get("x-claude-code-prompt-id")) ?? toShortText(turn["turn_id"]),
    // Codex names the kind of its sub-agent or of the request, the Copilot CLI whether the user or the agent began it.
    requestClass:
      toShortText(headers.get("x-openai-subagent")) ??
      toShortText(turn["request_kind"]) ??
      toShortText(headers.get("x-initiator")),
  };
}

/** Claude Code names no parent if the main agent started the sub-agent. */
function readClaudeAgent(headers: HeaderReader): Agent | null {
  const agentId = toShortText(headers.get("x-claude-code-agent-id"));
  const parentAgentId = toShortText(headers.get("x-claude-code-parent-agent-id"));
  return agentId === null && parentAgentId === null ? null : { agentId, parentAgentId };
}

/** Codex sends the id of the main thread as the session's, and on each request the id of the request's own thread. */
function readCodexAgent(headers: HeaderReader): Agent | null {
  const session = toShortText(headers.get("session-id")) ?? toShortText(headers.get("session_id"));
  const thread = toShortText(headers.get("thread-id")) ?? toShortText(headers.get("thread_id"));
  if (session === null || thread === null || thread === session) return null;
  const parent = toShortText(headers.get("x-codex-parent-thread-id"));
  return { agentId: thread, parentAgentId: parent === session ? null : parent };
}

/** A sub-agent of OpenCode has a session of its own. Its requests belong to the session of the parent (clients.ts). */
function readOpenCodeAgent(headers: HeaderReader): Agent | null {
  if (toShortText(headers.get("x-parent-session-id")) === null) return null;
  const names = ["x-opencode-session", "x-session-affinity", "x-session-id"];
  const agentId = names.map((name) => toShortText(headers.get(name))).find((id) => id !== null);
  return agentId === undefined ? null : { agentId, parentAgentId: null };
}

function readTurn(headers: HeaderReader): JsonObject {
  const metadata = headers.get("x-codex-turn-metadata");
  if (metadata === null || metadata.length > MAX_TURN_METADATA) return NO_TURN;
  return parseObject(metadata) ?? NO_TURN;
}
