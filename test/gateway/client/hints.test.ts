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
    ["a review by Codex", { "x-openai-subagent": "review" }, { requestClass: "review" }],
    ["the Copilot CLI", { "x-initiator": "agent" }, { requestClass: "agent" }],
    ["a value with blanks inside", { "x-initiator": "a b" }, {}],
    ["a value that is too long", { "x-claude-code-agent-id": "a".repeat(129) }, {}],
    ["an empty value", { "x-openai-subagent": " ", "x-initiator": "user" }, { requestClass: "user" }],
  ])("are read from %s", (_, headers: Readonly<Record<string, string>>, hints) => {
    expect(readHints(new Headers(headers))).toEqual({ ...NO_HINTS, ...hints });
  });
});
