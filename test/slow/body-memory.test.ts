/** Resident memory of plain workerd while clients send most of a request body and stop (N2 of the security review). */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { until } from "../support/deadline.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import { startInterceptor } from "../support/interceptor.ts";
import { openRaw, type RawConnection } from "../support/raw-client.ts";
import { json } from "../support/response-steps.ts";
import { credentials, exchange, interceptorOptions } from "../sockets/exchange.ts";

const MIB = 1024 * 1024;
const CONNECTIONS = 16;
const CHAT = "/openai/v1/chat/completions";
const FILES = "/openai/v1/files";

const upstream = await startFakeUpstream();
afterAll(() => upstream.close());

const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

async function attack(port: number, target: string, announced: number): Promise<RawConnection> {
  const connection = await openRaw(port);
  const lines = credentials(target).map(([name, value]) => `${name}: ${value}\r\n`);
  connection.write(
    `POST ${target} HTTP/1.1\r\nHost: x\r\n${lines.join("")}Content-Length: ${announced}\r\n\r\n`,
  );
  connection.write(Buffer.alloc(announced - MIB, " "));
  return connection;
}

describe.skipIf(process.platform !== "linux")(
  "the memory of sixteen clients that stop one MiB before the end",
  () => {
    // Before there was a deadline and a bound over the sum: 545 MB, for as long as the clients liked.
    it.each([
      ["model calls of 8 MiB", CHAT, 8 * MIB],
      ["uploads of 30 MiB", FILES, 30 * MIB],
    ] as const)("stays bounded, and each connection is closed: %s", async (what, target, announced) => {
      const gateway = await startInterceptor(interceptorOptions(upstream.url, { body_ms: 5000 }));
      let peak = 0;
      const sampler = setInterval(() => {
        peak = Math.max(peak, residentBytes(gateway.pid));
      }, 20);
      try {
        upstream.respondWith(json(200, { id: "x" }));
        const small = { target: CHAT, body: { model: "small" } };
        expect((await exchange(gateway.port, small)).status).toBe(200);
        const before = residentBytes(gateway.pid);
        const connections = await Promise.all(
          Array.from({ length: CONNECTIONS }, () => attack(gateway.port, target, announced)),
        );
        // Others are served meanwhile.
        expect((await exchange(gateway.port, small)).status).toBe(200);
        await Promise.all(connections.map(({ closed }) => closed));
        const refused = () => gateway.events().filter(({ record_type: type }) => type === "refusal");
        await until(
          () => refused().length === CONNECTIONS || undefined,
          () => `${refused().length} refusals`,
        );
        const growth = (peak - before) / MIB;
        console.log(`${what}: resident memory grew by ${growth.toFixed(0)} MiB at most`);
        expect(growth).toBeLessThan(100);
      } finally {
        clearInterval(sampler);
        await gateway.close();
      }
    });
  },
);
