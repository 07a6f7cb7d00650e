/** Part B of the catalogue: detection of the client from its headers, and of its session id. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { utf8, type HeaderPair } from "../support/wire.ts";
import { replacesBadUtf8 } from "../support/workerd-build.ts";
import {
  decodedByWorker,
  bearer,
  BODY,
  expectForwarded,
  newOwner,
  openCaseHarness,
  OWN,
  ownerHeader,
  type EventOf,
  type CaseHarness,
} from "./case-harness.ts";

let harness: CaseHarness;
beforeAll(async () => void (harness = await openCaseHarness()));
beforeEach(() => harness.reset());
afterEach(() => harness.check());
afterAll(() => harness.close());

const agent = (userAgent: string): HeaderPair => ["User-Agent", userAgent];

/** The start event of an interception with these headers. The provider must receive the User-Agent unmodified. */
async function startWith(
  headers: readonly HeaderPair[],
  body = BODY,
): Promise<EventOf<"interception_start">> {
  const target = "/own-openai/v1/chat/completions";
  const forwarded = expectForwarded(
    await harness.send({ target, headers: [bearer(OWN.openai), ...headers], body }),
  );
  const sent = headers.filter(([name]) => name === "User-Agent").map(([, value]) => value);
  expect(forwarded.values("user-agent")).toEqual(sent.length > 0 ? [sent.join(", ")] : []);
  const start = await harness.event("interception_start");
  const end = await harness.event("interception_end");
  expect([end.client, end.user_agent, end.client_session_id]).toEqual([
    start.client,
    start.user_agent,
    start.client_session_id,
  ]);
  return start;
}

describe("the client", () => {
  it.each([
    ["B1", "coder-agents/v2.24.0 (linux/amd64)"],
    ["B1", "coder-agents/v0.0.0-devel"],
    ["B1", "coder-agents/v0.0.0-devel+5f3a1c (darwin/arm64)"],
    ["B1", "coder-agents/"],
    ["B1", "coder-agents/v2.24.0 (linux/amd64, static)"],
    ["B2", "Coder-Agents/v2.24.0 (linux/amd64)"],
    ["B2", "CODER-AGENTS/V2.24.0"],
  ])("%s detects Coder Agents from %j", async (_, userAgent) => {
    const start = await startWith([agent(userAgent)]);
    expect([start.client, start.user_agent]).toEqual(["Coder Agents", userAgent]);
  });

  it.each([
    ["B3", "coder-agents"],
    ["B3", "coder-agents v2.24.0"],
    ["B3", "xcoder-agents/v2.24.0"],
    ["B3", "Mozilla/5.0 coder-agents/v2.24.0"],
    ["B3", "(coder-agents/v2.24.0)"],
    ["B3", '"coder-agents/v2.24.0"'],
    ["B3", "coder_agents/v2.24.0"],
    ["B3", "coder-agent/v2.24.0"],
    ["B3", "coder‐agents/v2.24.0"],
    ["B3", "ⅽoder-agents/v2.24.0"],
    ["B4", "coder-agents/v2, curl"],
    ["B4", "curl/8.5.0, coder-agents/v2.24.0"],
    ["B4", "coder-agents/v2,"],
    ["B4", ", coder-agents/v2"],
    ["B4", "coder-agents/v2 (linux), curl/8.5.0 (linux)"],
  ])("%s does not detect a client from %j", async (_, userAgent) => {
    expect((await startWith([agent(utf8(userAgent))])).client).toBe("Unknown");
  });

  it.each([
    [["coder-agents/v2", "curl/8.5.0"]],
    [["curl/8.5.0", "coder-agents/v2"]],
    [["coder-agents/v2", "coder-agents/v2"]],
    [["claude-cli/2.1.0", "coder-agents/v2"]],
  ])("B4 detects no client from two User-Agent headers (%j)", async (userAgents) => {
    expect((await startWith(userAgents.map(agent))).client).toBe("Unknown");
  });

  it("B4 rejects the owner header of a request with two User-Agent headers", async () => {
    // The attack: a proxy adds a second User-Agent to the requests of a client that cannot change its own.
    const owner = newOwner();
    harness.registerSecret(owner);
    const start = await startWith([agent("coder-agents/v2"), agent("curl/8.5.0"), ownerHeader(owner)]);
    expect(start.initiator_id).toBe(start.actor_id);
    expect((await harness.event("initiator_override_rejected")).reason).toBe("client");
  });

  it.each([
    ["missing", []],
    ["empty", [agent("")]],
    ["blank", [["user-agent", "   "]]],
  ] as const)("B5 detects no client and records no User-Agent if it is %s", async (_, headers) => {
    const target = "/own-openai/v1/chat/completions";
    expectForwarded(await harness.send({ target, headers: [bearer(OWN.openai), ...headers], body: BODY }));
    const start = await harness.event("interception_start");
    expect([start.client, start.user_agent]).toEqual(["Unknown", null]);
  });

  it.each([
    ["8 KB of a name", "x".repeat(8192)],
    ["8 KB that start like Coder Agents", `coder-agents/v2 ${"x".repeat(8192)}`],
    ["8 KB of comments", `coder-agents/v2 ${"(a, b) ".repeat(1170)}`.trim()],
    ["8 KB of open brackets", "(".repeat(8192)],
    ["8 KB of two-byte letters", utf8("é".repeat(4096))],
    ["8 KB of surrogate pairs", utf8(`x${"😀".repeat(2048)}`)],
  ])("B5 detects no client from %s, and truncates the recorded User-Agent", async (_, userAgent) => {
    const start = await startWith([agent(userAgent)]);
    expect(start.client).toBe("Unknown");
    // The cut must not split a surrogate pair.
    const recorded = start.user_agent as string;
    expect(recorded).toHaveLength(
      decodedByWorker(userAgent).charCodeAt(255) >> 10 === 0xd800 >> 10 ? 255 : 256,
    );
    expect(recorded.isWellFormed()).toBe(true);
    for (const { message } of harness.interceptor.lines()) expect(message.length).toBeLessThan(2500);
  });

  it.each([
    ["quotes and backslashes", String.raw`coder-agents/v2 "\" \u0022 \n '`],
    ["an event", '{"message":"interception log","record_type":"forged_event"}'],
    ["the end of an event", 'x","initiator_id":"forged","y":"'],
    ["terminal escapes", "coder-agents/v2 \x1b[31m\x1b[2K\x1b]0;title\x07\x08\x7f"],
    ["a C1 control", utf8("coder-agents/v2 \u009b31m\u0085")],
    ["Unicode line ends", utf8("coder-agents/v2 \u2028forged\u2029")],
    ...(replacesBadUtf8 ? [["a lone surrogate's bytes", "coder-agents/v2 \xed\xa0\x80"]] : []),
    ["format strings", "coder-agents/v2 %s %o %c ${jndi:ldap://x} {{7*7}}"],
  ])(
    "B6 keeps each event one line of JSON and records the User-Agent unmodified if it contains %s",
    async (_, userAgent) => {
      expect((await startWith([agent(userAgent)])).user_agent).toBe(decodedByWorker(userAgent));
      const types = harness.interceptor.events().map((event) => event.record_type as string);
      expect(types).not.toContain("forged_event");
    },
  );
});

/** One row per known client, with headers as the client sends them. */
const SESSION = "sess-0f6b2a44";
type Known = readonly [client: string, headers: readonly HeaderPair[], session: string | null];
const KNOWN: readonly Known[] = [
  // An own key is no verified actor, so its chat, which is the session, is only claimed.
  ["Coder Agents", [agent("coder-agents/v2.24.0 (linux/amd64)"), ["X-Coder-Chat-Id", SESSION]], null],
  ["Mux", [agent("mux/0.9.1"), ["X-Mux-Workspace-Id", SESSION]], SESSION],
  ["Mux", [agent("xum/0.9.1"), ["X-Mux-Workspace-Id", SESSION]], SESSION],
  [
    "Claude Code",
    [agent("claude-cli/2.1.330 (external, cli)"), ["X-Claude-Code-Session-Id", SESSION]],
    SESSION,
  ],
  ["Claude Code", [agent("claude-code/1.0.0"), ["X-Claude-Code-Session-Id", SESSION]], SESSION],
  ["Codex", [agent("codex_exec/0.169.0 (Debian 13.0.0; x86_64)"), ["session-id", SESSION]], SESSION],
  ["Codex", [agent("codex_cli_rs/0.50.0"), ["session_id", SESSION]], SESSION],
  ["Codex", [agent("codex_cli_rs/0.50.0"), ["session_id", "second"], ["session-id", SESSION]], SESSION],
  ["Zed", [agent("Zed/0.200.1 (linux; x86_64)"), ["session-id", SESSION]], null],
  ["GitHub Copilot (VS Code)", [agent("GitHubCopilotChat/0.31.0"), ["x-interaction-id", SESSION]], SESSION],
  ["GitHub Copilot (CLI)", [agent("copilot/1.0.2"), ["X-Client-Session-Id", SESSION]], SESSION],
  ["Kilo Code", [agent("Kilo-Code/4.100.0"), ["X-KILOCODE-TASKID", SESSION]], SESSION],
  ["Kilo Code", [agent("node"), ["originator", "Kilo-Code"], ["X-KILOCODE-TASKID", SESSION]], SESSION],
  ["Roo Code", [agent("RooCode/3.1"), ["originator", "roo-code"]], null],
  ["Roo Code", [agent("roo-code/3.1")], null],
  ["Charm Crush", [agent("Charm Crush/0.10.0")], null],
  ["Charm Crush", [agent("charm-crush/0.10.0 (https://charm.land/crush)")], null],
  ["OpenCode", [agent("opencode/1.18.0"), ["X-OpenCode-Session", SESSION], ["x-session-id", "z"]], SESSION],
  ["OpenCode", [agent("opencode/1.18.0"), ["x-session-affinity", SESSION], ["x-session-id", "z"]], SESSION],
  ["OpenCode", [agent("opencode/1.18.0"), ["x-session-id", SESSION]], SESSION],
  ["Junie", [agent("Junie:2025.3")], null],
  ["Gemini CLI", [agent("GeminiCLI/0.12.0 (linux; x64)")], null],
  ["Cursor", [agent("Go-http-client/2.0"), ["x-cursor-client-version", "2.0.1"]], null],
  ["OpenAI SDK", [agent("OpenAI/Python 1.99.0"), ["x-session-id", SESSION]], null],
  ["Unknown", [agent("curl/8.9.1"), ["x-session-id", SESSION]], null],
];

describe("the known clients", () => {
  it.each(KNOWN)("B1 detects %s and its session id from %j", async (client, headers, session) => {
    const start = await startWith(headers);
    expect([start.client, start.client_session_id]).toEqual([client, session]);
  });

  it.each([
    ["a JSON string", JSON.stringify({ device_id: "d", session_id: SESSION }), SESSION],
    ["text that ends with it", `user_0a1b_account__session_${SESSION}`, SESSION],
    ["text that contains it twice", `user_session_0_session_${SESSION}`, SESSION],
    ["JSON without it", JSON.stringify({ device_id: "d" }), null],
    ["JSON with a number", JSON.stringify({ session_id: 5 }), null],
    ["broken JSON", '{"session_id":', null],
    ["JSON null", "null", null],
    ["text without it", "user_0a1b", null],
    ["over 4 KB", `${"u".repeat(4096)}_session_${SESSION}`, null],
  ])("B1 reads Claude Code's session id from metadata.user_id: %s", async (_, user_id, session) => {
    const body = JSON.stringify({ model: "claude", messages: [], metadata: { user_id } });
    const start = await startWith([agent("claude-cli/2.1.330")], body);
    expect([start.client, start.client_session_id]).toEqual(["Claude Code", session]);
  });

  it.each([[{ user_id: 5 }], [{ user_id: { session_id: "x" } }], [null], [[]], ["_session_x"], [{}]])(
    "B1 finds no session id in metadata of another shape (%j)",
    async (metadata) => {
      const body = JSON.stringify({ model: "claude", messages: [], metadata });
      expect((await startWith([agent("claude-cli/2.1.330")], body)).client_session_id).toBeNull();
    },
  );

  it.each([
    ["10 KB", "s".repeat(10_240)],
    ["a space inside", "a b"],
    ["control characters", "a\x1b[31mb"],
    ["other letters", utf8("sitzung-ü")],
    ["nothing", ""],
  ])("B6 does not record a session id of an invalid form (%s)", async (_, session) => {
    const start = await startWith([agent("codex_exec/0.169.0"), ["session-id", session]]);
    expect([start.client, start.client_session_id]).toEqual(["Codex", null]);
  });

  it("B6 records a session id that tries to forge fields as plain text", async () => {
    const session = '","initiator_id":"forged"}{';
    const start = await startWith([agent("codex_exec/0.169.0"), ["session-id", session]]);
    expect(start.client_session_id).toBe(session);
    expect(start.initiator_id).toBe(start.actor_id);
  });
});
