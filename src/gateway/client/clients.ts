/**
 * The known clients, one row each: how to detect the client, and where it sends its session id. The first row that
 * matches wins. A User-Agent is compared in lowercase, by prefix.
 */
import type { ClientKind } from "../../events/vocabulary.ts";

/** The place of a session id: a header, or a field of the body. */
export type SessionId =
  { readonly header: string } | { readonly body: "metadata.user_id" | "prompt_cache_key" };

/** A header by its presence or, with `value`, by its value in lowercase. */
export type ClientHeader = { readonly name: string; readonly value?: string };

export type ClientRow = {
  readonly name: string;
  readonly kind: ClientKind;
  readonly userAgent: readonly string[];
  /** A header that must come with the User-Agent: the client uses the one of an SDK. */
  readonly requires?: ClientHeader;
  /** Headers, each of which also identifies the client. */
  readonly headers?: readonly ClientHeader[];
  /** In order of preference. */
  readonly session: readonly SessionId[];
};

export const CODER_AGENTS = "Coder Agents";
export const UNKNOWN_CLIENT = "Unknown";

const header = (name: string): SessionId => ({ header: name });
const PROMPT_CACHE_KEY: SessionId = { body: "prompt_cache_key" };
/** By OpenRouter's convention the name of the application. */
const title = (value: string): ClientHeader => ({ name: "x-title", value });

type Detection = Omit<ClientRow, "name" | "kind">;
const row =
  (kind: ClientKind) =>
  (name: string, { session = [], ...rest }: Partial<Detection>): ClientRow => ({
    name,
    kind,
    userAgent: [],
    ...rest,
    session,
  });
const agent = row("agent");
const app = row("app");
const library = row("library");

/** Agents and apps first: many of them send the User-Agent of their SDK, and are known by another header. */
export const CLIENTS: readonly ClientRow[] = [
  agent(CODER_AGENTS, { userAgent: ["coder-agents/"], session: [header("x-coder-chat-id")] }),
  agent("Mux", { userAgent: ["mux/", "xum/"], session: [header("x-mux-workspace-id")] }),
  // For the Messages API it has the User-Agent of Claude Code and its own version. Claude Code left 0.x in May 2025.
  agent("Qwen Code", { userAgent: ["qwencode/", "claude-cli/0."] }),
  agent("Claude Code", {
    userAgent: ["claude"],
    session: [header("x-claude-code-session-id"), { body: "metadata.user_id" }],
  }),
  agent("Codex", {
    userAgent: ["codex"],
    session: [header("session-id"), header("session_id"), PROMPT_CACHE_KEY],
  }),
  app("Zed", { userAgent: ["zed/"] }),
  app("GitHub Copilot (VS Code)", {
    userAgent: ["githubcopilotchat/"],
    session: [header("x-interaction-id")],
  }),
  agent("GitHub Copilot (CLI)", {
    userAgent: ["copilot/"],
    session: [header("x-client-session-id")],
  }),
  // With a provider of the user's own.
  agent("GitHub Copilot (CLI)", {
    userAgent: ["openai/js", "azureopenai/js", "anthropic/js"],
    requires: { name: "x-initiator" },
    // The same for all requests of a conversation, also after `--resume`. Only the Responses API has it.
    session: [PROMPT_CACHE_KEY],
  }),
  agent("Kilo Code", {
    userAgent: ["kilo-code/"],
    headers: [{ name: "originator", value: "kilo-code" }, title("kilo code")],
    session: [header("x-kilocode-taskid")],
  }),
  agent("Roo Code", {
    userAgent: ["roo-code/"],
    headers: [{ name: "originator", value: "roo-code" }, title("roo code")],
  }),
  agent("Charm Crush", { userAgent: ["charm crush/", "charm-crush/"] }),
  agent("OpenCode", {
    userAgent: ["opencode/"],
    // A sub-agent has a session of its own and names that of its parent, to which its requests belong.
    session: [
      header("x-parent-session-id"),
      header("x-opencode-session"),
      header("x-session-affinity"),
      header("x-session-id"),
    ],
  }),
  agent("Junie", { userAgent: ["junie:"] }),
  agent("Gemini CLI", { userAgent: ["geminicli"] }),
  agent("Kimi CLI", { userAgent: ["kimicli/", "kimi-cli/"], session: [PROMPT_CACHE_KEY] }),
  agent("Cline", {
    userAgent: ["cline/"],
    headers: [title("cline"), { name: "http-referer", value: "https://cline.bot" }],
    session: [header("x-task-id")],
  }),
  agent("goose", { userAgent: ["goose/"], headers: [title("goose")], session: [header("agent-session-id")] }),
  agent("Aider", { userAgent: ["aider/"], headers: [title("aider")] }),
  app("Cursor", { headers: [{ name: "x-cursor-client-version" }] }),
  app("Open WebUI", {
    headers: [{ name: "x-openwebui-chat-id" }, { name: "x-openwebui-user-id" }, title("open webui")],
    session: [header("x-openwebui-chat-id")],
  }),
  library("OpenAI Agents SDK", { userAgent: ["agents/javascript", "agents/python"] }),
  library("Vercel AI SDK", { userAgent: ["ai-sdk/", "ai-sdk-", "ai/"] }),
  library("LangChain", { userAgent: ["langchain"] }),
  library("LiteLLM", { userAgent: ["litellm/"] }),
  library("Google Gen AI SDK", { userAgent: ["google-genai-sdk/"] }),
  library("OpenAI SDK", { userAgent: ["openai/", "asyncopenai/", "azureopenai/", "asyncazureopenai/"] }),
  library("Anthropic SDK", { userAgent: ["anthropic", "asyncanthropic"] }),
];
