/** What was said, through the whole app: in no record unless it is asked for, and then without its secrets. */
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { analyticsEngineSink } from "../../../src/gateway/sinks/analytics-engine.ts";
import { logSink, toLine } from "../../../src/gateway/sinks/log.ts";
import { StrictAnalytics } from "../../support/strict-analytics.ts";
import { CONTENT, openGateway, type Gateway } from "../../support/in-workerd/gateway-harness.ts";
import { CHAT, chatResponse, json, only, post } from "../../support/in-workerd/calls.ts";
import { CONTENT_SAMPLES, type ContentSample } from "../../support/in-workerd/content-samples.ts";

type Told = keyof typeof CONTENT;

/** Each switch, and what it lets into the records. */
const SWITCHES: readonly (readonly [key: string, tells: readonly Told[]])[] = [
  ["prompts", ["prompt"]],
  ["tool_inputs", ["toolInput", "toolError"]],
  ["thoughts", ["thought"]],
  ["error_messages", ["errorMessage"]],
];
const ALL_ON = Object.fromEntries(SWITCHES.map(([key]) => [key, true]));

type Records = { readonly events: readonly InterceptorEvent[]; readonly texts: readonly string[] };

/**
 * The records of one exchange with these switches: its events, what the log prints of them and what goes to Analytics
 * Engine. The house itself fails where anything but `tells` is told (see `app-harness.ts`).
 */
async function recordsOf(
  { path, body, response }: ContentSample,
  RECORDING: Record<string, unknown>,
  tells: readonly Told[] = [],
): Promise<Records & { points: string }> {
  const lines: string[] = [];
  const set = new StrictAnalytics();
  const house = await openGateway({
    vars: { RECORDING },
    provider: response,
    allowedContent: tells.map((told) => CONTENT[told]),
    sinks: [logSink((line) => void lines.push(line)), analyticsEngineSink(set, set)],
  });
  const { events } = await house.exchange(path, post(body));
  expect(house.operatorErrors).toEqual([]);
  return {
    events,
    texts: [...events.map((event) => JSON.stringify(event)), ...lines],
    points: JSON.stringify(set.points),
  };
}

const toldIn = (text: string): Told[] =>
  (Object.keys(CONTENT) as Told[]).filter((told) => text.includes(CONTENT[told]));

describe.each(CONTENT_SAMPLES.map((one) => [one.name, one] as const))("%s", (_, one) => {
  it("H11 by default nothing of what was said is in any record", async () => {
    const { texts, points } = await recordsOf(one, {});
    expect([...texts, points].join("\n")).not.toMatch(/CANARY|SECRET/);
  });

  it.each(SWITCHES)("with %s what it is for is recorded, nothing else, and no secret", async (key, tells) => {
    const { events, texts, points } = await recordsOf(one, { [key]: true }, tells);
    const all = texts.join("\n");
    expect(toldIn(all).toSorted()).toEqual(one.recordable.filter((told) => tells.includes(told)).toSorted());
    expect(all).not.toContain("SECRET");
    for (const told of toldIn(all)) expect(all).toContain(`${CONTENT[told]} [redacted:provider_key]`);
    expect(points).not.toMatch(/CANARY|SECRET/);
    expect(events.some(({ record_type }) => record_type === "interception_end")).toBe(true);
  });

  it("with everything on all that can be is recorded: never a tool's result, an answer or a system prompt", async () => {
    const { texts, points } = await recordsOf(
      one,
      ALL_ON,
      SWITCHES.flatMap(([, tells]) => tells),
    );
    expect(toldIn(texts.join("\n")).toSorted()).toEqual(one.recordable.toSorted());
    expect(texts.join("\n")).not.toContain("SECRET");
    expect(points).not.toMatch(/CANARY|SECRET/);
  });

  it("what is not content is recorded the same, whatever is switched on", async () => {
    const quiet = await recordsOf(one, {});
    const loud = await recordsOf(
      one,
      ALL_ON,
      SWITCHES.flatMap(([, tells]) => tells),
    );
    const content = new Set(["prompt", "input", "invocation_error", "content", "error_message"]);
    const without = ({ events }: Records): unknown =>
      events
        .filter(({ record_type }) => record_type !== "prompt_usage" && record_type !== "model_thought")
        .map((event) => Object.fromEntries(Object.entries(event).filter(([key]) => !content.has(key))));
    expect(without(loud)).toEqual(without(quiet));
  });
});

describe("every kind of content", () => {
  it("is said in some exchange above", () => {
    const said = new Set(CONTENT_SAMPLES.flatMap(({ recordable }) => recordable));
    expect(SWITCHES.flatMap(([, tells]) => tells).filter((told) => !said.has(told))).toEqual([]);
  });
});

describe("the operator's own forms", () => {
  it("are taken out of every kind of content", async () => {
    const RECORDING = { ...ALL_ON, redact: ["CANARY-[a-z-]+"] };
    for (const one of CONTENT_SAMPLES) {
      const { texts } = await recordsOf(one, RECORDING);
      expect(texts.join("\n")).toContain("[redacted:pattern] [redacted:provider_key]");
    }
  });
});

const prompt = (content: string): RequestInit =>
  post(JSON.stringify({ model: "m", messages: [{ role: "user", content }] }));

async function recording(RECORDING: Record<string, unknown>, answer = chatResponse): Promise<Gateway> {
  return openGateway({ vars: { RECORDING }, provider: answer });
}

describe("a prompt as it is recorded", () => {
  it("is the last thing the user said, with the request's own time, though the answer takes its time", async () => {
    const house: Gateway = await openGateway({
      vars: { RECORDING: { prompts: true } },
      provider: () => {
        house.clock.at += 5000;
        return chatResponse();
      },
    });
    const messages = [
      { role: "user", content: "first" },
      { role: "assistant", content: "answer" },
      { role: "user", content: [{ type: "text", text: "second" }] },
    ];
    const { events } = await house.exchange(CHAT, post(JSON.stringify({ model: "m", messages })));
    const start = only(events, "interception_start");
    expect(only(events, "prompt_usage")).toMatchObject({
      prompt: "second",
      truncated: false,
      created_at: start.started_at,
      initiator_id: start.initiator_id,
    });
  });

  it("is there though the provider is not: it was said all the same", async () => {
    const house = await recording({ prompts: true }, () => {
      throw new TypeError("down");
    });
    const { events } = await house.exchange(CHAT, prompt("Where?"));
    expect(only(events, "prompt_usage").prompt).toBe("Where?");
    expect(only(events, "interception_end").outcome).toBe("upstream_error");
  });

  it.each(["a\nb\r\nc", "\u001b[31mred\u009b0m", "a\u2028b\u2029c\u0085", '"}\n{"forged":true}', "🗼\ud800"])(
    "H10 %j is one line of the log, and says what was said",
    async (content) => {
      const { events } = await (await recording({ prompts: true })).exchange(CHAT, prompt(content));
      const event = only(events, "prompt_usage");
      expect(event.prompt).toBe(content);
      const line = toLine(event);
      // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
      expect(JSON.parse(line)).toMatchObject({ prompt: content });
    },
  );

  it("of a megabyte is its beginning, and says so", async () => {
    const { events } = await (
      await recording({ prompts: true })
    ).exchange(CHAT, prompt("x".repeat(1_000_000)));
    expect(only(events, "prompt_usage")).toMatchObject({ prompt: "x".repeat(16_384), truncated: true });
  });
});

describe("H9 a provider's message of 20 KB", () => {
  it.each([
    ["in words", "word ".repeat(4000)],
    ["of line ends and escapes", "\u001b\n\u2028".repeat(7000)],
    ["of one piece", "x".repeat(20_000)],
  ])("%s leaves the lines of the audit whole, and short", async (_, message) => {
    const house = await recording({ error_messages: true }, () =>
      json(JSON.stringify({ error: { type: "server_error", message } }), { status: 500 }),
    );
    const { events } = await house.exchange(CHAT, prompt("Where?"));
    const lines: string[] = [];
    void logSink((line) => void lines.push(line)).write(events);
    expect(lines.map((line) => (JSON.parse(line) as InterceptorEvent).record_type)).toEqual([
      "interception_start",
      "interception_end",
    ]);
    expect(lines.join("").length).toBeLessThan(16_384);
    expect(only(events, "interception_end")).toMatchObject({ error: "server_error", status: 500 });
  });
});
