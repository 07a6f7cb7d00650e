/** The requests of the people and services of the demonstration on the days before, by hours ago. */
import { ADA, GRACE, JONAS, MEI, UNKNOWN_USER, TOMAS } from "../people.ts";
import { runAgent, type Work } from "./agent.ts";
import { HOSTILE_PROMPT } from "./hostile.ts";
import type { Sender, Sent } from "./request.ts";
import type { Senders } from "./senders.ts";
import { EDIT, FETCH, SEARCH, SHOW, TASK, TESTS } from "./tools.ts";

export type Action = (senders: Senders) => Promise<readonly Sent[]>;

/** Requests that are sent at once, some hours ago. */
export type Slot = { readonly hoursAgo: number; readonly actions: readonly Action[] };

const GPT = "gpt-5.1";
const MINI = "gpt-5-mini";
const SONNET = "claude-sonnet-4-5";
const HAIKU = "claude-haiku-4-5";
const OPUS = "claude-opus-4-8";

const ADAS_CHAT = "3f2a6c1e-8d47-4b5a-9c10-2e6f7a8b9c0d";
const GRACES_CHAT = "b81d4f7a-06c2-4e95-a3f8-7c19d0e52b64";
const MEIS_CHAT = "c94e0a53-71bf-4d28-8e06-f5a2937d1c8b";
const TOMAS_CHAT = "58a3f1d9-e62c-47b0-9d54-0c8b6e7f2a13";
const BENS_SESSION = "0f6c2b9e-5d18-4a73-b2c4-e91a7d3085f6";
const ALICES_SESSION = "92d7e4a0-3c6b-4815-a7f9-1b50c8e6d234";

type From = (senders: Senders) => Sender;

const work =
  (from: From, one: Work): Action =>
  (senders) =>
    runAgent(from(senders), one);

const call = (from: From, model: string, prompt: string, rest: Partial<Work> = {}): Action =>
  work(from, { model, prompt, ...rest });

/** A fault of the emulated provider under the name of a real model. */
const failing = (from: From, model: string, fault: string, rest: Partial<Work> = {}): Action =>
  call(from, model, "Summarize yesterday's incidents.", {
    ends: "upstream_error",
    ...rest,
    body: { metadata: { emulated_fault: fault }, ...rest.body },
  });

const STREAMED = { stream: true };

/** Claude Code's main agent starts a sub-agent, which starts one of its own. */
const bensTree: Action = async (senders) => {
  const main = senders.ben(BENS_SESSION);
  const first = await runAgent(main, {
    model: SONNET,
    prompt:
      "Find the rounding bug with search_code and show_file, then use edit_file, then start_agent for a review.",
    tools: [SEARCH, SHOW, EDIT, TASK],
    body: { thinking: { type: "enabled", budget_tokens: 500 } },
  });
  const reviewer = senders.ben(BENS_SESSION, { "x-claude-code-agent-id": "reviewer-7c1e" });
  const review = await runAgent(reviewer, {
    model: HAIKU,
    prompt: "Review the change: show_file, then start_agent to run the tests.",
    tools: [SHOW, TASK],
  });
  const tester = senders.ben(BENS_SESSION, {
    "x-claude-code-agent-id": "tester-20b9",
    "x-claude-code-parent-agent-id": "reviewer-7c1e",
  });
  const tests = await runAgent(tester, {
    model: HAIKU,
    prompt: "Execute run_tests and report the failures.",
    tools: [TESTS],
  });
  const last = await runAgent(main, { model: SONNET, prompt: "Write the message of the commit." });
  return [...first, ...review, ...tests, ...last];
};

/** One after another: the money of the day does not last for the last of them. */
const opusUntilRefused: Action = async (senders) => {
  const sent: Sent[] = [];
  for (const ends of ["completed", "completed", "refused 403 budget_exceeded"]) {
    const from = senders.ben("d3a9107c-8e45-4f62-9b1d-6207f8c4ae59");
    sent.push(...(await runAgent(from, { model: OPUS, prompt: "Design the new ledger.", ends })));
  }
  return sent;
};

export const DAYS: readonly Slot[] = [
  {
    hoursAgo: 76,
    actions: [
      call(
        (s) => s.agents(ADA, ADAS_CHAT),
        GPT,
        "Find the rounding bug with search_code, then show_file, then run_tests.",
        {
          tools: [SEARCH, SHOW, TESTS],
        },
      ),
      call((s) => s.agents(GRACE, GRACES_CHAT), GPT, "Read the runbook with fetch_page, then summarize it.", {
        tools: [FETCH],
      }),
      call((s) => s.reports(), MINI, "Write the weekly report."),
      call((s) => s.docs(), HAIKU, "Draft the release notes of 4.2."),
    ],
  },
  {
    hoursAgo: 73,
    actions: [
      bensTree,
      call((s) => s.agentsOnClaude(MEI, MEIS_CHAT), SONNET, "Plan the migration of the search index."),
      call((s) => s.agents("grace.okafor", GRACES_CHAT), GPT, "Who is on call?"),
      failing((s) => s.alice(ALICES_SESSION), GPT, "fault-429"),
    ],
  },
  {
    hoursAgo: 51,
    actions: [
      call((s) => s.agents(ADA, ADAS_CHAT), GPT, "Use edit_file to apply the fix, then run_tests.", {
        tools: [EDIT, TESTS],
      }),
      call((s) => s.agents(TOMAS, TOMAS_CHAT), MINI, HOSTILE_PROMPT),
      call((s) => s.agents(JONAS, TOMAS_CHAT), GPT, "Export the list of customers."),
      call((s) => s.agents(UNKNOWN_USER, "5c7e"), GPT, "Who am I?"),
      call((s) => s.reports(), MINI, "Write the daily report."),
      failing((s) => s.docs(), HAIKU, "fault-529"),
      failing((s) => s.agents(MEI, MEIS_CHAT), GPT, "fault-500"),
    ],
  },
  {
    hoursAgo: 48,
    actions: [
      opusUntilRefused,
      // The chat is Ada's: one chat with two owners is an anomaly.
      call((s) => s.agents(GRACE, ADAS_CHAT), GPT, "Continue where Ada stopped."),
      call((s) => s.alice(ALICES_SESSION), GPT, "Review the change with show_file.", { tools: [SHOW] }),
      failing((s) => s.reports(), MINI, "fault-truncate", { ends: "truncated", body: STREAMED }),
      call((s) => s.agents(GRACE, GRACES_CHAT), GPT, "Write a long post-mortem.", {
        disconnects: true,
        ends: "cancelled",
        body: { ...STREAMED, metadata: { emulated_fault: "fault-slow" } },
      }),
    ],
  },
  {
    hoursAgo: 27,
    actions: [
      call(
        (s) => s.agentsOnClaude(MEI, MEIS_CHAT),
        SONNET,
        "Use search_code, then edit_file, then run_tests.",
        {
          tools: [SEARCH, EDIT, TESTS],
          body: { thinking: { type: "enabled", budget_tokens: 500 } },
        },
      ),
      call((s) => s.agents(TOMAS, TOMAS_CHAT), GPT, "Why is the queue slow? Use fetch_page.", {
        tools: [FETCH],
      }),
      call((s) => s.benNaming(ADA, BENS_SESSION), SONNET, "Charge this to Ada."),
      call((s) => s.reportsAsAgents(GRACE), MINI, "Charge this to Grace."),
      call((s) => s.claiming(ADA), GPT, "I am Ada, too."),
      // Version 1: not an id of Coder.
      call((s) => s.agents("2f1b7e04-5c3d-11ef-9a6b-0242ac120002", "5c7e"), GPT, "Who am I?"),
    ],
  },
  {
    hoursAgo: 24,
    actions: [
      call((s) => s.reports(), MINI, "Write the daily report."),
      call((s) => s.docs(), HAIKU, "Translate the release notes."),
      failing((s) => s.docs(), HAIKU, "fault-error-event", { body: STREAMED }),
      failing((s) => s.docs(), HAIKU, "fault-truncate", { ends: "truncated", body: STREAMED }),
      call((s) => s.alice(ALICES_SESSION), "gpt-5.1-internal-preview", "How fast are you?"),
      call((s) => s.agents(null, "0a11"), GPT, "Update the dependencies."),
    ],
  },
  {
    hoursAgo: 2,
    actions: [
      call((s) => s.agents(ADA, ADAS_CHAT), GPT, "Use run_tests once more.", { tools: [TESTS] }),
      call((s) => s.agents(TOMAS, TOMAS_CHAT), MINI, "Write the changelog."),
      call((s) => s.ben(BENS_SESSION), SONNET, "Explain this stack trace."),
      failing((s) => s.agents(GRACE, GRACES_CHAT), GPT, "fault-429"),
    ],
  },
];
