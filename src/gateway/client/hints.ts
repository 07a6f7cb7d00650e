/**
 * Headers by which coding agents state the place of a request in their work: the sub-agent, the user prompt, the purpose.
 * Any caller can spoof them.
 */
import type { RequestHints } from "../../events/compose.ts";

const MAX_HINT = 128;

/** One row per hint: its headers, in order of preference. */
const HEADERS: Readonly<Record<keyof RequestHints, readonly string[]>> = {
  agentId: ["x-claude-code-agent-id"],
  parentAgentId: ["x-claude-code-parent-agent-id"],
  promptId: ["x-claude-code-prompt-id"],
  // Codex names the kind of its sub-agent, the Copilot CLI whether the user or the agent began the request.
  requestClass: ["x-openai-subagent", "x-initiator"],
};

/** Each hint has at most 128 visible ASCII characters; null if the request has no valid one. */
export function readHints(headers: Headers): RequestHints {
  const read = (names: readonly string[]): string | null => {
    for (const name of names) {
      const value = headers.get(name)?.trim() ?? "";
      if (value !== "" && value.length <= MAX_HINT && /^[\x21-\x7e]+$/.test(value)) return value;
    }
    return null;
  };
  return {
    agentId: read(HEADERS.agentId),
    parentAgentId: read(HEADERS.parentAgentId),
    promptId: read(HEADERS.promptId),
    requestClass: read(HEADERS.requestClass),
  };
}
