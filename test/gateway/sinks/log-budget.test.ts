/**
 * Logpush keeps the first 16,384 characters of one invocation and drops the rest. The lines with the actor, the initiator
 * and the outcome must be among them for every request, response and recorded content, even while the ledger's queue is
 * down.
 * https://developers.cloudflare.com/workers/observability/logs/logpush/
 */
import { toOperatorLine } from "../../../src/shared/operator-log.ts";
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { toLedgerEvents } from "../../../src/events/ledger-events.ts";
import { FALLBACK_MESSAGE, createFallbackLog } from "../../../src/events/fallback-log.ts";
import { batchEvents } from "../../../src/gateway/sinks/batch-events.ts";
import type { Timing } from "../../../src/gateway/sinks/delivery.ts";
import { createFailedBatches } from "../../../src/gateway/sinks/failed-batches.ts";
import { recordsSink } from "../../../src/gateway/sinks/records.ts";
import { LOG_MESSAGE } from "../../../src/events/log-line.ts";
import { createSign, type Sign } from "../../../src/events/event-mac.ts";
import { signedLogSink } from "../../../src/gateway/sinks/signed-log.ts";
import { KEY } from "../../support/in-workerd/mac-keys.ts";
import { logSink } from "../../../src/gateway/sinks/log.ts";
import { createRecorder } from "../../../src/gateway/sinks/recorder.ts";
import {
  END,
  OVERRIDE,
  PROMPT,
  REJECTED,
  START,
  THOUGHT,
  TOKENS,
  TOOL,
} from "../../support/in-workerd/events.ts";

const LOG_CHARACTERS = 16_384;
/** The bounds of `provider/response-reader.ts` and `events/redaction.ts`. */
const CALLS = 100;
const CONTENT_CHARACTERS = 16_384;

/** Texts of one kind in every field that a caller or a provider can fill, each at its maximum length. */
type Largest = { readonly name: string; readonly unit: string };
const LARGEST: readonly Largest[] = [
  { name: "plain letters", unit: "x" },
  { name: "quotes, which print as two", unit: '"' },
  { name: "line breaks", unit: "\n" },
  { name: "control characters, which print as six", unit: "\u0001" },
  { name: "line separators that only terminals act on", unit: "\u2028" },
  { name: "halves of surrogate pairs", unit: "\ud800" },
  { name: "surrogate pairs", unit: "🗼" },
];

const TOKEN_EXTRAS = Object.fromEntries(
  Array.from({ length: 12 }, (_, at) => [`completion_extra_figure_${at}`, 1_000_000_000]),
);

/** The events of one request, with every type and every field filled. */
function largest(unit: string): { readonly start: InterceptorEvent[]; readonly end: InterceptorEvent[] } {
  const of = (length: number): string => unit.repeat(length).slice(0, length);
  const caller = { user_agent: of(256), client_session_id: '"'.repeat(128), actor_id: "a".repeat(96) };
  const call = { model: of(256), worker_version: "v".repeat(64) };
  // Printable ASCII only; a quote prints as two.
  const providerHeaders = {
    provider_request_id: '"'.repeat(128),
    provider_ray: '"'.repeat(64),
    response_encoding: '"'.repeat(32),
  };
  const content = of(CONTENT_CHARACTERS);
  const tool = { ...TOOL, tool: of(128), tool_call_id: of(256), msg_id: of(256) };
  return {
    start: [
      { ...OVERRIDE, ...caller },
      {
        ...START,
        ...caller,
        ...call,
        metadata: { actor_name: of(256) },
        initiator_name: "u".repeat(64),
        correlating_tool_call_id: of(256),
      },
      { ...PROMPT, prompt: content, truncated: true },
    ],
    end: [
      { ...TOKENS, msg_id: of(256), metadata: TOKEN_EXTRAS, raw_usage: of(2048) },
      {
        ...END,
        ...caller,
        ...call,
        msg_id: of(256),
        response_model: of(256),
        finish_reason: of(128),
        error: of(256),
        error_message: content,
        outcome: "cancelled",
        ...providerHeaders,
      },
      ...Array.from({ length: CALLS }, (_, position) => ({
        ...tool,
        position,
        input: content,
        invocation_error: content,
      })),
      ...Array.from({ length: CALLS }, (_, position) => ({ ...THOUGHT, content, position })),
    ],
  };
}

type Printed = { readonly message: string; readonly record_type?: string; readonly event?: InterceptorEvent };

/** The lines that Logpush keeps of an invocation. A line that exceeds the limit is not parsed. */
function linesInBudget(lines: readonly string[]): Printed[] {
  const printed: Printed[] = [];
  let left = LOG_CHARACTERS;
  for (const line of lines) {
    left -= line.length;
    if (left < 0) break;
    if (line.startsWith("{")) printed.push(JSON.parse(line) as Printed);
  }
  return printed;
}

/** Timers that fire on demand. */
function manualTimers() {
  const timers = new Set<() => void>();
  const after: Timing["after"] = (_, call) => {
    timers.add(call);
    return () => void timers.delete(call);
  };
  return {
    after,
    /** Fires timers until none is left. */
    passTime: async () => {
      for (let quiet = 0; quiet < 20; quiet += 1) {
        const due = [...timers];
        timers.clear();
        for (const call of due) call();
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    },
  };
}

const failure = (sink: string): string =>
  toOperatorLine({
    event: "sink_failed",
    sink,
    interception_id: START.interception_id,
    error: "TimeoutError",
  });

/** The console of one request, with the sinks in production's order and a queue that is down until `recover`. */
function openConsole({
  required = false,
  sign = null,
}: { readonly required?: boolean; readonly sign?: Sign | null } = {}) {
  // Other errors of the same request are already printed.
  const lines = [
    toOperatorLine({ event: "directory_failed", reason: "no response within 2000 ms" }),
    failure("analytics_engine"),
  ];
  const print = (line: string): void => void lines.push(line);
  const { after, passTime } = manualTimers();
  let isUp = false;
  const taken: InterceptorEvent[] = [];
  const deliver = (events: readonly InterceptorEvent[]): Promise<void> => {
    if (!isUp) return Promise.reject(new Error("Too Many Requests"));
    taken.push(...events);
    return Promise.resolve();
  };
  const fallback = createFallbackLog(print, sign);
  const options = { wants: () => true, timing: { after, random: () => 1 } };
  const ledger = required
    ? recordsSink({ ...options, required, deliver, fallback })
    : batchEvents({
        ...options,
        deliver: (texts) => deliver(texts.map((text) => JSON.parse(text) as InterceptorEvent)),
        failed: createFailedBatches(fallback, () => print(failure("ledger"))),
        now: () => 0,
      });
  const recorder = createRecorder(
    [sign === null ? logSink(print) : signedLogSink(print, sign), ledger],
    () => undefined,
    (sink) => print(failure(sink)),
  );
  const record = (events: readonly InterceptorEvent[]): void => {
    for (const event of events) recorder.record(event);
    void recorder.flush();
  };
  return { lines, record, passTime, taken, recover: () => void (isUp = true) };
}

const logged = (printed: readonly Printed[]): unknown[] =>
  printed.filter(({ message }) => message === LOG_MESSAGE).map(({ record_type }) => record_type);
const fallbackEvents = (lines: readonly string[]): InterceptorEvent[] =>
  lines
    .filter((line) => line.startsWith(`{"message":${JSON.stringify(FALLBACK_MESSAGE)}`))
    .map((line) => (JSON.parse(line) as { event: InterceptorEvent }).event);

const CALLER_LINES = [
  "initiator_override",
  "interception_start",
  "prompt_usage",
  "token_usage",
  "interception_end",
];

describe("H9 Logpush, for the largest request with all content recorded and the queue down,", () => {
  it.each(LARGEST)("keeps the complete lines of actor, initiator and outcome: $name", async ({ unit }) => {
    const { start, end } = largest(unit);
    for (const required of [false, true]) {
      const { lines, record, passTime } = openConsole({ required });
      record(start);
      // A stream: the start's delivery has failed long before the end.
      await passTime();
      record(end);
      await passTime();
      expect(lines.join("").length).toBeGreaterThan(LOG_CHARACTERS);
      expect(logged(linesInBudget(lines)).slice(0, CALLER_LINES.length)).toEqual(CALLER_LINES);
      // Other readers of the console get all events, also those past Logpush's limit.
      expect(fallbackEvents(lines)).toHaveLength(start.length + toLedgerEvents(end).length);
    }
  });

  it.each(LARGEST)(
    "keeps the same lines of a call that ends within its first second: $name",
    async ({ unit }) => {
      const { start, end } = largest(unit);
      const { lines, record, passTime } = openConsole();
      record(start);
      record(end);
      await passTime();
      expect(logged(linesInBudget(lines)).slice(0, CALLER_LINES.length)).toEqual(CALLER_LINES);
      expect(fallbackEvents(lines)).toHaveLength(start.length + toLedgerEvents(end).length);
    },
  );

  it.each(LARGEST)("keeps the same lines with a MAC of every line: $name", async ({ unit }) => {
    const { start, end } = largest(unit);
    for (const required of [false, true]) {
      const { lines, record, passTime } = openConsole({ required, sign: createSign(KEY) });
      record(start);
      await passTime();
      record(end);
      await passTime();
      expect(lines.filter((line) => line.includes('"mac":"')).length).toBeGreaterThan(CALLER_LINES.length);
      expect(logged(linesInBudget(lines)).slice(0, CALLER_LINES.length)).toEqual(CALLER_LINES);
    }
  });

  it.each(LARGEST)("keeps the line of a rejected owner: $name", async ({ unit }) => {
    const { start, end } = largest(unit);
    const rejected = { ...REJECTED, user_agent: unit.repeat(256).slice(0, 256) };
    const { lines, record, passTime } = openConsole();
    record([rejected, ...start.slice(1)]);
    await passTime();
    record(end);
    await passTime();
    expect(logged(linesInBudget(lines)).slice(0, CALLER_LINES.length)).toEqual([
      "initiator_override_rejected",
      ...CALLER_LINES.slice(1),
    ]);
  });
});

describe("the fallback log of an interception whose start could not be delivered", () => {
  const prompt = { ...PROMPT, prompt: "x".repeat(CONTENT_CHARACTERS) };

  it("prints start and override at once, and a long prompt after the end", async () => {
    const { lines, record, passTime } = openConsole();
    record([OVERRIDE, START, prompt]);
    await passTime();
    expect(fallbackEvents(lines)).toEqual([START, OVERRIDE]);
    record([END]);
    await passTime();
    expect(fallbackEvents(lines)).toEqual([START, OVERRIDE, END, prompt]);
  });

  it("prints a short prompt at once", async () => {
    const { lines, record, passTime } = openConsole();
    record([START, PROMPT]);
    await passTime();
    expect(fallbackEvents(lines)).toEqual([START, PROMPT]);
  });

  it("prints the delayed prompt when the queue takes the end", async () => {
    const { lines, record, passTime, recover, taken } = openConsole();
    record([START, prompt]);
    await passTime();
    recover();
    record([END]);
    await passTime();
    expect(taken).toEqual([END]);
    expect(fallbackEvents(lines)).toEqual([START, prompt]);
  });

  it("prints every event once when the start's delivery fails after the end", async () => {
    const { lines, record, passTime } = openConsole({ required: true });
    record([START, prompt]);
    record([END]);
    await passTime();
    expect(fallbackEvents(lines)).toHaveLength(3);
    expect(new Set(fallbackEvents(lines))).toEqual(new Set([START, prompt, END]));
  });

  it("prints the delayed prompt after the lines of another interception that ends first", async () => {
    const { lines, record, passTime } = openConsole();
    record([START, prompt]);
    await passTime();
    record([{ ...END, interception_id: "01a20846-fe00-7abc-8def-000000000000" }]);
    await passTime();
    expect(fallbackEvents(lines).map(({ record_type }) => record_type)).toEqual([
      "interception_start",
      "interception_end",
      "prompt_usage",
    ]);
  });

  it("keeps the delayed prompt when another interception ends, where recording is required", async () => {
    const { lines, record, passTime } = openConsole({ required: true });
    record([START, prompt]);
    await passTime();
    record([{ ...END, interception_id: "01a20846-fe00-7abc-8def-000000000000" }]);
    await passTime();
    expect(fallbackEvents(lines).map(({ record_type }) => record_type)).toEqual([
      "interception_start",
      "interception_end",
    ]);
  });

  it("delays the prompts of at most 500 interceptions", async () => {
    const { lines, record, passTime } = openConsole({ required: true });
    for (let n = 0; n < 501; n += 1)
      record([
        { ...START, interception_id: `${n}` },
        { ...prompt, interception_id: `${n}` },
      ]);
    await passTime();
    expect(fallbackEvents(lines).filter(({ record_type }) => record_type === "prompt_usage")).toEqual([
      { ...prompt, interception_id: "500" },
    ]);
  });
});
