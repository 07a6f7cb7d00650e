/** Resident memory of plain workerd while a provider sends its response byte by byte. Needs Linux, as `body-memory`. */
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import { startInterceptor } from "../support/interceptor.ts";
import { residentBytes, samplePeak } from "../support/resident-memory.ts";
import { credentials, interceptorOptions } from "../sockets/exchange.ts";

const MIB = 1024 * 1024;

type Drip = { readonly bytes: number; readonly head: string; readonly unit: string; readonly tail: string };
let drip: Drip = { bytes: 0, head: "", unit: "", tail: "" };

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function respond(socket: Socket): Promise<void> {
  socket.write(drip.head);
  for (let at = 0; at < drip.bytes && !socket.destroyed; at += 1) {
    socket.write(drip.unit);
    await turn();
  }
  socket.write(drip.tail);
}

const upstream = createServer({ noDelay: true }, (socket) => {
  let head = "";
  socket.on("error", () => undefined);
  socket.on("data", (piece) => {
    head += piece.toString("latin1");
    if (!head.includes("\r\n\r\n")) return;
    head = "";
    void respond(socket);
  });
});
await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
afterAll(() => upstream.close());

const JSON_HEAD = "content-type: application/json\r\n";
const CHUNKED = { unit: "1\r\n \r\n", tail: "0\r\n\r\n" };

describe.skipIf(process.platform !== "linux")("a provider that sends single bytes", () => {
  // The attack: each byte arrived in a buffer of its own, of 4 or 16 KiB, and all were kept until the last one. 200,000 bytes
  // of an error took 781 MiB. Measured on an idle machine: 495 MiB and 353 MiB before, 145 MiB and 113 MiB now, most of it
  // garbage. A busy machine joins pieces, and both are less.
  it.each<readonly [string, number, string, Drip]>([
    [
      "an error response, read whole for the key that it may quote",
      250,
      "/openai-central/v1/chat/completions",
      {
        bytes: 100_000,
        head: `HTTP/1.1 400 Bad Request\r\n${JSON_HEAD}transfer-encoding: chunked\r\n\r\n`,
        ...CHUNKED,
      },
    ],
    [
      "a response of declared length",
      200,
      "/openai/v1/chat/completions",
      {
        bytes: 250_000,
        head: `HTTP/1.1 200 OK\r\n${JSON_HEAD}content-length: 250000\r\n\r\n`,
        unit: " ",
        tail: "",
      },
    ],
  ])("takes the memory of its bytes: %s, below %d MiB", async (what, maxMib, target, planned) => {
    drip = planned;
    const { port } = upstream.address() as AddressInfo;
    const gateway = await startInterceptor(interceptorOptions(`http://127.0.0.1:${port}`));
    const before = residentBytes(gateway.pid);
    const memory = samplePeak(gateway.pid);
    try {
      const headers = Object.fromEntries([...credentials(target), ["content-type", "application/json"]]);
      const body = '{"model":"m","messages":[]}';
      const response = await fetch(gateway.url + target, { method: "POST", headers, body });
      expect(await response.text()).toHaveLength(planned.bytes);
      const growth = (memory.stop() - before) / MIB;
      console.log(`${what}: resident memory grew by ${growth.toFixed(0)} MiB at most`);
      expect(growth).toBeLessThan(maxMib);
    } finally {
      memory.stop();
      await gateway.close();
    }
  });
});
