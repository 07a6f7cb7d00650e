/**
 * The known clients, one row each: how to detect the client, and where it sends its session id. The first row that
 * matches wins. A User-Agent is compared in lowercase, by prefix.
 */

/** The place of a session id: a header, or a field of the body. */
export type SessionId = { readonly header: string } | { readonly body: "metadata.user_id" };

export type ClientRow = {
  readonly name: string;
  readonly userAgent: readonly string[];
  /** A header that also identifies the client, by its presence or, with `value`, by its value in lowercase. */
  readonly header?: { readonly name: string; readonly value?: string };
  /** In order of preference. */
  readonly session: readonly SessionId[];
};

export const CODER_AGENTS = "Coder Agents";
export const UNKNOWN_CLIENT = "Unknown";

const header = (name: string): SessionId => ({ header: name });

export const CLIENTS: readonly ClientRow[] = [
  { name: CODER_AGENTS, userAgent: ["coder-agents/"], session: [header("x-coder-chat-id")] },
  { name: "Mux", userAgent: ["mux/", "xum/"], session: [header("x-mux-workspace-id")] },
  {
    name: "Claude Code",
    userAgent: ["claude"],
    session: [header("x-claude-code-session-id"), { body: "metadata.user_id" }],
  },
  { name: "Codex", userAgent: ["codex"], session: [header("session-id"), header("session_id")] },
  { name: "Zed", userAgent: ["zed/"], session: [] },
  {
    name: "GitHub Copilot (VS Code)",
    userAgent: ["githubcopilotchat/"],
    session: [header("x-interaction-id")],
  },
  { name: "GitHub Copilot (CLI)", userAgent: ["copilot/"], session: [header("x-client-session-id")] },
  {
    name: "Kilo Code",
    userAgent: ["kilo-code/"],
    header: { name: "originator", value: "kilo-code" },
    session: [header("x-kilocode-taskid")],
  },
  {
    name: "Roo Code",
    userAgent: ["roo-code/"],
    header: { name: "originator", value: "roo-code" },
    session: [],
  },
  { name: "Charm Crush", userAgent: ["charm crush/", "charm-crush/"], session: [] },
  {
    name: "OpenCode",
    userAgent: ["opencode/"],
    // A sub-agent has a session of its own and names that of its parent, to which its requests belong.
    session: [
      header("x-parent-session-id"),
      header("x-opencode-session"),
      header("x-session-affinity"),
      header("x-session-id"),
    ],
  },
  { name: "Junie", userAgent: ["junie:"], session: [] },
  { name: "Gemini CLI", userAgent: ["geminicli"], session: [] },
  { name: "Cursor", userAgent: [], header: { name: "x-cursor-client-version" }, session: [] },
];
