/**
 * The request's context lives as long as its response, for each way of observing a response.
 *
 * workerd releases the context of a request whose handler returns a native body: the provider's own, or a branch of its
 * `tee()` ("deferred proxying"; workerd's worker-entrypoint.c++, cloudflare/workerd#6151). On Cloudflare's network the
 * thirty seconds of `waitUntil` then begin in mid-stream, and longer streams lose their end event. No local runtime enforces
 * the thirty seconds, but `request.signal` shows the same: without a context it never fires, and the provider's response is
 * read to its end for a client that has left. So each case disconnects in mid-stream and expects the signal.
 */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { workerdConfig } from "../support/capnp.ts";
import { until } from "../support/deadline.ts";
import { startFakeUpstream, upstreamClosed } from "../support/fake-upstream.ts";
import * as respond from "../support/response-steps.ts";
import type { Step } from "../support/response-steps.ts";
import { startWorkerd } from "../support/workerd.ts";
import { supportedDate } from "../support/workerd-build.ts";
import type { HeaderPair } from "../support/wire.ts";
import { interceptorOptions, send, startCheckedInterceptor, uniqueModel, waitForBody } from "./exchange.ts";

const upstream = await startFakeUpstream();
afterEach(() => upstream.clear());
afterAll(() => upstream.close());

const standard = await startCheckedInterceptor(interceptorOptions(upstream.url));
const limited = await startCheckedInterceptor(interceptorOptions(upstream.url, { observe_bytes: 50 }));

const TARGET = "/openai/v1/chat/completions";
const messages = [{ role: "user", content: "q" }];
const EVENT = respond.event({ id: "c", model: "m", choices: [{ index: 0, delta: { content: "x" } }] });
/** So many that the provider is still sending when the disconnect has been noticed. */
const PIECES = 3000;

type Case = {
  readonly name: string;
  readonly type: string;
  readonly fields?: object;
  readonly piece: string;
  /** Declares the length of the body. */
  readonly hasLength?: boolean;
  /** `LIMITS.observe_bytes` is below the first piece. */
  readonly isPastHeld?: boolean;
};

const EVENT_STREAM = "text/event-stream";
const WITH_USAGE = { stream: true, stream_options: { include_usage: true } };
const WAYS: readonly Case[] = [
  { name: "a coalesced stream", type: EVENT_STREAM, fields: { stream: true }, piece: EVENT },
  { name: "a teed stream", type: EVENT_STREAM, fields: WITH_USAGE, piece: EVENT },
  {
    name: "a teed stream of declared length",
    type: EVENT_STREAM,
    fields: WITH_USAGE,
    piece: EVENT,
    hasLength: true,
  },
  { name: "teed JSON", type: "application/json", piece: " ".repeat(100) },
  { name: "teed JSON of declared length", type: "application/json", piece: " ".repeat(100), hasLength: true },
  {
    name: "teed JSON past the bytes that are held",
    type: "application/json",
    piece: " ".repeat(100),
    isPastHeld: true,
  },
  { name: "an opaque body", type: "audio/mpeg", piece: "y".repeat(100) },
];

type Sending = { readonly steps: readonly Step[]; readonly sent: () => number };

/** Sends the pieces, each in its turn of the event loop, until all are sent or the peer has disconnected. */
function sendPieces({ type, piece, hasLength = false }: Omit<Case, "name">): Sending {
  let sent = 0;
  const length: HeaderPair[] = hasLength ? [["Content-Length", String(PIECES * piece.length)]] : [];
  const headers: HeaderPair[] = [["Content-Type", type], ...length];
  const pieces: Step = async (wire) => {
    let isGone = false;
    void wire.gone.then(() => (isGone = true));
    while (sent < PIECES && !isGone) {
      await wire.body(piece);
      sent += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const framing = hasLength ? "content-length" : "chunked";
  return { steps: [respond.head({ headers, framing }), pieces, respond.finish()], sent: () => sent };
}

describe("a client that resets its connection in mid-stream", () => {
  it.each(WAYS)(
    "fires the signal and closes the upstream: $name",
    async ({ fields = {}, isPastHeld, ...way }) => {
      const interceptor = isPastHeld ? limited : standard;
      const sending = sendPieces(way);
      upstream.respondWith(sending.steps);
      const model = uniqueModel();
      const connection = await send(interceptor.port, {
        target: TARGET,
        body: { model, messages, ...fields },
      });
      await waitForBody(connection, way.piece);
      connection.abort();
      const { end } = await interceptor.recorded(model);
      const observation = isPastHeld ? "truncated" : "complete";
      expect(end).toMatchObject({ outcome: "cancelled", status: 200, observation });
      await upstreamClosed(await upstream.waitForCompleteRequest());
      expect(sending.sent()).toBeLessThan(PIECES);
    },
  );

  it("fires the signal and closes the upstream while a body is buffered", async () => {
    upstream.respondWith([
      respond.head({
        headers: [
          ["Content-Type", "application/json"],
          ["Content-Length", "70"],
        ],
        framing: "content-length",
      }),
      respond.body('{"id":'),
      respond.hang(),
    ]);
    const model = uniqueModel();
    const connection = await send(standard.port, { target: TARGET, body: { model, messages } });
    const request = await upstream.waitForCompleteRequest();
    connection.abort();
    expect((await standard.recorded(model)).end).toMatchObject({ outcome: "cancelled" });
    await upstreamClosed(request);
  });

  it("changes nothing where the buffered body has broken off: the end was recorded before the client's headers", async () => {
    upstream.respondWith(respond.truncated(200, '{"id":', 64));
    const model = uniqueModel();
    const connection = await send(standard.port, { target: TARGET, body: { model, messages } });
    await waitForBody(connection, '{"id":');
    connection.abort();
    expect((await standard.recorded(model)).end).toMatchObject({ outcome: "truncated", status: 200 });
    await upstreamClosed(await upstream.waitForCompleteRequest());
  });
});

/** A Worker that returns a branch of the provider's tee, as `observeTee` must not. `WRAPPED` puts a stream of the isolate between. */
const CONTROL = `export default {
  async fetch(request, env, context) {
    const abort = new AbortController();
    request.signal.addEventListener("abort", () => {
      console.log("signal");
      abort.abort();
    });
    const response = await fetch(env.UPSTREAM, { signal: abort.signal });
    const [toClient, observed] = response.body.tee();
    context.waitUntil(
      (async () => {
        for await (const _ of observed);
      })().then(
        () => console.log("read to the end"),
        () => console.log("broken off"),
      ),
    );
    if (!env.WRAPPED) return new Response(toClient, response);
    const through = new IdentityTransformStream();
    context.waitUntil(toClient.pipeTo(through.writable).catch(() => {}));
    return new Response(through.readable, response);
  },
};`;

describe("a Worker that observes by a tee", () => {
  it.each([
    {
      returns: "a branch of the provider's tee",
      wrapped: "",
      prints: ["read to the end"],
      isReadToEnd: true,
    },
    {
      returns: "a stream of the isolate",
      wrapped: "yes",
      prints: ["signal", "broken off"],
      isReadToEnd: false,
    },
  ])("a Worker that returns $returns prints $prints", async ({ wrapped, prints, isReadToEnd }) => {
    const sending = sendPieces({ type: EVENT_STREAM, piece: EVENT });
    upstream.respondWith(sending.steps);
    const lines: string[] = [];
    const config = workerdConfig({
      workers: [
        {
          name: "control",
          module: { source: CONTROL },
          compatibilityDate: supportedDate("2026-10-01"),
          compatibilityFlags: ["enable_request_signal"],
          bindings: { UPSTREAM: { text: upstream.url }, WRAPPED: { text: wrapped } },
        },
      ],
      sockets: { http: "control" },
      structuredLogging: false,
    });
    const control = await startWorkerd({
      config,
      sockets: { http: undefined },
      output: (line) => lines.push(line),
    });
    try {
      const connection = await send(control.port("http"), { target: "/" });
      await waitForBody(connection, EVENT);
      connection.abort();
      const isPrinted = () => lines.some((line) => line === prints.at(-1));
      await until(
        () => isPrinted() || undefined,
        () => lines.join("\n"),
      );
      expect(lines.filter((line) => ["signal", "broken off", "read to the end"].includes(line))).toEqual(
        prints,
      );
      expect(sending.sent() === PIECES).toBe(isReadToEnd);
    } finally {
      await control.stop();
    }
  });
});
