/** One event of each kind, composed by the code that composes the real ones: what the table in docs/reference.md is made of. */
import type { Actor } from "../../src/gateway/identity/identity.ts";
import type { Decision, Initiator } from "../../src/gateway/initiator/decision.ts";
import type { Observation } from "../../src/gateway/observation/observe.ts";
import * as compose from "../../src/events/compose.ts";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { createRedactor } from "../../src/events/redaction.ts";
import { openai } from "../../src/gateway/provider/openai/dialect.ts";
import { Refusal } from "../../src/shared/refusal.ts";

/** When each kind of event is recorded. */
export const EVENT_KINDS: Readonly<Record<InterceptorEvent["record_type"], string>> = {
  interception_start: "an intercepted request is about to be judged by policy and sent on",
  interception_end: "once for every start, however it ended; can be read alone",
  prompt_usage: "beside a start, where prompts are recorded and the user wrote something in this request",
  token_usage: "beside an end whose answer reported usage",
  tool_usage: "beside an end, for each tool that the model wants run or the provider ran",
  model_thought: "beside an end, for each thought, where thoughts are recorded",
  initiator_override: "an owner header counted",
  initiator_override_rejected: "an owner header did not count",
  refusal: "the gateway answered instead of the provider",
  passthrough: "a request was forwarded and not parsed",
};

const ID = "01a20983-68e2-7048-917d-e52671589176";
const AT = 1_795_000_000_000;

const actor: Actor = {
  id: "coder-agents-service",
  kind: "service",
  name: "Coder Agents",
  source: "keys",
  verified: true,
  keyId: "0123456789abcdef",
  mayAssert: true,
};
const initiator: Initiator = {
  id: "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5",
  name: null,
  attribution: "asserted",
  owner: "overrides",
};
const decision: Decision = {
  initiator,
  trace: { rule: "credential", signature: "off", directory: "off", candidates: [] },
  needs: null,
};
const client = { name: "Coder Agents", userAgent: "coder-agents/v2.30.0 (linux/amd64)", row: null };
const noIds = {
  chat_id: null,
  subchat_id: null,
  workspace_id: null,
  delegated_key_id: null,
  delegated_source: null,
};
const caller = compose.toCaller(ID, actor, initiator, client, null, noIds);
const asked = {
  provider: "openai",
  provider_type: "openai",
  route: "/chat/completions",
  model: "gpt-5.1",
  streaming: true,
  credential_kind: "centralized",
  credential_hint: "sk-p...9f3c",
} as const;
const subject = compose.toSubject(caller, asked, AT);
const ask = { prompt: "Which tests fail?", correlatingToolCallId: null };
const observation: Observation = {
  outcome: "completed",
  usageState: "final",
  end: { how: "end", bytes: 4321, firstByteAt: AT + 300, truncated: false },
  report: {
    id: "chatcmpl-1",
    model: "gpt-5.1",
    usage: {
      input_tokens: 12,
      output_tokens: 34,
      cache_read_input_tokens: 1024,
      cache_write_input_tokens: null,
      extras: { completion_reasoning: 8 },
      invalid: false,
    },
    usageFinal: true,
    ended: true,
    finishReason: "tool_calls",
    error: null,
    errorMessage: null,
    toolCalls: [{ id: "call_1", name: "run_tests", kind: "function", input: "{}", error: null }],
    toolCallCount: 1,
    thoughts: ["The tests come first."],
    thoughtCount: 1,
  },
};
const route = {
  provider: {
    name: "openai",
    dialect: openai,
    baseUrl: "https://api.openai.com/v1",
    keys: [],
    injectUsage: true,
    coderHeaders: false,
    models: null,
  },
  route: { kind: "passthrough", path: "/models", below: true, runsModel: "no" },
  upstreamPath: "/models",
} as const;

export function sampleEvents(): readonly InterceptorEvent[] {
  const rejected = { reason: "form", valueLength: 9, valueSha256: "0123456789abcdef" } as const;
  const finish = { outcome: "completed", status: 200, error: null, observation } as const;
  const redact = createRedactor([]);
  const usage = compose.tokenUsageEvent(caller, observation, AT);
  const prompt = compose.promptEvent(caller, ask, redact, AT);
  const known = { method: "GET", route, client: null, actor: null, caller: null };
  return [
    compose.overrideEvent(caller, decision, "openai", AT),
    compose.overrideRejectedEvent(caller, decision, "openai", rejected, AT),
    compose.startEvent(subject, actor, initiator.name, [], ask),
    ...(prompt ? [prompt] : []),
    compose.endEvent(subject, AT, finish, redact, AT),
    ...(usage ? [usage] : []),
    ...compose.toolEvents(caller, observation, redact, AT),
    ...compose.thoughtEvents(caller, observation, redact, AT),
    compose.passthroughEvent(caller, route, { method: "GET", startedAt: AT, status: 200 }, AT),
    compose.refusalEvent(ID, new Refusal("not_found"), known, AT),
  ];
}
