/**
 * The attack (N6): clients that request large responses and never read them. While the observer of a response ran ahead of its
 * client, each such client cost up to `observe_bytes` (8 MiB) of the isolate's 128 MB, and no bound covered all of them. Now
 * the observer keeps step with the client: a client costs the blocks that are on their way to it, then the provider waits.
 * Of the clients that do not read, an isolate serves 64; the text that is held for parsing has a bound of its own.
 *
 * Linux reports how many bytes each socket holds (`/proc/net/tcp`). Bytes that the provider has sent, and that neither a
 * socket nor the client has, are in the interceptor or on their way through the kernel: 330 to 480 KiB for each client even
 * if nothing is observed. So the test compares with a passthrough in the same run. On other systems there is no such report,
 * so the test needs Linux.
 */
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { LOOK_MS } from "../../src/gateway/observation/idle-timeout.ts";
import { MAX_UNREAD_CLIENTS } from "../../src/gateway/observation/unread-clients.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import * as respond from "../support/response-steps.ts";
import type { Step } from "../support/response-steps.ts";
import { toBytes } from "../support/wire.ts";
import {
  exchange,
  interceptorOptions,
  openUnread,
  startCheckedInterceptor,
  uniqueModel,
  type Call,
} from "./exchange.ts";

const CLIENTS = 40;
const KIB = 1024;
/** An observer polls at least once a second. */
const OBSERVED_MS = 5000;
const TARGET = "/openai/v1/chat/completions";
/** Passed through: its response is the provider's own body. */
const PASSTHROUGH = "/openai/v1/files";

const upstream = await startFakeUpstream();
afterEach(() => upstream.clear());
afterAll(() => upstream.close());

const interceptor = await startCheckedInterceptor(interceptorOptions(upstream.url));

type Flood = {
  readonly name: string;
  readonly type: string;
  readonly start: string;
  readonly piece: string;
  readonly fields: object;
  /** A burst, and then slow events, come before the pieces. */
  readonly slowsDown?: boolean;
};

const WITH_USAGE = { stream: true, stream_options: { include_usage: true } };
const EVENT = respond.event({ choices: [{ index: 0, delta: { content: "x".repeat(16 * KIB) } }] });
const SMALL_EVENT = respond.event({ choices: [{ index: 0, delta: { content: "x" } }] });
const FLOODS: readonly Flood[] = [
  { name: "an event stream", type: "text/event-stream", start: "", piece: EVENT, fields: WITH_USAGE },
  {
    name: "a JSON body",
    type: "application/json",
    start: '{"x":"',
    piece: "x".repeat(16 * KIB),
    fields: {},
  },
  {
    name: "an event stream without its usage event",
    type: "text/event-stream",
    start: "",
    piece: EVENT,
    fields: { stream: true },
  },
];
/** No event ends the start that the gateway holds. */
const COMMENTS = { type: "text/event-stream", start: "", piece: ": ping\n\n".repeat(2 * KIB) };
const MORE_FLOODS: readonly Flood[] = [
  {
    name: "an event stream that was slow after a burst",
    type: "text/event-stream",
    start: "",
    piece: EVENT,
    fields: WITH_USAGE,
    slowsDown: true,
  },
  { ...COMMENTS, name: "comments", fields: WITH_USAGE },
  { ...COMMENTS, name: "comments, with the usage event removed", fields: { stream: true } },
];

/** From a burst on, the observer reads ahead of the client; from the slow events on, it no longer does. */
const slowDown: Step = async (wire) => {
  for (let at = 0; at < 200; at += 1) await wire.body(SMALL_EVENT);
  for (let at = 0; at < 40; at += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await wire.body(SMALL_EVENT);
  }
};

const portOf = (address = ""): number => Number.parseInt(address.split(":")[1] ?? "", 16);

/** Bytes in the queues of all sockets of this machine with one of these ports on either side. */
function bytesInSockets(ports: readonly number[]): number {
  const wanted = new Set(ports);
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) =>
    readFileSync(path, "utf8").split("\n").slice(1),
  );
  const queued = tables.map((line) => {
    const [, local, remote, , queues = ""] = line.trim().split(/\s+/);
    if (!wanted.has(portOf(local)) && !wanted.has(portOf(remote))) return 0;
    const [sending = "", received = ""] = queues.split(":");
    return Number.parseInt(sending, 16) + Number.parseInt(received, 16);
  });
  return queued.reduce((sum, bytes) => sum + bytes, 0);
}

const callOf = (model: string, fields: object, target = TARGET): Call => ({
  target,
  body: { model, messages: [{ role: "user", content: "q" }], ...fields },
});

type UnreadFlood = {
  readonly models: readonly string[];
  readonly responses: readonly IncomingMessage[];
  /** Bytes that the interceptor has taken from the provider, for all clients. */
  readonly taken: () => number;
};

/** Clients that request an endless response and do not read it. */
async function openFlood(flood: Flood, clients: number, target = TARGET): Promise<UnreadFlood> {
  const piece = toBytes(flood.piece);
  let taken = 0;
  const pieces: Step = async (wire) => {
    let isGone = false;
    void wire.gone.then(() => (isGone = true));
    while (!isGone) {
      await wire.body(piece);
      taken += piece.length;
      // A write to a closed connection settles at once: without a turn of the event loop, `gone` would never be seen.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const plan = [
    respond.head({ headers: [["Content-Type", flood.type]] }),
    ...(flood.start === "" ? [] : [respond.body(flood.start)]),
    ...(flood.slowsDown ? [slowDown] : []),
    pieces,
  ];
  upstream.respondWith((request) => (request.text().includes('"other"') ? respond.json(200, {}) : plan));
  const models = Array.from({ length: clients }, uniqueModel);
  const responses = await Promise.all(
    models.map(async (model) => {
      const response = await openUnread(interceptor.port, callOf(model, flood.fields, target));
      response.pause();
      return response;
    }),
  );
  return { models, responses, taken: () => taken };
}

type UnreadBytes = {
  /** Bytes for each client that the provider has sent, that no socket holds and that the client has not received. */
  readonly held: number;
  /** How much `held` grew while the clients were observed. */
  readonly growth: number;
  readonly models: readonly string[];
};

async function heldForUnread(flood: Flood, target: string): Promise<UnreadBytes> {
  const { models, responses, taken } = await openFlood(flood, CLIENTS, target);
  const held = (): number => {
    const received = responses.reduce((sum, { socket }) => sum + socket.bytesRead, 0);
    return (taken() - received - bytesInSockets([upstream.port, interceptor.port])) / CLIENTS;
  };
  // Until nothing more is taken during 40 other exchanges.
  let last = -1;
  for (let unchanged = 0; unchanged < 40;) {
    await exchange(interceptor.port, callOf("other", {}));
    unchanged = last > 0 && taken() === last ? unchanged + 1 : 0;
    last = taken();
  }
  const atFirst = held();
  await new Promise((resolve) => setTimeout(resolve, OBSERVED_MS));
  const atLast = held();
  for (const { socket } of responses) socket.resetAndDestroy();
  await upstream.waitForAllClosed();
  return { held: atLast, growth: atLast - atFirst, models };
}

const inKib = (bytes: number): string => `${(bytes / KIB).toFixed(0)} KiB`;

const hasEnd = (events: readonly InterceptorEvent[], model: string): boolean =>
  events.some((event) => event.record_type === "interception_end" && event.model === model);

// The attack: forty clients request responses of megabytes and read nothing. They cost 175 to 280 MB together.
describe("Finding N6: clients that never read", () => {
  it.skipIf(process.platform !== "linux").each([...FLOODS, ...MORE_FLOODS])(
    "G24 bounds what 40 clients cost that read nothing of $name",
    async (flood) => {
      const passed = await heldForUnread(flood, PASSTHROUGH);
      const { held, growth, models } = await heldForUnread(flood, TARGET);
      console.log(
        `G24 ${flood.name}: ${inKib(held)} are held for each client, ${inKib(passed.held)} if passed through`,
      );
      for (const model of models)
        expect((await interceptor.recorded(model)).end).toMatchObject({ outcome: "cancelled" });
      // An observer that ran ahead took 140 KB more each second, up to its 8 MiB.
      expect(growth).toBeLessThan(100 * KIB);
      expect(held - passed.held).toBeLessThan(400 * KIB);
    },
  );

  it.each(FLOODS)(
    "G24 disconnects the clients past the bound of the isolate that read nothing of $name, and no others",
    async (flood) => {
      const excess = 8;
      const { models, responses } = await openFlood(flood, MAX_UNREAD_CLIENTS + excess);
      const ended = (events: readonly InterceptorEvent[]): readonly string[] =>
        models.filter((model) => hasEnd(events, model));
      await expect
        .poll(() => ended(interceptor.events()).length, { timeout: 120_000 })
        .toBeGreaterThanOrEqual(excess);
      // A further look at each client disconnects no other one.
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const disconnected = ended(interceptor.events());
      expect(disconnected).toHaveLength(excess);
      for (const { socket } of responses) socket.resetAndDestroy();
      for (const model of models)
        expect((await interceptor.recorded(model)).end).toMatchObject({ outcome: "cancelled" });
    },
  );
});
