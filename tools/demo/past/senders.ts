/** The clients of the earlier days. */
import { KEYS } from "../people.ts";
import type { Sender } from "./request.ts";

export type Senders = ReturnType<typeof sendersOf>;

/** A chat of Coder Agents, or a session of another client. */
type Where = Readonly<Record<string, string>>;

const inChat = (owner: string | null, chat: string): Where => ({
  "user-agent": "coder-agents/v2.30.0 (linux/amd64)",
  "x-coder-chat-id": chat,
  ...(owner !== null && { "x-coder-owner-id": owner }),
});

const inClaudeCode = (session: string, agent: Where = {}): Where => ({
  "user-agent": "claude-cli/2.1.330 (external, cli)",
  "x-claude-code-session-id": session,
  ...agent,
});

export function sendersOf(url: string) {
  const openai = (key: string, headers: Where, provider = "team-openai"): Sender => ({
    dialect: "openai",
    url: `${url}/${provider}/v1/chat/completions`,
    headers: { authorization: `Bearer ${key}`, ...headers },
  });
  const anthropic = (key: string, headers: Where, provider = "team-anthropic"): Sender => ({
    dialect: "anthropic",
    url: `${url}/${provider}/v1/messages`,
    headers: { "x-api-key": key, "anthropic-version": "2023-06-01", ...headers },
  });
  return {
    /** Coder Agents on behalf of one of its users. */
    agents: (owner: string | null, chat: string) => openai(KEYS.coderAgents.key, inChat(owner, chat)),
    agentsOnClaude: (owner: string | null, chat: string) =>
      anthropic(KEYS.coderAgents.key, inChat(owner, chat)),
    /** A service that may not name owners, and does. */
    reportsAsAgents: (owner: string) => openai(KEYS.reports.key, inChat(owner, "reports-weekly")),
    reports: () => openai(KEYS.reports.key, { "user-agent": "OpenAI/Python 2.8.0" }),
    docs: () => anthropic(KEYS.docs.key, { "user-agent": "Anthropic/JS 0.71.0" }),
    ben: (session: string, agent?: Where) => anthropic(KEYS.ben.key, inClaudeCode(session, agent)),
    /** Claude Code has no users of its own, so that an owner it names is rejected. */
    benNaming: (owner: string, session: string) =>
      anthropic(KEYS.ben.key, { ...inClaudeCode(session), "x-coder-owner-id": owner }),
    alice: (session: string) =>
      openai(KEYS.alice.key, { "user-agent": "codex_exec/0.169.0 (Linux)", "session-id": session }),
    /** An unverified caller with a provider key of its own, in the name of a user. */
    claiming: (owner: string) =>
      openai("sk-a-key-of-an-unverified-caller", inChat(owner, "side-project"), "openai"),
  };
}
