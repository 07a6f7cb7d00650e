/** Request bodies that arrive slowly or not at all, over raw connections. */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { until } from "../support/deadline.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import { openRaw, type RawConnection } from "../support/raw-client.ts";
import * as respond from "../support/response-steps.ts";
import type { HeaderPair } from "../support/wire.ts";
import { credentials, exchange, interceptorOptions, receive, startCheckedInterceptor } from "./exchange.ts";

const MIB = 1024 * 1024;
const CHAT = "/openai/v1/chat/completions";
const MESSAGES = "/anthropic/v1/messages";
const FILES = "/openai/v1/files";

const upstream = await startFakeUpstream();
afterEach(() => upstream.clear());
afterAll(() => upstream.close());

const OK = respond.json(200, { id: "x" });
const GRACE_MS = 1500;

/** A client may fall 1.5 s behind 256 KiB per second. */
const strict = await startCheckedInterceptor(
  interceptorOptions(upstream.url, {
    body_bytes: 16 * MIB,
    upload_bytes: 100 * MIB,
    bodies_bytes: 32 * MIB,
    body_ms: GRACE_MS,
    body_min_rate: MIB / 4,
    headers_ms: 1000,
  }),
);

async function sendHead(target: string, framing: HeaderPair): Promise<RawConnection> {
  const connection = await openRaw(strict.port);
  const lines = [...credentials(target), framing].map(([name, value]) => `${name}: ${value}\r\n`);
  connection.write(`POST ${target} HTTP/1.1\r\nHost: x\r\n${lines.join("")}\r\n`);
  return connection;
}

const declared = (bytes: number): HeaderPair => ["Content-Length", String(bytes)];
const CHUNKED: HeaderPair = ["Transfer-Encoding", "chunked"];

/** The events recorded since the last test, once there are `count`: refusals by their reason, others by their type. */
async function recorded(count: number): Promise<Record<string, number>> {
  const events = await strict.waitForEvents((all) => all.length >= count);
  const counts: Record<string, number> = {};
  for (const event of events) {
    const reason = "reason" in event ? event.reason : event.record_type;
    counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return counts;
}

/** A passthrough has begun by then. */
const timedOut = (target: string): Record<string, number> =>
  target === FILES ? { passthrough_start: 1, passthrough: 1, body_timeout: 1 } : { body_timeout: 1 };

const isRefusal = (event: InterceptorEvent): boolean => event.record_type === "refusal";

// The attack: connections that announce a body, send most of it and stop, to hold memory for as long as they like.
describe("Finding N2: a client that stops sending its body", () => {
  it.each([
    ["nothing of a small body", CHAT, declared(100), 0],
    ["nothing of a large body", MESSAGES, declared(8 * MIB), 0],
    ["most of a large body", CHAT, declared(2 * MIB), MIB],
    ["a part of a chunked body", MESSAGES, CHUNKED, MIB],
    ["a part of a chunked upload", FILES, CHUNKED, MIB],
    ["nothing of a small upload", FILES, declared(100), 0],
    ["a part of a large upload", FILES, declared(30 * MIB), MIB],
  ] as const)(
    "F12 gets a complete 408 and a closed connection after it sent %s",
    async (_, target, framing, sent) => {
      const connection = await sendHead(target, framing);
      const bytes = new Uint8Array(sent).fill(0x20);
      if (framing === CHUNKED) connection.writeChunk(bytes);
      else connection.write(bytes);
      const response = await receive(connection);
      expect([response.status, response.complete]).toEqual([408, true]);
      expect(response.values("x-interceptor-error")).toEqual(["body_timeout"]);
      expect(await recorded(target === FILES ? 3 : 1)).toEqual(timedOut(target));
      const body = JSON.parse(response.text()) as { type?: string };
      expect(body.type).toBe(target === MESSAGES ? "error" : undefined);
      // The provider's connection does not outlive the client's.
      const open = () => upstream.requests.filter(({ closedAt }) => closedAt === null).length;
      await until(
        () => open() === 0 || undefined,
        () => "a request to the provider stayed open",
      );
      expect(upstream.requests.filter(({ bodyComplete }) => bodyComplete)).toEqual([]);
    },
  );

  it.each([CHAT, FILES])("F12 gets the 408 also while it sends a byte now and then: %s", async (target) => {
    const connection = await sendHead(target, declared(8 * MIB));
    const trickle = setInterval(() => connection.write(" "), 20);
    try {
      const response = await receive(connection);
      expect([response.status, response.complete]).toEqual([408, true]);
    } finally {
      clearInterval(trickle);
    }
    expect(await recorded(target === FILES ? 3 : 1)).toEqual(timedOut(target));
  });

  // The attack: sixteen connections announce 8 MiB, send all but one, and stop. They held
  // their bytes as long as they liked, and the log had no line about them.
  it("F13 does not keep others out, sixteen of them with 7 MiB each, and each is refused and recorded", async () => {
    upstream.respondWith(OK);
    const bytes = new Uint8Array(7 * MIB).fill(0x20);
    const attackers = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const connection = await sendHead(CHAT, declared(8 * MIB));
        connection.write(bytes);
        return connection;
      }),
    );
    const honest = async () => (await exchange(strict.port, { target: CHAT, body: { model: "m" } })).status;
    expect(await honest()).toBe(200);
    const responses = await Promise.all(attackers.map((connection) => receive(connection)));
    for (const { status, values } of responses) {
      // workerd closes a connection that still brings much of a refused body. The reset may overtake the response.
      expect([0, 408, 503]).toContain(status);
      expect(values("retry-after")).toEqual(status === 503 ? ["2"] : []);
    }
    expect(await honest()).toBe(200);
    const events = await strict.waitForEvents((all) => all.filter(isRefusal).length >= 16);
    const reasons = events.flatMap((event) => (event.record_type === "refusal" ? event.reason : []));
    expect(reasons.length).toBe(16);
    // Large bodies share 24 MiB, so at most three of these connections find room for all 8 MiB of their buffers.
    expect(reasons.filter((reason) => reason === "gateway_busy").length).toBeGreaterThanOrEqual(13);
    expect(new Set(reasons)).toEqual(new Set(["gateway_busy", "body_timeout"]));
  });
});

describe("a client that sends slowly and keeps the minimum rate", () => {
  it.each([
    ["a model call", CHAT, false],
    ["a chunked model call", CHAT, true],
    ["an upload", FILES, false],
  ] as const)(
    "F12 may take longer than the grace and the deadline for headers: %s",
    async (_, target, isChunked) => {
      upstream.respondWith(OK);
      const start = Date.now();
      const head = '{"model":"slow","messages":[]';
      const size = 4 * MIB;
      const connection = await sendHead(target, isChunked ? CHUNKED : declared(size));
      const write = (bytes: string): void =>
        isChunked ? connection.writeChunk(bytes) : connection.write(bytes);
      write(head);
      // At twice the minimum rate the body takes eight seconds.
      const piece = " ".repeat(MIB / 16);
      const pieces = (size - head.length - 1) / piece.length;
      for (let at = 0; at + 1 < pieces; at += 1) {
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, start + (at + 1) * 125 - Date.now())));
        write(piece);
      }
      write(" ".repeat(size - head.length - 1 - Math.floor(pieces) * piece.length));
      write("}");
      if (isChunked) connection.writeChunk("");
      const response = await receive(connection);
      expect(response.status).toBe(200);
      expect(Date.now() - start).toBeGreaterThan(2 * GRACE_MS);
      expect(upstream.requests.map((request) => request.body().length)).toEqual([size]);
    },
  );
});
