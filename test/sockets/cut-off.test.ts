/**
 * An isolate that dies: the process of the production bundle is killed in the middle of a stream, or as soon as the log
 * has the end of a client that has left. What is there by then is all there ever is. The moments that no process can be
 * caught in for certain are test/gateway/app/cut-off.test.ts's.
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

/** A stream whose first event has reached its client, and of which nothing more comes. */
async function inMidStream(queue: InterceptorOptions["queue"], asked: boolean) {
  upstream.respondWith(respond.sseSteps([respond.body(FIRST), respond.hang()]));
  const options: InterceptorOptions = { ...interceptorOptions(upstream.url), ...(queue && { queue }) };
  const interceptor = await startInterceptor(options);
  running.push(interceptor);
  const usage = asked ? { stream_options: { include_usage: true } } : {};
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
const BEGINNING = ["initiator_override", "interception_start"];

const WAYS = [
  ["watched beside", true],
  ["carried through", false],
] as const;

describe("killed in mid-stream", () => {
  it.each(WAYS)(
    "the log and the queue have who asked, for whom and for what; nothing has an end, and nobody a whole answer: %s",
    async (_, asked) => {
      const { interceptor, connection } = await inMidStream("taking", asked);
      await until(
        () => interceptor.queued().length >= BEGINNING.length || undefined,
        () => "the queue was never given the start",
      );
      await interceptor.close();
      const { complete: whole, text } = await receive(connection);
      expect([whole, text()]).toEqual([false, FIRST]);
      await upstream.waitForAllClosed();
      expect(typesOf(interceptor.events())).toEqual(BEGINNING);
      expect(interceptor.queued()).toEqual(
        interceptor.events().map(({ message: _message, ...event }: Logged) => event),
      );
      expect(interceptor.points().map(({ dataset }) => dataset)).toEqual(["OVERRIDES"]);
    },
  );
});

/** A line of the log has its message beside the event. */
type Logged = InterceptorEvent & { readonly message?: string };

describe("killed as soon as the log has the end of a client that has left", () => {
  it.each(WAYS)(
    "though the queue never answers, log and Analytics Engine have it whole: %s",
    async (_, asked) => {
      const { interceptor, connection } = await inMidStream("hanging", asked);
      connection.abort();
      const events = await interceptor.waitForEvents((all) =>
        all.some(({ record_type }) => record_type === END),
      );
      // Both are written in the same turn: what has been printed since is on its way to us.
      await until(
        () => interceptor.points("INTERCEPTIONS").length > 0 || undefined,
        () => "Analytics Engine never had the end",
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

  it("where the queue answers, it has what the log has", async () => {
    const { interceptor, connection } = await inMidStream("taking", true);
    connection.abort();
    await until(
      () => typesOf(interceptor.queued()).includes(END) || undefined,
      () => "the queue never had the end",
    );
    await interceptor.close();
    expect(typesOf(interceptor.queued()).toSorted()).toEqual(typesOf(interceptor.events()).toSorted());
  });
});

const bytesOf = (text: string): number => Buffer.byteLength(text);
