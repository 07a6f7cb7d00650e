/** The demonstration's requests, and the records that are expected of them. */
import { LOCAL_KEYS } from "../local-keys.ts";
import { chat, disconnect, expectRefusal, message, respond, type Caller } from "./calls.ts";
import { ADA, GRACE } from "./people.ts";
import { UNKNOWN, type Expected } from "./row.ts";

export type Step = {
  readonly title: string;
  /** The case of the proposal (aibridge #244) that this step shows. */
  readonly proposal?: 1 | 2 | 3 | 4;
  /** Resolves with the id of the interception. */
  readonly send: () => Promise<string>;
  readonly expected: Expected;
};

const AGENTS = { "User-Agent": "coder-agents/v2.30.0 (linux/amd64)" };
const CHAT_ID = "3f2a6c1e-8d47-4b5a-9c10-2e6f7a8b9c0d";
const MARY_KEY = "sk-ant-a-key-of-her-own";
const UNKNOWN_KEY = "aei_local-an-unknown-key-that-is-never-accepted";

const NUMBER = /^\d+$/;
const FINGERPRINT = /^byok:[0-9a-f]+$/;

/** The expected row of most steps. */
const completed = { model: "gpt-5.1", input: NUMBER, output: NUMBER, outcome: "completed", owner: "" };
const byTheService = {
  ...completed,
  client: "Coder Agents",
  actor: "coder-agents-service",
  initiator: "coder-agents-service",
  attribution: "authenticated",
};

export function story(url: string): readonly Step[] {
  const team = (key: string, headers: Record<string, string>): Caller => {
    return { baseURL: `${url}/team-openai/v1`, key, headers };
  };
  const { coderAgents, reports, alice } = LOCAL_KEYS;
  const agents = (headers: Record<string, string>) => team(coderAgents.key, { ...AGENTS, ...headers });
  return [
    {
      title: "Coder Agents for Ada: chat, streamed",
      proposal: 1,
      send: () =>
        chat(agents({ "X-Coder-Owner-Id": ADA, "X-Coder-Chat-Id": CHAT_ID }), "Plan the next release."),
      expected: { ...byTheService, initiator: ADA, attribution: "asserted", owner: "override" },
    },
    {
      title: "Coder Agents for Grace: Responses API, same key",
      send: () => respond(agents({ "X-Coder-Owner-Id": GRACE }), "Find the bug in the relay."),
      expected: { ...byTheService, initiator: GRACE, attribution: "asserted", owner: "override" },
    },
    {
      title: "Coder Agents names no owner",
      proposal: 2,
      send: () => chat(agents({}), "Who am I?"),
      expected: byTheService,
    },
    {
      title: 'Coder Agents names "not-a-uuid"',
      proposal: 3,
      send: () => chat(agents({ "X-Coder-Owner-Id": "not-a-uuid" }), "Who am I?"),
      expected: { ...byTheService, owner: "rejected: form" },
    },
    {
      title: "Claude Code names a valid owner",
      proposal: 4,
      send: () =>
        chat(
          team(coderAgents.key, { "User-Agent": "claude-code/1.0.0", "X-Coder-Owner-Id": ADA }),
          "I am Ada.",
        ),
      expected: { ...byTheService, client: "Claude Code", owner: "rejected: client" },
    },
    {
      title: "A key that may not assert pretends to be Coder Agents",
      send: () => chat(team(reports.key, { ...AGENTS, "X-Coder-Owner-Id": ADA }), "Charge this to Ada."),
      expected: {
        ...byTheService,
        actor: "reports-service",
        initiator: "reports-service",
        owner: "rejected: not_permitted",
      },
    },
    withOwnKey(url),
    interrupted(team(alice.key, { "User-Agent": "codex_exec/0.169.0 (Linux)" })),
    ...withBudget(team(alice.key, { "User-Agent": "codex_exec/0.169.0 (Linux)" })),
    refused(team(UNKNOWN_KEY, {})),
  ];
}

function withOwnKey(url: string): Step {
  const claudeCode = {
    baseURL: `${url}/anthropic`,
    key: MARY_KEY,
    headers: { "User-Agent": "claude-cli/2.1.330" },
  };
  return {
    title: "Claude Code with its own key: messages, streamed",
    send: () => message(claudeCode, "Explain this stack trace."),
    expected: {
      ...completed,
      client: "Claude Code",
      actor: FINGERPRINT,
      initiator: FINGERPRINT,
      attribution: "unverified",
      model: "claude-sonnet-5",
    },
  };
}

function interrupted(codex: Caller): Step {
  return {
    title: "Codex disconnects during the stream",
    send: () => disconnect(codex, "Write a long story."),
    expected: {
      client: "Codex",
      actor: "alice",
      initiator: "alice",
      attribution: "authenticated",
      model: "fault-slow",
      input: UNKNOWN,
      output: UNKNOWN,
      outcome: "cancelled",
      owner: "",
    },
  };
}

/** Of a model that each person has money for one call a day for (tools/local/dev-vars.ts). */
const TRIAL_MODEL = "gpt-5.1-codex";

function withBudget(codex: Caller): readonly Step[] {
  const alices = { ...completed, client: "Codex", actor: "alice", initiator: "alice", model: TRIAL_MODEL };
  return [
    {
      title: "Alice calls a model that she has a budget for",
      send: () => chat(codex, "Review this function.", TRIAL_MODEL),
      expected: { ...alices, attribution: "authenticated" },
    },
    {
      title: "Alice calls it again: her budget of the day has no money for another call",
      send: () => expectRefusal(codex, "Review another one.", TRIAL_MODEL),
      expected: {
        ...alices,
        attribution: "authenticated",
        input: UNKNOWN,
        output: UNKNOWN,
        outcome: "refused 403 budget_exceeded",
      },
    },
  ];
}

function refused(caller: Caller): Step {
  return {
    title: "An unknown key",
    send: () => expectRefusal(caller, "Let me in."),
    expected: {
      client: /./,
      actor: "–",
      initiator: "–",
      attribution: "–",
      model: "–",
      input: "–",
      output: "–",
      outcome: "refused 401 invalid_credential",
      owner: "",
    },
  };
}

/** Number of interceptions in the ledger. A request with an unknown key starts none. */
export function interceptionCount(steps: readonly Step[]): number {
  return steps.filter(({ expected }) => expected.outcome !== "refused 401 invalid_credential").length;
}
