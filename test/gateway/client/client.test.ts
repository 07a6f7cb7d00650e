import { describe, expect, it } from "vitest";
import { detectClient, sessionId } from "../../../src/gateway/client/client.ts";
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
  return sessionId(detected, all, body);
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
