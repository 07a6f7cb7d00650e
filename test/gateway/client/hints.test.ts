import { describe, expect, it } from "vitest";
import { readHints } from "../../../src/gateway/client/hints.ts";

const NO_HINTS = { agentId: null, parentAgentId: null, promptId: null, requestClass: null };

describe("the hints of a request", () => {
  it.each([
    ["no header", {}, {}],
    [
      "a sub-agent of Claude Code",
      {
        "x-claude-code-agent-id": "a1b2c3d4e5f60718",
        "x-claude-code-parent-agent-id": "0718a1b2c3d4e5f6",
        "x-claude-code-prompt-id": "p-1",
      },
      { agentId: "a1b2c3d4e5f60718", parentAgentId: "0718a1b2c3d4e5f6", promptId: "p-1" },
    ],
    [
      "a thread of Codex that the main thread spawned",
      {
        "session-id": "root",
        "thread-id": "child",
        "x-codex-parent-thread-id": "root",
        "x-openai-subagent": "collab_spawn",
        "x-codex-turn-metadata": '{"thread_id":"child","turn_id":"turn-1","request_kind":"turn"}',
      },
      { agentId: "child", promptId: "turn-1", requestClass: "collab_spawn" },
    ],
    [
      "a thread of Codex that another thread spawned",
      { "session-id": "root", "thread-id": "grandchild", "x-codex-parent-thread-id": "child" },
      { agentId: "grandchild", parentAgentId: "child" },
    ],
    [
      "the main thread of Codex",
      {
        "session-id": "root",
        "thread-id": "root",
        "x-codex-turn-metadata": '{"turn_id":"","request_kind":"compact"}',
      },
      { requestClass: "compact" },
    ],
    ["a thread without a session", { "thread-id": "child", "x-codex-parent-thread-id": "root" }, {}],
    [
      "a sub-agent of OpenCode",
      { "x-session-affinity": "ses_b", "x-session-id": "ses_b", "x-parent-session-id": "ses_a" },
      { agentId: "ses_b" },
    ],
    ["the main agent of OpenCode", { "x-session-affinity": "ses_a", "x-session-id": "ses_a" }, {}],
    ["turn metadata that is not JSON", { "x-codex-turn-metadata": "{turn_id:1" }, {}],
    ["turn metadata that is a list", { "x-codex-turn-metadata": '["turn_id"]' }, {}],
    ["turn metadata with a number", { "x-codex-turn-metadata": '{"turn_id":7,"request_kind":{}}' }, {}],
    [
      "turn metadata with hostile texts",
      { "x-codex-turn-metadata": JSON.stringify({ turn_id: "a\u0000b", request_kind: "x".repeat(129) }) },
      {},
    ],
    [
      "turn metadata that is too long",
      { "x-codex-turn-metadata": JSON.stringify({ turn_id: "t", pad: "x".repeat(4096) }) },
      {},
    ],
    ["a review by Codex", { "x-openai-subagent": "review" }, { requestClass: "review" }],
    ["the Copilot CLI", { "x-initiator": "agent" }, { requestClass: "agent" }],
    ["a value with blanks inside", { "x-initiator": "a b" }, {}],
    ["a value that is too long", { "x-claude-code-agent-id": "a".repeat(129) }, {}],
    ["an empty value", { "x-openai-subagent": " ", "x-initiator": "user" }, { requestClass: "user" }],
  ])("are read from %s", (_, headers: Readonly<Record<string, string>>, hints) => {
    expect(readHints(new Headers(headers))).toEqual({ ...NO_HINTS, ...hints });
  });
});
