import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { startInterception, type Interception } from "../../../src/gateway/app/interception.ts";
import { createRecorder, type Recorder, type Sink } from "../../../src/gateway/sinks/recorder.ts";
import { createRedactor } from "../../../src/events/redaction.ts";
import type { Conversation } from "../../../src/gateway/provider/conversation.ts";
import { END, OVERRIDE, PROMPT, START, THOUGHT, TOKENS, TOOL } from "../../support/in-workerd/events.ts";
import { conclusion, report, toolCall } from "../../support/in-workerd/reports.ts";
import { actor } from "../../support/in-workerd/values.ts";

const SECRET = "sk-proj-0123456789abcdef";
const STARTED = "1970-01-01T00:00:01.000Z";
const ENDED = "1970-01-01T00:00:01.500Z";

const {
  record_type: _,
  api_key_id,
  metadata: _metadata,
  initiator_name: _name,
  flags: _flags,
  correlating_tool_call_id: _call,
  thread_parent_id: _parent,
  thread_root_id: _root,
  prompt_count: _count,
  ...asked
} = START;
const subject = { ...asked, started_at: STARTED };

type Begun = Interception & {
  readonly recorder: Recorder;
  readonly groups: (readonly InterceptorEvent[])[];
  readonly clock: { at: number };
};

const NOTHING_SAID: Conversation = { prompt: null, correlatingToolCallId: null };

function begin(
  ask: Conversation = NOTHING_SAID,
  { prompts = false, before = [], sinks = [] }: Partial<Options> = {},
): Begun {
  const groups: (readonly InterceptorEvent[])[] = [];
  const collect: Sink = {
    name: "collect",
    required: false,
    write: (events) => void groups.push(structuredClone(events)),
  };
  const recorder = createRecorder(
    [...sinks, collect],
    () => undefined,
    () => undefined,
  );
  for (const event of before) recorder.record(event);
  const clock = { at: 1000 };
  const interception = startInterception(
    recorder,
    {
      subject,
      actor: actor({ keyId: api_key_id, name: null }),
      initiatorName: START.initiator_name,
      flags: START.flags,
      ask,
      startedAt: 1000,
    },
    { prompts, redact: createRedactor([]) },
    () => clock.at,
  );
  clock.at = 1500;
  return { ...interception, recorder, groups, clock };
}

type Options = {
  readonly prompts: boolean;
  readonly before: readonly InterceptorEvent[];
  readonly sinks: readonly Sink[];
};

const completed = { outcome: "completed", status: 200, error: null } as const;
const typesOf = (events: readonly InterceptorEvent[] = []): string[] =>
  events.map(({ record_type }) => record_type);

describe("an interception's start", () => {
  it("is handed on at once, at the request's own time, with what is known of the asking", () => {
    const { groups } = begin({ prompt: "Where?", correlatingToolCallId: "call_7" });
    expect(groups).toEqual([
      [
        {
          ...START,
          started_at: STARTED,
          metadata: {},
          correlating_tool_call_id: "call_7",
          prompt_count: 1,
        },
      ],
    ]);
  });

  it("counts no prompt where the user said nothing", () => {
    const { groups } = begin();
    expect(groups).toEqual([
      [{ ...START, started_at: STARTED, metadata: {}, correlating_tool_call_id: null, prompt_count: 0 }],
    ]);
  });

  it("comes in one group with the owner's override before it and the prompt behind it", () => {
    const { groups } = begin(
      { prompt: "Where?", correlatingToolCallId: null },
      { prompts: true, before: [OVERRIDE] },
    );
    expect(groups.map(typesOf)).toEqual([["initiator_override", "interception_start", "prompt_usage"]]);
    expect(groups[0]?.[2]).toEqual({ ...PROMPT, prompt: "Where?", created_at: STARTED });
  });

  it("H11 has no prompt with it unless prompts are recorded, or the user said none", () => {
    expect(begin({ prompt: "Where?", correlatingToolCallId: null }).groups.map(typesOf)).toEqual([
      ["interception_start"],
    ]);
    expect(begin(NOTHING_SAID, { prompts: true }).groups.map(typesOf)).toEqual([["interception_start"]]);
  });

  it("an empty prompt is one: the user said so", () => {
    const { groups } = begin({ prompt: "", correlatingToolCallId: null }, { prompts: true });
    expect(groups[0]?.[0]).toMatchObject({ prompt_count: 1 });
    expect(groups[0]?.[1]).toMatchObject({ prompt: "" });
  });

  it("a prompt is redacted before it is recorded, and cut", () => {
    const prompt = `use ${SECRET} please ${"x".repeat(30_000)}`;
    const { groups } = begin({ prompt, correlatingToolCallId: null }, { prompts: true });
    const recorded = groups[0]?.[1];
    expect(recorded).toMatchObject({ record_type: "prompt_usage", truncated: true });
    const { prompt: text } = recorded as typeof PROMPT;
    expect(`use [redacted:provider_key] please ${"x".repeat(20_000)}`.startsWith(text)).toBe(true);
    expect(text.length).toBeGreaterThan(16_000);
    expect(text.length).toBeLessThanOrEqual(16_384);
  });

  it.each<[string, Sink["write"], boolean]>([
    ["takes it", () => undefined, true],
    ["rejects", () => Promise.reject(new Error("down")), false],
    ["resolves", () => Promise.resolve(), true],
  ])("H7 has begun, or not, as a required sink that %s says", async (_says, write, begun) => {
    expect(await begin(NOTHING_SAID, { sinks: [{ name: "ledger", required: true, write }] }).started).toBe(
      begun,
    );
  });
});

describe("I1 an interception's end", () => {
  it("comes once, behind its usage and before its tools and thoughts, in one group", () => {
    const { groups, end } = begin();
    end({
      ...completed,
      observation: conclusion({
        report: report({
          toolCalls: [
            toolCall({ input: '{"path":"a"}' }),
            toolCall({ id: null, name: "web_search_call", kind: "web_search_call", error: "timed out" }),
          ],
          toolCallCount: 2,
          thoughts: ["First.", "Then."],
          thoughtCount: 3,
        }),
      }),
    });
    expect(typesOf(groups[1])).toEqual([
      "token_usage",
      "interception_end",
      "tool_usage",
      "tool_usage",
      "model_thought",
      "model_thought",
    ]);
    const [usage, ending, ...content] = groups[1] ?? [];
    expect(usage).toEqual({
      ...TOKENS,
      input_tokens: 20,
      output_tokens: 12,
      cache_read_input_tokens: 10,
      cache_write_input_tokens: null,
      created_at: ENDED,
    });
    expect(ending).toMatchObject({ tool_call_count: 2, thought_count: 3, finish_reason: "stop" });
    const tool = { ...TOOL, created_at: ENDED, invocation_error: null };
    const thought = { ...THOUGHT, created_at: ENDED };
    expect(content).toEqual([
      { ...tool, input: '{"path":"a"}' },
      {
        ...tool,
        tool_call_id: null,
        tool: "web_search_call",
        metadata: { kind: "web_search_call" },
        input: null,
        invocation_error: "timed out",
        position: 1,
      },
      { ...thought, content: "First." },
      { ...thought, content: "Then.", position: 1 },
    ]);
  });

  it("the first one counts, whatever comes after it", () => {
    const { groups, end, clock } = begin();
    end({ ...completed, observation: conclusion() });
    clock.at = 9000;
    end({ outcome: "cancelled", status: null, error: null, observation: null });
    end({ ...completed, observation: conclusion() });
    expect(groups.map(typesOf)).toEqual([["interception_start"], ["token_usage", "interception_end"]]);
    expect(groups[1]?.[1]).toMatchObject({
      outcome: "completed",
      duration_ms: 500,
      first_byte_ms: 40,
      started_at: STARTED,
      ended_at: ENDED,
    });
  });

  it("without a conclusion knows nothing of what was used or said, whole event", () => {
    const { groups, end } = begin();
    end({ outcome: "cancelled", status: null, error: null, observation: null });
    expect(groups[1]).toEqual([
      {
        ...END,
        started_at: STARTED,
        ended_at: ENDED,
        outcome: "cancelled",
        status: null,
        error: null,
        error_message: null,
        finish_reason: null,
        usage: "unknown",
        usage_invalid: false,
        observation: "complete",
        input_tokens: null,
        output_tokens: null,
        cache_read_input_tokens: null,
        cache_write_input_tokens: null,
        response_bytes: 0,
        first_byte_ms: null,
        duration_ms: 500,
        msg_id: null,
        response_model: null,
        tool_call_count: 0,
        thought_count: 0,
      },
    ]);
  });

  it("says that an answer was capped, and that a figure was refused", () => {
    const { groups, end } = begin();
    const { usage } = report();
    end({
      ...completed,
      observation: conclusion({
        report: report({ usage: usage && { ...usage, invalid: true } }),
        end: { how: "end", bytes: 9, firstByteAt: null, truncated: true },
      }),
    });
    expect(groups[1]?.[1]).toMatchObject({
      observation: "truncated",
      usage_invalid: true,
      response_bytes: 9,
    });
  });

  it("an answer that reported no usage has no usage event, and its tools all the same", () => {
    const { groups, end } = begin();
    const told = report({ usage: null, toolCalls: [toolCall()], toolCallCount: 1 });
    end({ ...completed, observation: conclusion({ report: told, usageState: "unknown" }) });
    expect(typesOf(groups[1])).toEqual(["interception_end", "tool_usage"]);
    expect(groups[1]?.[1]).toMatchObject({ tool: "read_file", input: null, truncated: false });
  });

  it("what a tool was given, what went wrong there, a thought and an error's message are redacted and cut", () => {
    const { groups, end } = begin();
    const long = `${SECRET} ${"x".repeat(20_000)}`;
    end({
      outcome: "upstream_error",
      status: 400,
      error: "invalid_request_error",
      observation: conclusion({
        report: report({
          toolCalls: [toolCall({ input: long, error: long })],
          thoughts: [long],
          errorMessage: long,
        }),
      }),
    });
    const clean = `[redacted:provider_key] ${"x".repeat(20_000)}`.slice(0, 16_384);
    expect(groups[1]?.slice(1)).toMatchObject([
      { record_type: "interception_end", error_message: clean },
      { record_type: "tool_usage", input: clean, invocation_error: clean, truncated: true },
      { record_type: "model_thought", content: clean, truncated: true },
    ]);
    expect(JSON.stringify(groups)).not.toContain(SECRET);
  });

  it("what is not whole though it fits says so: only its tool's input decides for a tool", () => {
    const { groups, end } = begin();
    const told = report({ toolCalls: [toolCall({ input: "{}", error: "x".repeat(20_000) })] });
    end({ ...completed, observation: conclusion({ report: told }) });
    expect(groups[1]?.[2]).toMatchObject({ input: "{}", truncated: false });
  });

  it("what else was recorded meanwhile goes with it", () => {
    const { groups, end, recorder } = begin();
    recorder.record(OVERRIDE);
    end({ ...completed, observation: null });
    expect(groups.map(typesOf)).toEqual([["interception_start"], ["initiator_override", "interception_end"]]);
  });
});
