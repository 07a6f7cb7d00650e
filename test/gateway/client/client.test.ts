import { describe, expect, it } from "vitest";
import { bodySessionId, detectClient, headerSessionId } from "../../../src/gateway/client/client.ts";
import { CLIENTS } from "../../../src/gateway/client/clients.ts";

const named = (headers: Record<string, string>): string => detectClient(new Headers(headers)).name;
const byUserAgent = (userAgent: string): string => named({ "user-agent": userAgent });

/** One case per detection rule of the client table: only the header that the rule names. */
const DETECTED: readonly (readonly [client: string, headers: Record<string, string>])[] = [
  ["Coder Agents", { "user-agent": "coder-agents/v2.24.0 (linux/amd64)" }],
  ["Mux", { "user-agent": "mux/0.11.0" }],
  ["Mux", { "user-agent": "xum/0.11.0" }],
  ["Claude Code", { "user-agent": "claude-cli/2.1.330 (external, cli)" }],
  ["Claude Code", { "user-agent": "claude-code/1.0.0" }],
  ["Codex", { "user-agent": "codex_exec/0.169.0 (Debian 13; x86_64) unknown" }],
  ["Codex", { "user-agent": "codex_cli_rs/0.80.0" }],
  ["Zed", { "user-agent": "Zed/0.219.4 (linux; x86_64)" }],
  ["GitHub Copilot (VS Code)", { "user-agent": "GitHubCopilotChat/0.37.0" }],
  ["GitHub Copilot (CLI)", { "user-agent": "copilot/0.0.403 (client/cli linux v24)" }],
  ["Kilo Code", { "user-agent": "Kilo-Code/4.141.0" }],
  ["Kilo Code", { "user-agent": "node", originator: "kilo-code" }],
  ["Kilo Code", { originator: "Kilo-Code" }],
  ["Roo Code", { "user-agent": "Roo-Code/3.47.0" }],
  ["Roo Code", { originator: "roo-code" }],
  ["Charm Crush", { "user-agent": "Charm Crush/0.42.0" }],
  ["Charm Crush", { "user-agent": "charm-crush/0.42.0" }],
  ["OpenCode", { "user-agent": "opencode/1.18.0 ai-sdk/provider-utils/4.0.0" }],
  ["Junie", { "user-agent": "Junie:2026.1" }],
  ["Gemini CLI", { "user-agent": "GeminiCLI/0.30.0 (linux; x64)" }],
  ["GitHub Copilot (CLI)", { "user-agent": "OpenAI/JS 5.20.1", "x-initiator": "user" }],
  ["GitHub Copilot (CLI)", { "user-agent": "Anthropic/JS 0.94.0", "x-initiator": "agent" }],
  ["Kilo Code", { "x-title": "Kilo Code" }],
  ["Roo Code", { "x-title": "Roo Code" }],
  ["Qwen Code", { "user-agent": "QwenCode/0.15.10 (linux; x64)" }],
  ["Qwen Code", { "user-agent": "claude-cli/0.24.4 (external, cli)" }],
  ["Kimi CLI", { "user-agent": "KimiCLI/1.40.0" }],
  ["Kimi CLI", { "user-agent": "kimi-cli/1.40.0" }],
  ["Cline", { "user-agent": "Cline/3.74.0" }],
  ["Cline", { "user-agent": "OpenAI/JS 5.0.1", "x-title": "Cline" }],
  ["Cline", { "user-agent": "OpenAI/JS 5.0.1", "http-referer": "https://cline.bot" }],
  ["goose", { "user-agent": "goose/1.9.0" }],
  ["goose", { "x-title": "Goose" }],
  ["Aider", { "user-agent": "OpenAI/Python 2.7.1", "x-title": "Aider" }],
  ["Aider", { "user-agent": "Aider/0.86.1" }],
  ["Open WebUI", { "user-agent": "Python/3.11 aiohttp/3.12.15", "x-openwebui-chat-id": "c1" }],
  ["Open WebUI", { "x-openwebui-user-id": "u1" }],
  ["Open WebUI", { "x-title": "Open WebUI" }],
  ["OpenAI Agents SDK", { "user-agent": "Agents/JavaScript 0.20.0" }],
  ["OpenAI Agents SDK", { "user-agent": "Agents/Python 0.7.0" }],
  ["Vercel AI SDK", { "user-agent": "ai-sdk/openai/3.0.141 ai-sdk/provider-utils/4.0.66 runtime/node" }],
  ["Vercel AI SDK", { "user-agent": "ai/6.0.326 ai-sdk/provider-utils/4.0.66 runtime/node" }],
  ["Vercel AI SDK", { "user-agent": "ai-sdk-openai/4.0.118 ai-sdk-provider-utils/5.0.81 node.js/24" }],
  ["Vercel AI SDK", { "user-agent": "ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/24" }],
  ["LangChain", { "user-agent": "langchainjs-openai/1.0.0 ((node/v20.20.2; linux; x64))" }],
  ["LiteLLM", { "user-agent": "litellm/1.80.0" }],
  ["Google Gen AI SDK", { "user-agent": "google-genai-sdk/2.32.0 gl-node/v20" }],
  ["OpenAI SDK", { "user-agent": "OpenAI/JS 6.49.0" }],
  ["OpenAI SDK", { "user-agent": "AsyncOpenAI/Python 2.7.1" }],
  ["OpenAI SDK", { "user-agent": "AzureOpenAI/JS 6.49.0" }],
  ["OpenAI SDK", { "user-agent": "AsyncAzureOpenAI/Python 2.7.1" }],
  ["Anthropic SDK", { "user-agent": "Anthropic/JS 0.122.0" }],
  ["Anthropic SDK", { "user-agent": "AsyncAnthropic/Python 0.75.0" }],
  ["Cursor", { "x-cursor-client-version": "2.4.0" }],
  ["Cursor", { "user-agent": "connect-es/1.6.1", "x-cursor-client-version": "" }],
];

describe("detectClient", () => {
  it.each(DETECTED)("detects %s by %j", (client, headers) => {
    expect(named(headers)).toBe(client);
  });

  it("has a case above for every row of the table", () => {
    const covered = new Set(DETECTED.map(([client]) => client));
    expect(CLIENTS.map(({ name }) => name).filter((name) => !covered.has(name))).toEqual([]);
  });

  it.each([
    "coder-agents/v2.24.0 (linux/amd64)",
    "coder-agents/v0.0.0-devel+abc (darwin/arm64)",
    "coder-agents/",
  ])("B1 detects Coder Agents by %j", (userAgent) => {
    expect(byUserAgent(userAgent)).toBe("Coder Agents");
  });

  it.each(["Coder-Agents/v2", "CODER-AGENTS/V2.24.0"])(
    "B2 detects Coder Agents by %j, in any case",
    (userAgent) => {
      expect(byUserAgent(userAgent)).toBe("Coder Agents");
    },
  );

  it.each([
    "coder-agents",
    "coder-agents v2",
    "xcoder-agents/v2",
    "Mozilla coder-agents/v2",
    "Mozilla/5.0 (coder-agents/v2)",
    "\u00a0coder-agents/v2",
    "coder\u2010agents/v2",
    "coder_agents/v2",
  ])("B3 does not detect Coder Agents by %j", (userAgent) => {
    expect(byUserAgent(userAgent)).toBe("Unknown");
  });

  it.each([
    ["coder-agents/v2", "curl/8"],
    ["curl/8", "coder-agents/v2"],
    ["coder-agents/v2", "coder-agents/v2"],
  ])("B4 returns Unknown for two User-Agents, %s and %s", (first, second) => {
    const headers = new Headers({ "user-agent": first });
    headers.append("user-agent", second);
    expect(detectClient(headers).name).toBe("Unknown");
  });

  it("B4 accepts a comma inside a comment of one User-Agent", () => {
    expect(byUserAgent("claude-cli/2.1.330 (external, cli)")).toBe("Claude Code");
    expect(byUserAgent("opencode/1.18 (KHTML, like Gecko) x/1")).toBe("OpenCode");
  });

  it("B5 returns Unknown and records null for a missing or empty User-Agent", () => {
    const unknown = { name: "Unknown", userAgent: null, row: null };
    expect(detectClient(new Headers())).toEqual(unknown);
    expect(detectClient(new Headers({ "user-agent": "" }))).toEqual(unknown);
  });

  it("B5 returns Unknown for a User-Agent of 8 KB and truncates it to 256 characters for records", () => {
    const { name, userAgent } = detectClient(
      new Headers({ "user-agent": `coder-agents/${"v".repeat(8192)}` }),
    );
    expect(name).toBe("Unknown");
    expect(userAgent).toBe(`coder-agents/${"v".repeat(243)}`);
  });

  it("B5 does not truncate inside a surrogate pair", () => {
    const userAgent = `${"v".repeat(255)}\u{1f600}`;
    expect(detectClient(new Headers({ "user-agent": userAgent })).userAgent).toBe("v".repeat(255));
  });

  it("B5 reads up to 1,024 characters, and ignores a longer User-Agent", () => {
    expect(byUserAgent("coder-agents/".padEnd(1024, "v"))).toBe("Coder Agents");
    expect(byUserAgent("coder-agents/".padEnd(1025, "v"))).toBe("Unknown");
  });

  it("records the User-Agent as sent", () => {
    expect(detectClient(new Headers({ "user-agent": "Coder-Agents/V2" })).userAgent).toBe("Coder-Agents/V2");
  });

  it.each([
    ["Claude Code", { "user-agent": "claude-cli/2", originator: "roo-code" }],
    ["Codex", { "user-agent": "codex/1", "x-cursor-client-version": "1" }],
    ["Kilo Code", { "user-agent": "roo-code/1", originator: "kilo-code" }],
    ["OpenCode", { "user-agent": "opencode/1.18.33 ai-sdk/openai/3", originator: "opencode" }],
    ["Claude Code", { "user-agent": "claude-cli/2.1.332 (external, sdk-ts, agent-sdk/0.3.332)" }],
    // The Copilot extension of an editor sends the header too.
    ["GitHub Copilot (VS Code)", { "user-agent": "GitHubCopilotChat/0.37.0", "x-initiator": "user" }],
    ["Unknown", { "user-agent": "node-fetch", "x-initiator": "user" }],
    ["Unknown", { "user-agent": "ls/JS 5.23.2" }],
    ["Unknown", { "user-agent": "myopenai/1", "x-title": "My Cline" }],
    ["Unknown", { originator: "codex_exec" }],
    ["Unknown", { originator: "kilo-code, roo-code" }],
  ])("returns the first row that matches: %s", (client, headers) => {
    expect(named(headers)).toBe(client);
  });
});

const UA: Readonly<Record<string, string>> = Object.fromEntries(
  DETECTED.toReversed().flatMap(([client, headers]) =>
    headers["user-agent"] && client !== "Cursor" ? [[client, headers["user-agent"]]] : [],
  ),
);

function session(client: string, headers: Record<string, string>, body: Record<string, unknown> = {}) {
  const all = new Headers({ "user-agent": UA[client] ?? "", ...headers });
  const detected = detectClient(all);
  expect(detected.name).toBe(client);
  return headerSessionId(detected, all) ?? bodySessionId(detected, body);
}

const ID = "0196-session.id_1";

describe("sessionId", () => {
  it.each([
    ["Coder Agents", "X-Coder-Chat-Id"],
    ["Mux", "X-Mux-Workspace-Id"],
    ["Claude Code", "X-Claude-Code-Session-Id"],
    ["Codex", "session-id"],
    ["Codex", "session_id"],
    ["GitHub Copilot (VS Code)", "x-interaction-id"],
    ["GitHub Copilot (CLI)", "X-Client-Session-Id"],
    ["Kilo Code", "X-KILOCODE-TASKID"],
    ["OpenCode", "X-OpenCode-Session"],
    ["OpenCode", "x-session-affinity"],
    ["OpenCode", "x-session-id"],
  ])("reads the session id of %s from %s", (client, header) => {
    expect(session(client, { [header]: ID })).toBe(ID);
  });

  it.each([
    ["Codex", "session-id", "session_id"],
    ["OpenCode", "x-parent-session-id", "x-opencode-session"],
    ["OpenCode", "x-opencode-session", "x-session-affinity"],
    ["OpenCode", "x-session-affinity", "x-session-id"],
  ])("reads for %s %s before %s", (client, first, second) => {
    expect(session(client, { [second]: "second", [first]: "first" })).toBe("first");
  });

  it.each(["Zed", "Roo Code", "Charm Crush", "Junie", "Gemini CLI"])(
    "returns null for %s, which sends none",
    (client) => {
      expect(
        session(client, { "session-id": ID, "x-session-id": ID }, { metadata: { user_id: ID } }),
      ).toBeNull();
    },
  );

  it("returns null for an unknown client that sends session headers", () => {
    expect(
      session("Unknown", { "user-agent": "curl/8", "x-coder-chat-id": ID, "session-id": ID }),
    ).toBeNull();
  });

  it("ignores the session header of another client", () => {
    expect(session("Codex", { "x-claude-code-session-id": ID })).toBeNull();
  });

  const UUID = "6f1e7a44-7c5a-4c55-9a0e-0d6c0e7a9b11";
  it.each([
    ["text that ends in _session_<id>", `user_abc_account_def_session_${UUID}`, UUID],
    ["the last _session_ of two", `user_session_x_account__session_${UUID}`, UUID],
    ["a JSON string", JSON.stringify({ device_id: "d", account_uuid: "", session_id: UUID }), UUID],
    ["a JSON string in another order", JSON.stringify({ session_id: UUID, device_id: "d" }), UUID],
    ["a JSON string without one", JSON.stringify({ device_id: "d" }), null],
    ["a JSON string whose session_id is a number", JSON.stringify({ session_id: 7 }), null],
    ["broken JSON", `{"session_id":"${UUID}"`, null],
    ["JSON null", "null", null],
    ["text without one", "user_abc", null],
    ["text that ends in _session_", "user_abc_session_", null],
    ["4,097 characters", `${"u".repeat(4097 - 9 - UUID.length)}_session_${UUID}`, null],
    ["4,096 characters", `${"u".repeat(4096 - 9 - UUID.length)}_session_${UUID}`, UUID],
  ])("reads Claude Code's metadata.user_id: %s", (_, userId, id) => {
    expect(session("Claude Code", {}, { metadata: { user_id: userId } })).toBe(id);
  });

  it.each([
    [{}],
    [{ metadata: null }],
    [{ metadata: "x_session_1" }],
    [{ metadata: [] }],
    [{ metadata: {} }],
    [{ metadata: { user_id: null } }],
    [{ metadata: { user_id: { session_id: ID } } }],
    [{ metadata: { user_id: 12 } }],
  ])("returns null for Claude Code's body %j, without throwing", (body) => {
    expect(session("Claude Code", {}, body)).toBeNull();
  });

  it("prefers Claude Code's header to its body", () => {
    const body = { metadata: { user_id: "user_session_body" } };
    expect(session("Claude Code", { "x-claude-code-session-id": ID }, body)).toBe(ID);
  });

  it.each([
    ["empty", ""],
    ["over 128 characters", "i".repeat(129)],
    ["with a space inside", "a b"],
    ["repeated", "one, two"],
    ["with a line break", "a\u2028b"],
    ["not ASCII", "sesión"],
    ["100 KB long", "x".repeat(100_000)],
  ])("ignores an id that is %s", (_, value) => {
    expect(session("Codex", { "session-id": value })).toBeNull();
    expect(session("Claude Code", {}, { metadata: { user_id: `u_session_${value}` } })).toBeNull();
  });

  it("reads the next place after a malformed id", () => {
    expect(session("Codex", { "session-id": "a b", session_id: ID })).toBe(ID);
  });

  it("accepts 128 visible characters and trims spaces around them", () => {
    const id = "!~".repeat(64);
    expect(session("Codex", { "session-id": `  ${id}  ` })).toBe(id);
  });
});

const kindOf = (userAgent: string): string | null =>
  detectClient(new Headers({ "user-agent": userAgent })).row?.kind ?? null;

describe("the kind of a client", () => {
  it.each([
    ["agent", "claude-cli/2.1.330 (external, cli)"],
    ["agent", "QwenCode/0.15.10 (linux; x64)"],
    ["app", "Zed/0.219.4 (linux; x86_64)"],
    ["library", "OpenAI/Python 2.7.1"],
    ["library", "ai-sdk/openai/3.0.141"],
    [null, "curl/8"],
  ])("is %s for %s", (kind, userAgent) => {
    expect(kindOf(userAgent)).toBe(kind);
  });

  it("puts every library after every agent and app, which may use one", () => {
    const kinds = CLIENTS.map(({ kind }) => kind);
    expect(kinds.lastIndexOf("agent")).toBeLessThan(kinds.indexOf("library"));
    expect(kinds.lastIndexOf("app")).toBeLessThan(kinds.indexOf("library"));
  });
});

describe("the session of newer clients", () => {
  it("is Codex's prompt cache key where no header has it", () => {
    expect(session("Codex", {}, { prompt_cache_key: ID })).toBe(ID);
    expect(session("Codex", { "session-id": "header" }, { prompt_cache_key: ID })).toBe("header");
    expect(session("Codex", {}, { prompt_cache_key: 7 })).toBeNull();
    expect(session("Codex", {}, { prompt_cache_key: "x".repeat(129) })).toBeNull();
    expect(session("Qwen Code", {}, { prompt_cache_key: ID })).toBeNull();
  });

  it("is the prompt cache key of the Copilot CLI with an own provider", () => {
    const own = { "user-agent": "OpenAI/JS 5.20.1", "x-initiator": "agent" };
    expect(session("GitHub Copilot (CLI)", own, { prompt_cache_key: ID })).toBe(ID);
    expect(session("GitHub Copilot (CLI)", own)).toBeNull();
    expect(session("OpenAI SDK", { "user-agent": "OpenAI/JS 5.20.1" }, { prompt_cache_key: ID })).toBeNull();
  });

  it("is Open WebUI's chat, Cline's task and goose's session", () => {
    expect(session("Open WebUI", { "x-openwebui-chat-id": ID })).toBe(ID);
    expect(session("Cline", { "x-task-id": ID })).toBe(ID);
    expect(session("goose", { "agent-session-id": ID })).toBe(ID);
    expect(session("Kimi CLI", {}, { prompt_cache_key: ID })).toBe(ID);
  });
});
