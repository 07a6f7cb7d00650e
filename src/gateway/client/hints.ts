/**
 * Headers by which coding agents state the place of a request in their work: the sub-agent, the user prompt, the purpose.
 * Any caller can spoof them.
 */
import type { RequestHints } from "../../events/compose.ts";
import { parseObject, type JsonObject } from "../../shared/json.ts";

const MAX_HINT = 128;
/** In characters. Codex sends about 800. */
const MAX_TURN_METADATA = 4096;

type Agent = Pick<RequestHints, "agentId" | "parentAgentId">;

const MAIN_AGENT: Agent = { agentId: null, parentAgentId: null };

/** Each hint has at most 128 visible ASCII characters; null if the request has no valid one. */
export function readHints(headers: Headers): RequestHints {
  const turn = readTurn(headers);
  return {
    ...(readClaudeAgent(headers) ?? readCodexAgent(headers) ?? readOpenCodeAgent(headers) ?? MAIN_AGENT),
    promptId: toHint(headers.get("x-claude-code-prompt-id")) ?? toHint(turn["turn_id"]),
    // Codex names the kind of its sub-agent or of the request, the Copilot CLI whether the user or the agent began it.
    requestClass:
      toHint(headers.get("x-openai-subagent")) ??
      toHint(turn["request_kind"]) ??
      toHint(headers.get("x-initiator")),
  };
}

/** Claude Code names no parent if the main agent started the sub-agent. */
function readClaudeAgent(headers: Headers): Agent | null {
  const agentId = toHint(headers.get("x-claude-code-agent-id"));
  const parentAgentId = toHint(headers.get("x-claude-code-parent-agent-id"));
  return agentId === null && parentAgentId === null ? null : { agentId, parentAgentId };
}

/** Codex sends the id of the main thread as the session's, and on each request the id of the request's own thread. */
function readCodexAgent(headers: Headers): Agent | null {
  const session = toHint(headers.get("session-id")) ?? toHint(headers.get("session_id"));
  const thread = toHint(headers.get("thread-id")) ?? toHint(headers.get("thread_id"));
  if (session === null || thread === null || thread === session) return null;
  const parent = toHint(headers.get("x-codex-parent-thread-id"));
  return { agentId: thread, parentAgentId: parent === session ? null : parent };
}

/** A sub-agent of OpenCode has a session of its own. Its requests belong to the session of the parent (clients.ts). */
function readOpenCodeAgent(headers: Headers): Agent | null {
  if (toHint(headers.get("x-parent-session-id")) === null) return null;
  const names = ["x-opencode-session", "x-session-affinity", "x-session-id"];
  const agentId = names.map((name) => toHint(headers.get(name))).find((id) => id !== null);
  return agentId === undefined ? null : { agentId, parentAgentId: null };
}

function readTurn(headers: Headers): JsonObject {
  const metadata = headers.get("x-codex-turn-metadata") ?? "";
  return (metadata.length <= MAX_TURN_METADATA && parseObject(metadata)) || {};
}

function toHint(value: unknown): string | null {
  const hint = typeof value === "string" ? value.trim() : "";
  return hint !== "" && hint.length <= MAX_HINT && /^[\x21-\x7e]+$/.test(hint) ? hint : null;
}
