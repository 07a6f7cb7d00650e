import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { startInterception, type Interception } from "../../../src/gateway/app/interception.ts";
import { createRecorder, type Recorder, type Sink } from "../../../src/gateway/sinks/recorder.ts";
import { createRedactor } from "../../../src/events/redaction.ts";
import type { Thought } from "../../../src/gateway/provider/response-reader.ts";
import type { Conversation } from "../../../src/gateway/provider/conversation.ts";
import {
  END,
  OVERRIDE,
  PROMPT,
  REFUSED,
  START,
  THOUGHT,
  TOKENS,
  TOOL,
} from "../../support/in-workerd/events.ts";
import { conclusion, report, toolCall } from "../../support/in-workerd/reports.ts";
import { actor } from "../../support/in-workerd/values.ts";

const SECRET = "sk-proj-0123456789abcdef";
const STARTED = "1970-01-01T00:00:01.000Z";
const ENDED = "1970-01-01T00:00:01.500Z";

const {
  record_type: _,
  metadata: _metadata,
  initiator_name: _name,
  flags: _flags,
  correlating_tool_call_id: _call,
  thread_parent_id: _parent,
  thread_root_id: _root,
  prompt_count: _count,
  earlier_prompt_count: _earlier,
  prompt_hashes: _hashes,
  earlier_prompt_hashes: _earlierHashes,
  agent_id: _agent,
  parent_agent_id: _parentAgent,
  client_prompt_id: _promptId,
  request_class: _class,
  client_kind: _kind,
  end_user: _endUser,
  request_encoding: _encoding,
  delegation_chain: _chain,
  request_sha256: requestSha256,
  config_version: configVersion,
  client_country: country,
  client_ray: ray,
  client_ip: ip,
  ...startSubject
} = START;
const subject = { ...startSubject, started_at: STARTED };

type Started = Interception & {
  /** `end` alone; `end` here also flushes, as after an observed response. */
  readonly recordEnd: Interception["end"];
  readonly recorder: Recorder;
  readonly groups: (readonly InterceptorEvent[])[];
  readonly clock: { at: number };
};

const NO_CONVERSATION: Conversation = {
  prompt: null,
  promptCount: 0,
  earlierPromptCount: 2,
  correlatingToolCallId: null,
  texts: () => ({ current: [], earlier: [] }),
};
const conversation = (prompt: string, correlatingToolCallId: string | null = null): Conversation => ({
  ...NO_CONVERSATION,
  prompt,
  promptCount: 1,
  correlatingToolCallId,
});

function start(
  facts: Conversation = NO_CONVERSATION,
  { prompts = false, before = [], sinks = [] }: Partial<Options> = {},
): Started {
  const groups: (readonly InterceptorEvent[])[] = [];
  const collect: Sink = {
    kind: "immediate",
    name: "collect",
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
      override: null,
      actor: actor({ name: null }),
      initiatorName: START.initiator_name,
      flags: START.flags,
      conversation: facts,
      promptHashes: { current: START.prompt_hashes, earlier: START.earlier_prompt_hashes },
      hints: {
        agentId: START.agent_id,
        parentAgentId: START.parent_agent_id,
        promptId: START.client_prompt_id,
        requestClass: START.request_class,
      },
      clientKind: START.client_kind,
      endUser: START.end_user,
      requestEncoding: START.request_encoding,
      requestSha256,
      configVersion,
      network: { country, ray, ip },
      startedAt: 1000,
      uploadSha256: () => END.upload_sha256,
    },
    { prompts, redact: createRedactor([]), price: () => COST, now: () => clock.at },
  );
  clock.at = 1500;
  const end: Interception["end"] = (result) => {
    const cost = interception.end(result);
    void recorder.flush();
    return cost;
  };
  return { ...interception, end, recordEnd: interception.end, recorder, groups, clock };
}

type Options = {
  readonly prompts: boolean;
  readonly before: readonly InterceptorEvent[];
  readonly sinks: readonly Sink[];
};

const COST = {
  micros: END.cost_micros,
  source: END.cost_source,
  version: END.price_version,
} as const;

const providerHeaders = {
  requestId: END.provider_request_id,
  ray: END.provider_ray,
  encoding: END.response_encoding,
  aiGateway: null,
};
const completed = {
  outcome: "completed",
  status: 200,
  error: null,
  providerHeaders,
  usageOptIn: "added",
} as const;
const thinking = (...texts: readonly string[]): Thought[] =>
  texts.map((text) => ({ text, source: "thinking" }));
const typesOf = (events: readonly InterceptorEvent[] = []): string[] =>
  events.map(({ record_type }) => record_type);

describe("an interception's start", () => {
  it("is passed to the sinks at once, with the request's time and the facts of its conversation", () => {
    const { groups } = start(conversation("Where?", "call_7"));
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

  it("counts no prompt where the request has none", () => {
    const { groups } = start();
    expect(groups).toEqual([
      [{ ...START, started_at: STARTED, metadata: {}, correlating_tool_call_id: null, prompt_count: 0 }],
    ]);
  });

  it("is in one group with the override event before it and the prompt after it", () => {
    const { groups } = start(conversation("Where?"), { prompts: true, before: [OVERRIDE] });
    expect(groups.map(typesOf)).toEqual([["initiator_override", "interception_start", "prompt_usage"]]);
    expect(groups[0]?.[2]).toEqual({ ...PROMPT, prompt: "Where?", created_at: STARTED });
  });

  it("H11 has no prompt event where prompts are not recorded, or the request has none", () => {
    expect(start(conversation("Where?")).groups.map(typesOf)).toEqual([["interception_start"]]);
    expect(start(NO_CONVERSATION, { prompts: true }).groups.map(typesOf)).toEqual([["interception_start"]]);
  });

  it("counts and records an empty prompt", () => {
    const { groups } = start(conversation(""), { prompts: true });
    expect(groups[0]?.[0]).toMatchObject({ prompt_count: 1 });
    expect(groups[0]?.[1]).toMatchObject({ prompt: "" });
  });

  it("redacts and truncates a prompt before it is recorded", () => {
    const prompt = `use ${SECRET} please ${"x".repeat(30_000)}`;
    const { groups } = start(conversation(prompt), { prompts: true });
    const recorded = groups[0]?.[1];
    expect(recorded).toMatchObject({ record_type: "prompt_usage", truncated: true });
    const { prompt: text } = recorded as typeof PROMPT;
    expect(`use [redacted:provider_key] please ${"x".repeat(20_000)}`.startsWith(text)).toBe(true);
    expect(text.length).toBeGreaterThan(16_000);
    expect(text.length).toBeLessThanOrEqual(16_384);
  });

  it.each<[string, boolean, () => Promise<void>, boolean]>([
    ["a required sink rejects", true, () => Promise.reject(new Error("down")), false],
    ["a required sink resolves", true, () => Promise.resolve(), true],
    ["a sink that is not required rejects", false, () => Promise.reject(new Error("down")), true],
    ["a sink that is not required never settles", false, () => new Promise(() => undefined), true],
  ])("H7 reports whether the required sinks took it: %s", async (_case, required, write, isStarted) => {
    const sink: Sink = { kind: "awaited", name: "ledger", required, write };
    expect(await start(NO_CONVERSATION, { sinks: [sink] }).started).toBe(isStarted);
  });

  it("H7 has started where no sink is awaited", async () => {
    expect(await start().started).toBe(true);
  });
});

describe("I1 an interception's end", () => {
  it("is recorded once, after the usage and before the tool calls and thoughts, in one group", () => {
    const { groups, end } = start();
    end({
      ...completed,
      observation: conclusion({
        report: report({
          toolCalls: [
            toolCall({ input: '{"path":"a"}' }),
            toolCall({ id: null, name: "web_search_call", kind: "web_search_call", error: "timed out" }),
          ],
          toolCallCount: 2,
          thoughts: thinking("First.", "Then."),
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
        metadata: { kind: "web_search_call", namespace: "files" },
        input: null,
        invocation_error: "timed out",
        position: 1,
      },
      { ...thought, content: "First." },
      { ...thought, content: "Then.", position: 1 },
    ]);
  });

  it("is the first one; later ends are ignored", () => {
    const { groups, end, clock } = start();
    end({ ...completed, observation: conclusion() });
    clock.at = 9000;
    end({
      outcome: "cancelled",
      status: null,
      error: null,
      providerHeaders,
      usageOptIn: null,
      observation: null,
    });
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

  it("has unknown usage and no content where no response was observed", () => {
    const { groups, end } = start();
    end({
      outcome: "cancelled",
      status: null,
      error: null,
      providerHeaders,
      usageOptIn: null,
      observation: null,
    });
    expect(groups[1]).toEqual([
      {
        ...END,
        response_sha256: null,
        usage_opt_in: null,
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
        service_tier: null,
        speed: null,
        inference_geo: null,
        reported_cost: null,
        cost_micros: null,
        cost_source: "unpriced",
        price_version: null,
        tool_call_count: 0,
        thought_count: 0,
      },
    ]);
  });

  it("redacts a secret in the provider's usage object", () => {
    // An attack: a provider, or a network in front of it, echoes a key among the figures.
    const { groups, end } = start();
    const { usage } = report();
    end({
      ...completed,
      observation: conclusion({
        report: report({ usage: usage && { ...usage, raw: `{"prompt_tokens":38,"x":"${SECRET}"}` } }),
      }),
    });
    expect(groups[1]?.[0]).toMatchObject({ raw_usage: '{"prompt_tokens":38,"x":"[redacted:provider_key]"}' });
  });

  it("states that the observation was truncated and that a usage figure was invalid", () => {
    const { groups, end } = start();
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

  it("has tool calls but no usage event where the response reported no usage", () => {
    const { groups, end } = start();
    const reported = report({ usage: null, toolCalls: [toolCall()], toolCallCount: 1 });
    end({ ...completed, observation: conclusion({ report: reported, usageState: "unknown" }) });
    expect(typesOf(groups[1])).toEqual(["interception_end", "tool_usage"]);
    expect(groups[1]?.[1]).toMatchObject({ tool: "read_file", input: null, truncated: false });
  });

  it("redacts and truncates a tool's input and error, a thought and an error message", () => {
    const { groups, end } = start();
    const long = `${SECRET} ${"x".repeat(20_000)}`;
    end({
      outcome: "upstream_error",
      status: 400,
      error: "invalid_request_error",
      providerHeaders,
      usageOptIn: null,
      observation: conclusion({
        report: report({
          toolCalls: [toolCall({ input: long, error: long })],
          thoughts: thinking(long),
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

  it("marks a tool call as truncated by its input only, not by its error", () => {
    const { groups, end } = start();
    const reported = report({ toolCalls: [toolCall({ input: "{}", error: "x".repeat(20_000) })] });
    end({ ...completed, observation: conclusion({ report: reported }) });
    expect(groups[1]?.[2]).toMatchObject({ input: "{}", truncated: false });
  });

  it("waits for the refusal that follows it, and is in one group with it", async () => {
    const { groups, recordEnd, recorder } = start();
    const refused = {
      ...completed,
      outcome: "refused",
      error: "model_not_allowed",
      observation: null,
    } as const;
    recordEnd(refused);
    expect(groups.map(typesOf)).toEqual([["interception_start"]]);
    recorder.record(REFUSED);
    await recorder.flush();
    expect(groups.map(typesOf)).toEqual([["interception_start"], ["interception_end", "refusal"]]);
  });

  it("is in one group with the events that were recorded since the start", () => {
    const { groups, end, recorder } = start();
    recorder.record(OVERRIDE);
    end({ ...completed, observation: null });
    expect(groups.map(typesOf)).toEqual([["interception_start"], ["initiator_override", "interception_end"]]);
  });
});
