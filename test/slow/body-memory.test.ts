/**
 * Resident memory of plain workerd while clients send most of a request body and stop (N2 of the security review).
 * Needs Linux, which reports the resident memory of a process in `/proc`.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { until } from "../support/deadline.ts";
import { startInterceptor } from "../support/interceptor.ts";
import { credentials, exchange, interceptorOptions } from "../sockets/exchange.ts";

const MIB = 1024 * 1024;
const CONNECTIONS = 16;
const CHAT = "/openai/v1/chat/completions";
const FILES = "/openai/v1/files";
const PIECE = Buffer.alloc(MIB, " ");

/** A provider that reads and drops each body. The fake upstream would keep half a gigabyte. */
const upstream = createServer((request, response) => {
  request.resume().once("end", () => response.setHeader("content-type", "application/json").end("{}"));
});
upstream.keepAliveTimeout = 0;
await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
const upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
afterAll(() => {
  upstream.closeAllConnections();
  upstream.close();
});

const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

/** The next event of the socket. Unlike `once` of node:events it does not reject where the connection is reset. */
const next = (socket: Socket, event: "connect" | "drain" | "close"): Promise<void> =>
  new Promise((resolve) => socket.once(event, () => resolve()));

/** Announces a body and sends all of it but one MiB, as fast as the gateway reads. Resolves when that is sent. */
async function attack(socket: Socket, target: string, announcedMib: number): Promise<void> {
  const lines = credentials(target).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = `Content-Length: ${announcedMib * MIB}\r\n`;
  socket.write(`POST ${target} HTTP/1.1\r\nHost: x\r\n${lines.join("")}${length}\r\n`);
  for (let sent = 1; sent < announcedMib && !socket.destroyed; sent += 1) {
    if (!socket.write(PIECE)) await Promise.race([next(socket, "drain"), next(socket, "close")]);
  }
}

async function openSocket(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await next(socket, "connect");
  // A refused connection that still sends may be reset.
  socket.on("error", () => undefined).resume();
  return socket;
}

describe.skipIf(process.platform !== "linux")(
  "the memory of sixteen clients that stop one MiB before the end",
  () => {
    // Before there was a deadline and a bound over the sum: 545 MB, for as long as the clients liked.
    it.each([
      // Measured: 64 to 108 MiB, and 119 to 125 MiB, most of it freed buffers that the process keeps.
      ["model calls of 8 MiB", CHAT, 8, 160],
      ["uploads of 30 MiB", FILES, 30, 232],
    ] as const)(
      "F12 stays bounded, and each connection is closed: %s",
      async (what, target, announcedMib, maxMib) => {
        const gateway = await startInterceptor(interceptorOptions(upstreamUrl, { body_ms: 5000 }));
        let peak = 0;
        const sampler = setInterval(() => {
          peak = Math.max(peak, residentBytes(gateway.pid));
        }, 20);
        try {
          const small = { target: CHAT, body: { model: "small" } };
          expect((await exchange(gateway.port, small)).status).toBe(200);
          const before = residentBytes(gateway.pid);
          const sockets = await Promise.all(
            Array.from({ length: CONNECTIONS }, () => openSocket(gateway.port)),
          );
          const closed = sockets.map((socket) => next(socket, "close"));
          await Promise.all(sockets.map((socket) => attack(socket, target, announcedMib)));
          // Others are served meanwhile.
          expect((await exchange(gateway.port, small)).status).toBe(200);
          await Promise.all(closed);
          const refused = () => gateway.events().filter(({ record_type: type }) => type === "refusal").length;
          await until(
            () => refused() === CONNECTIONS || undefined,
            () => `${refused()} refusals: ${JSON.stringify(gateway.events())}`,
          );
          const growth = (peak - before) / MIB;
          console.log(`${what}: resident memory grew by ${growth.toFixed(0)} MiB at most`);
          expect(growth).toBeLessThan(maxMib);
        } finally {
          clearInterval(sampler);
          await gateway.close();
        }
      },
    );
  },
);
