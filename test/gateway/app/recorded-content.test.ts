/** Content of conversations through the whole app: recorded only where `RECORDING` turns it on, and without secrets. */
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { analyticsEngineSink } from "../../../src/gateway/sinks/analytics-engine.ts";
import { toEventLine } from "../../../src/events/log-line.ts";
import { logSink } from "../../../src/gateway/sinks/log.ts";
import { StrictAnalytics } from "../../support/strict-analytics.ts";
import { CONTENT, openGateway, type Gateway } from "../../support/in-workerd/gateway-harness.ts";
import { CHAT, chatResponse, json, only, post } from "../../support/in-workerd/calls.ts";
import { CONTENT_SAMPLES, type ContentSample } from "../../support/in-workerd/content-samples.ts";

type Content = keyof typeof CONTENT;

/** Each switch of `RECORDING`, and the content that it adds to the records. */
const SWITCHES: readonly (readonly [key: string, content: readonly Content[]])[] = [
  ["prompts", ["prompt"]],
  ["tool_inputs", ["toolInput", "toolError"]],
  ["thoughts", ["thought"]],
  ["error_messages", ["errorMessage"]],
];
const ALL_ON = Object.fromEntries(SWITCHES.map(([key]) => [key, true]));

type Records = { readonly events: readonly InterceptorEvent[]; readonly texts: readonly string[] };

/**
 * The records of one exchange with these switches: its events, the lines of the log sink and the Analytics Engine points.
 * The harness fails where a record contains other content than `allowed` (see `gateway-harness.ts`).
 */
async function recordsOf(
  { path, body, response }: ContentSample,
  RECORDING: Record<string, unknown>,
  allowed: readonly Content[] = [],
): Promise<Records & { points: string }> {
  const lines: string[] = [];
  const analytics = new StrictAnalytics();
  const gateway = await openGateway({
    vars: { RECORDING },
    provider: response,
    allowedContent: allowed.map((content) => CONTENT[content]),
    sinks: [logSink((line) => void lines.push(line)), analyticsEngineSink(analytics, analytics)],
  });
  const { events } = await gateway.exchange(path, post(body));
  expect(gateway.operatorErrors).toEqual([]);
  return {
    events,
    texts: [...events.map((event) => JSON.stringify(event)), ...lines],
    points: JSON.stringify(analytics.points),
  };
}

const contentIn = (text: string): Content[] =>
  (Object.keys(CONTENT) as Content[]).filter((content) => text.includes(CONTENT[content]));

describe.each(CONTENT_SAMPLES.map((sample) => [sample.name, sample] as const))(
  "content of %s",
  (_, sample) => {
    it("H11 is in no record by default", async () => {
      const { texts, points } = await recordsOf(sample, {});
      expect([...texts, points].join("\n")).not.toMatch(/CANARY|SECRET/);
    });

    it.each(SWITCHES)("%s records its own content only, without secrets", async (key, content) => {
      const { events, texts, points } = await recordsOf(sample, { [key]: true }, content);
      const all = texts.join("\n");
      expect(contentIn(all).toSorted()).toEqual(
        sample.recordable.filter((recordable) => content.includes(recordable)).toSorted(),
      );
      expect(all).not.toContain("SECRET");
      for (const recorded of contentIn(all))
        expect(all).toContain(`${CONTENT[recorded]} [redacted:provider_key]`);
      expect(points).not.toMatch(/CANARY|SECRET/);
      expect(events.some(({ record_type }) => record_type === "interception_end")).toBe(true);
    });

    it("is recorded with every switch on, except tool results, response texts and system prompts", async () => {
      const { texts, points } = await recordsOf(
        sample,
        ALL_ON,
        SWITCHES.flatMap(([, content]) => content),
      );
      expect(contentIn(texts.join("\n")).toSorted()).toEqual(sample.recordable.toSorted());
      expect(texts.join("\n")).not.toContain("SECRET");
      expect(points).not.toMatch(/CANARY|SECRET/);
    });

    it("does not affect the other fields, regardless of the switches", async () => {
      const off = await recordsOf(sample, {});
      const on = await recordsOf(
        sample,
        ALL_ON,
        SWITCHES.flatMap(([, content]) => content),
      );
      const contentFields = new Set([
        "prompt",
        "prompt_hashes",
        "earlier_prompt_hashes",
        "input",
        "invocation_error",
        "content",
        "error_message",
        // The switches are part of the configuration.
        "config_version",
      ]);
      const withoutContent = ({ events }: Records): unknown =>
        events
          .filter(({ record_type }) => record_type !== "prompt_usage" && record_type !== "model_thought")
          .map((event) =>
            Object.fromEntries(Object.entries(event).filter(([key]) => !contentFields.has(key))),
          );
      expect(withoutContent(on)).toEqual(withoutContent(off));
    });
  },
);

describe("every kind of content", () => {
  it("occurs in one of the samples", () => {
    const sampled = new Set(CONTENT_SAMPLES.flatMap(({ recordable }) => recordable));
    expect(SWITCHES.flatMap(([, content]) => content).filter((content) => !sampled.has(content))).toEqual([]);
  });
});

describe("the operator's redaction patterns", () => {
  it("are redacted from every kind of content", async () => {
    const RECORDING = { ...ALL_ON, redact: ["CANARY-[a-z-]+"] };
    for (const sample of CONTENT_SAMPLES) {
      const { texts } = await recordsOf(sample, RECORDING);
      expect(texts.join("\n")).toContain("[redacted:pattern] [redacted:provider_key]");
    }
  });
});

const prompt = (content: string): RequestInit =>
  post(JSON.stringify({ model: "m", messages: [{ role: "user", content }] }));

async function openRecording(RECORDING: Record<string, unknown>, provider = chatResponse): Promise<Gateway> {
  return openGateway({ vars: { RECORDING }, provider });
}

describe("a recorded prompt", () => {
  it("is the user's last message, with the request's time rather than the response's", async () => {
    const gateway: Gateway = await openGateway({
      vars: { RECORDING: { prompts: true } },
      provider: () => {
        gateway.clock.at += 5000;
        return chatResponse();
      },
    });
    const messages = [
      { role: "user", content: "first" },
      { role: "assistant", content: "reply" },
      { role: "user", content: [{ type: "text", text: "second" }] },
    ];
    const { events } = await gateway.exchange(CHAT, post(JSON.stringify({ model: "m", messages })));
    const start = only(events, "interception_start");
    expect(only(events, "prompt_usage")).toMatchObject({
      prompt: "second",
      truncated: false,
      created_at: start.started_at,
      initiator_id: start.initiator_id,
    });
  });

  it("is recorded although the provider is unreachable", async () => {
    const gateway = await openRecording({ prompts: true }, () => {
      throw new TypeError("down");
    });
    const { events } = await gateway.exchange(CHAT, prompt("Where?"));
    expect(only(events, "prompt_usage").prompt).toBe("Where?");
    expect(only(events, "interception_end").outcome).toBe("upstream_error");
  });

  it.each(["a\nb\r\nc", "\u001b[31mred\u009b0m", "a\u2028b\u2029c\u0085", '"}\n{"forged":true}', "🗼\ud800"])(
    "H10 %j is one log line and keeps its content",
    async (content) => {
      const { events } = await (await openRecording({ prompts: true })).exchange(CHAT, prompt(content));
      const event = only(events, "prompt_usage");
      expect(event.prompt).toBe(content);
      const line = toEventLine(event);
      // oxlint-disable-next-line no-control-regex -- the test looks for control characters
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
      expect(JSON.parse(line)).toMatchObject({ prompt: content });
    },
  );

  it("of 1 MB is truncated, and marked as such", async () => {
    const { events } = await (
      await openRecording({ prompts: true })
    ).exchange(CHAT, prompt("x".repeat(1_000_000)));
    expect(only(events, "prompt_usage")).toMatchObject({ prompt: "x".repeat(16_384), truncated: true });
  });
});

describe("H9 a provider's error message of 20 KB", () => {
  it.each([
    ["of words", "word ".repeat(4000)],
    ["of line ends and control characters", "\u001b\n\u2028".repeat(7000)],
    ["without spaces", "x".repeat(20_000)],
  ])("%s leaves the log lines of the start and the end complete and short", async (_, message) => {
    const gateway = await openRecording({ error_messages: true }, () =>
      json(JSON.stringify({ error: { type: "server_error", message } }), { status: 500 }),
    );
    const { events } = await gateway.exchange(CHAT, prompt("Where?"));
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
