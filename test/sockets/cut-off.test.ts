/**
 * An isolate that dies: the process of the production bundle is killed in the middle of a stream, or as soon as the log
 * has the end event after a client disconnect. Only events written by then survive. test/gateway/app/cut-off.test.ts
 * covers the moments at which a process cannot be killed reliably.
 */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { InterceptionEnd, InterceptorEvent } from "../../src/events/event.ts";
import * as respond from "../support/response-steps.ts";
import { until } from "../support/deadline.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import {
  startInterceptor,
  type InterceptorOptions,
  type RunningInterceptor,
} from "../support/interceptor.ts";
import { interceptorOptions, uniqueModel, waitForBody, PROMPT, receive, send } from "./exchange.ts";

const upstream = await startFakeUpstream();
const running: RunningInterceptor[] = [];
afterEach(async () => {
  for (const interceptor of running.splice(0)) await interceptor.close();
  upstream.clear();
});
afterAll(() => upstream.close());

const FIRST = respond.event({
  id: "chatcmpl-1",
  model: "gpt-9",
  choices: [{ index: 0, delta: { content: "Grüße" } }],
});
const OWNER = "7f3c2a10-1234-4abc-9def-000000000001";
const CHAT = "/openai/v1/chat/completions";

/** A stream that hangs after its first event has reached the client. */
async function openHangingStream(queue: InterceptorOptions["queue"], clientRequestsUsage: boolean) {
  upstream.respondWith(respond.sseSteps([respond.body(FIRST), respond.hang()]));
  const options: InterceptorOptions = { ...interceptorOptions(upstream.url), ...(queue && { queue }) };
  const interceptor = await startInterceptor(options);
  running.push(interceptor);
  const usage = clientRequestsUsage ? { stream_options: { include_usage: true } } : {};
  const connection = await send(interceptor.port, {
    target: CHAT,
    body: { model: uniqueModel(), stream: true, messages: [{ role: "user", content: PROMPT }], ...usage },
    headers: [
      ["User-Agent", "coder-agents/v2.30.0 (linux/amd64)"],
      ["X-Coder-Owner-Id", OWNER],
    ],
  });
  await waitForBody(connection, FIRST);
  return { interceptor, connection };
}

const typesOf = (events: readonly InterceptorEvent[]): string[] =>
  events.map(({ record_type }) => record_type);
const END = "interception_end";
const START_EVENTS = ["initiator_override", "interception_start"];

/** The gateway observes a copy of the stream if the client requests usage, else it removes the usage event itself. */
const OBSERVATION_MODES = [
  ["observed by tee", true],
  ["coalesced", false],
] as const;

describe("killed in the middle of a stream", () => {
  it.each(OBSERVATION_MODES)(
    "log and queue have the override and the start, no sink has an end, and the client response is truncated: %s",
    async (_, clientRequestsUsage) => {
      const { interceptor, connection } = await openHangingStream("taking", clientRequestsUsage);
      await until(
        () => interceptor.queued().length >= START_EVENTS.length || undefined,
        () => "the queue never received the start",
      );
      await interceptor.close();
      const { complete, text } = await receive(connection);
      expect([complete, text()]).toEqual([false, FIRST]);
      await upstream.waitForAllClosed();
      expect(typesOf(interceptor.events())).toEqual(START_EVENTS);
      expect(interceptor.queued()).toEqual(
        interceptor.events().map(({ message: _message, ...event }: Logged) => event),
      );
      expect(interceptor.points().map(({ dataset }) => dataset)).toEqual(["OVERRIDES"]);
    },
  );
});

/** A log line has `message` in addition to the event's fields. */
type Logged = InterceptorEvent & { readonly message?: string };

describe("killed as soon as the log has the end after a client disconnect", () => {
  it.each(OBSERVATION_MODES)(
    "log and Analytics Engine have the complete end although the queue hangs: %s",
    async (_, clientRequestsUsage) => {
      const { interceptor, connection } = await openHangingStream("hanging", clientRequestsUsage);
      connection.abort();
      const events = await interceptor.waitForEvents((all) =>
        all.some(({ record_type }) => record_type === END),
      );
      // Both are written in the same turn of the event loop, so the point is already printed or about to be.
      await until(
        () => interceptor.points("INTERCEPTIONS").length > 0 || undefined,
        () => "Analytics Engine never received the end",
      );
      await interceptor.close();
      const end = events.find((event): event is InterceptionEnd => event.record_type === END);
      expect(end).toMatchObject({
        outcome: "cancelled",
        status: 200,
        initiator_id: OWNER,
        response_bytes: bytesOf(FIRST),
      });
      expect(typesOf(interceptor.events()).filter((type) => type === END)).toHaveLength(1);
      expect(interceptor.points("INTERCEPTIONS")).toHaveLength(1);
      expect(interceptor.queued()).toEqual([]);
    },
  );

  it("the queue has the same events as the log if it accepts them", async () => {
    const { interceptor, connection } = await openHangingStream("taking", true);
    connection.abort();
    await until(
      () => typesOf(interceptor.queued()).includes(END) || undefined,
      () => "the queue never received the end",
    );
    await interceptor.close();
    expect(typesOf(interceptor.queued()).toSorted()).toEqual(typesOf(interceptor.events()).toSorted());
  });
});

const bytesOf = (text: string): number => Buffer.byteLength(text);
