/**
 * Logpush takes 16,384 characters of one invocation, from its beginning: what was printed after them is lost. So whatever
 * was asked, answered and recorded, and though the ledger's queue takes nothing, the lines that tell who asked, on whose
 * account, and how it ended come among the first.
 * https://developers.cloudflare.com/workers/observability/logs/logpush/
 */
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { FALLBACK_MESSAGE, createFallbackLog } from "../../../src/events/fallback-log.ts";
import { coalesceStarts } from "../../../src/gateway/sinks/coalesce-starts.ts";
import { recordsSink, type Timing } from "../../../src/gateway/sinks/records.ts";
import { LOG_MESSAGE, logSink } from "../../../src/gateway/sinks/log.ts";
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
/** As `provider/answer.ts` and `events/redaction.ts` bound them. */
const CALLS = 100;
const CONTENT_CHARACTERS = 16_384;

/** Texts of one kind at every place that a caller or a provider can fill, as long as they are let through. */
type Largest = { readonly name: string; readonly unit: string };
const LARGEST: readonly Largest[] = [
  { name: "plain letters", unit: "x" },
  { name: "quotes, which take two", unit: '"' },
  { name: "line ends in code", unit: "\n" },
  { name: "control characters, which take six", unit: "\u0001" },
  { name: "what only terminals act on", unit: "\u2028" },
  { name: "halves of surrogate pairs", unit: "\ud800" },
  { name: "pairs", unit: "🗼" },
];

const TOKEN_EXTRAS = Object.fromEntries(
  Array.from({ length: 12 }, (_, at) => [`completion_extra_figure_${at}`, 1_000_000_000]),
);

/** One request with everything in it. */
function largest(unit: string): { readonly start: InterceptorEvent[]; readonly end: InterceptorEvent[] } {
  const of = (length: number): string => unit.repeat(length).slice(0, length);
  const who = { user_agent: of(256), client_session_id: '"'.repeat(128), actor_id: "a".repeat(96) };
  const asked = { model: of(256) };
  const content = of(CONTENT_CHARACTERS);
  const tool = { ...TOOL, tool: of(128), tool_call_id: of(256), msg_id: of(256) };
  return {
    start: [
      { ...OVERRIDE, ...who },
      {
        ...START,
        ...who,
        ...asked,
        metadata: { actor_name: of(256) },
        initiator_name: "u".repeat(64),
        correlating_tool_call_id: of(256),
      },
      { ...PROMPT, prompt: content, truncated: true },
    ],
    end: [
      { ...TOKENS, msg_id: of(256), metadata: TOKEN_EXTRAS },
      {
        ...END,
        ...who,
        ...asked,
        msg_id: of(256),
        response_model: of(256),
        finish_reason: of(128),
        error: of(256),
        error_message: content,
        outcome: "cancelled",
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

/** What is left of an invocation's lines: the first characters, the line that goes beyond them cut. */
function kept(lines: readonly string[]): Printed[] {
  const found: Printed[] = [];
  let left = LOG_CHARACTERS;
  for (const line of lines) {
    left -= line.length;
    if (left < 0) break;
    if (line.startsWith("{")) found.push(JSON.parse(line) as Printed);
  }
  return found;
}

/** Timers that go off when told. */
function stage() {
  const timers = new Set<() => void>();
  const after: Timing["after"] = (_, call) => {
    timers.add(call);
    return () => void timers.delete(call);
  };
  return {
    after,
    /** Lets all that waits go on until nothing does. */
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
  `sink ${sink} failed: TimeoutError (interception ${START.interception_id})`;

/** A request's console, in production's order of sinks, before a queue that takes nothing, or nothing before `heals`. */
function openConsole({ required = false }: { readonly required?: boolean } = {}) {
  // What else can go wrong in one request has been said already.
  const lines = ["directory failed: no response within 2000 ms", failure("analytics_engine")];
  const print = (line: string): void => void lines.push(line);
  const { after, passTime } = stage();
  let heal = false;
  const taken: InterceptorEvent[] = [];
  const ledger = recordsSink({
    required,
    wants: () => true,
    deliver: (events) => {
      if (!heal) return Promise.reject(new Error("Too Many Requests"));
      taken.push(...events);
      return Promise.resolve();
    },
    fallback: createFallbackLog(print),
    timing: { after, random: () => 1 },
  });
  const recorder = createRecorder(
    [logSink(print), required ? ledger : coalesceStarts(ledger, after)],
    () => undefined,
    (sink) => print(failure(sink)),
  );
  const record = (events: readonly InterceptorEvent[]): void => {
    for (const event of events) recorder.record(event);
    void recorder.flush();
  };
  return { lines, record, passTime, taken, heal: () => void (heal = true) };
}

const logged = (printed: readonly Printed[]): unknown[] =>
  printed.filter(({ message }) => message === LOG_MESSAGE).map(({ record_type }) => record_type);
const fallen = (lines: readonly string[]): InterceptorEvent[] =>
  lines
    .filter((line) => line.startsWith(`{"message":${JSON.stringify(FALLBACK_MESSAGE)}`))
    .map((line) => (JSON.parse(line) as { event: InterceptorEvent }).event);

const WHO = ["initiator_override", "interception_start", "prompt_usage", "token_usage", "interception_end"];

describe("H9 of the largest request there can be, with all content recorded and the queue down, Logpush keeps", () => {
  it.each(LARGEST)("who asked, on whose account and how it ended, whole: $name", async ({ unit }) => {
    const { start, end } = largest(unit);
    for (const required of [false, true]) {
      const { lines, record, passTime } = openConsole({ required });
      record(start);
      // A stream: its start has been given up long before its end.
      await passTime();
      record(end);
      await passTime();
      expect(lines.join("").length).toBeGreaterThan(LOG_CHARACTERS);
      expect(logged(kept(lines)).slice(0, WHO.length)).toEqual(WHO);
      // Past the log's room nothing is lost that another reader of the console could have.
      expect(fallen(lines)).toHaveLength(start.length + end.length);
    }
  });

  it.each(LARGEST)("the same of a call that ends within its first second: $name", async ({ unit }) => {
    const { start, end } = largest(unit);
    const { lines, record, passTime } = openConsole();
    record(start);
    record(end);
    await passTime();
    expect(logged(kept(lines)).slice(0, WHO.length)).toEqual(WHO);
    expect(fallen(lines)).toHaveLength(start.length + end.length);
  });

  it.each(LARGEST)("a rejected owner likewise: $name", async ({ unit }) => {
    const { start, end } = largest(unit);
    const rejected = { ...REJECTED, user_agent: unit.repeat(256).slice(0, 256) };
    const { lines, record, passTime } = openConsole();
    record([rejected, ...start.slice(1)]);
    await passTime();
    record(end);
    await passTime();
    expect(logged(kept(lines)).slice(0, WHO.length)).toEqual([
      "initiator_override_rejected",
      ...WHO.slice(1),
    ]);
  });
});

describe("what the queue did not take of an interception that goes on", () => {
  const prompt = { ...PROMPT, prompt: "x".repeat(CONTENT_CHARACTERS) };

  it("who asked is in the log at once; a long prompt waits for the end, and comes after it", async () => {
    const { lines, record, passTime } = openConsole();
    record([OVERRIDE, START, prompt]);
    await passTime();
    expect(fallen(lines)).toEqual([START, OVERRIDE]);
    record([END]);
    await passTime();
    expect(fallen(lines)).toEqual([START, OVERRIDE, END, prompt]);
  });

  it("what is short waits for nothing", async () => {
    const { lines, record, passTime } = openConsole();
    record([START, PROMPT]);
    await passTime();
    expect(fallen(lines)).toEqual([START, PROMPT]);
  });

  it("what waits is not forgotten where the queue takes the end", async () => {
    const { lines, record, passTime, heal, taken } = openConsole();
    record([START, prompt]);
    await passTime();
    heal();
    record([END]);
    await passTime();
    expect(taken).toEqual([END]);
    expect(fallen(lines)).toEqual([START, prompt]);
  });

  it("nor where its start is given up only after the end", async () => {
    const { lines, record, passTime } = openConsole({ required: true });
    record([START, prompt]);
    record([END]);
    await passTime();
    expect(fallen(lines)).toHaveLength(3);
    expect(new Set(fallen(lines))).toEqual(new Set([START, prompt, END]));
  });

  it("another interception's end lets nothing go", async () => {
    const { lines, record, passTime } = openConsole();
    record([START, prompt]);
    await passTime();
    record([{ ...END, interception_id: "01a20846-fe00-7abc-8def-000000000000" }]);
    await passTime();
    expect(fallen(lines).map(({ record_type }) => record_type)).toEqual([
      "interception_start",
      "interception_end",
    ]);
  });

  it("of more than five hundred such, the rest waits no longer", async () => {
    const { lines, record, passTime } = openConsole({ required: true });
    for (let n = 0; n < 501; n += 1)
      record([
        { ...START, interception_id: `${n}` },
        { ...prompt, interception_id: `${n}` },
      ]);
    await passTime();
    expect(fallen(lines).filter(({ record_type }) => record_type === "prompt_usage")).toEqual([
      { ...prompt, interception_id: "500" },
    ]);
  });
});
