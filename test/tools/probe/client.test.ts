/** The probe's HTTP client, against Node's own servers behind a TCP relay that sees how each connection ends. */
import { createServer as createHttp } from "node:http";
import { createSecureServer, constants, type ServerHttp2Stream } from "node:http2";
import { createServer as createHttps } from "node:https";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  bodyOf,
  clock,
  type Endpoint,
  type Manner,
  type Protocol,
} from "../../../tools/probe/client/http.ts";
import { openHttp1 } from "../../../tools/probe/client/http1.ts";
import { openHttp2 } from "../../../tools/probe/client/http2.ts";
import { createBudget, createSender } from "../../../tools/probe/client/sender.ts";
import { selfSigned } from "../../support/self-signed.ts";

const CERTIFICATE = selfSigned();

type Ending = "FIN" | "RST";
type Relay = { readonly endpoint: Endpoint; readonly ending: Promise<Ending> };

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

function listen(server: Server): Promise<number> {
  onTestFinished(() => void server.close());
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(portOf(server))));
}

/** Forwards bytes to the port, and reports how the client ended its connection. */
async function startRelay(port: number, scheme: string): Promise<Relay> {
  const { promise: ending, resolve } = Promise.withResolvers<Ending>();
  const relay = createServer({ allowHalfOpen: true }, (client: Socket) => {
    const server = connect(port, "127.0.0.1");
    client.pipe(server).pipe(client);
    client.once("end", () => resolve("FIN"));
    client.on("error", () => resolve("RST"));
    client.once("close", () => server.destroy());
    server.on("error", () => client.destroy());
  });
  const url = new URL(`${scheme}://localhost:${await listen(relay)}`);
  return { endpoint: { url, ca: CERTIFICATE.cert }, ending };
}

/** Sends one event of an endless response. */
const startHttp1 = (): Promise<number> =>
  listen(createHttp((_, response) => void response.writeHead(200).write("data: 1\n\n")));

async function startHttp2(onStream: (stream: ServerHttp2Stream) => void = () => undefined): Promise<number> {
  const server = createSecureServer({ ...CERTIFICATE, allowHTTP1: true }, (request, response) => {
    response.writeHead(200);
    if (request.httpVersionMajor === 2) onStream(request.stream);
    response.write("data: 1\n\n");
  });
  server.on("sessionError", () => undefined);
  return listen(server);
}

const REQUEST = { method: "GET", path: "/", headers: { host: "localhost" } } as const;

describe("a disconnect of the probe's client", () => {
  it.each<[Protocol, string, Manner, Ending]>([
    ["HTTP/1.1", "http", "reset", "RST"],
    ["HTTP/1.1", "http", "close", "FIN"],
    ["HTTP/1.1", "https", "reset", "RST"],
    ["HTTP/1.1", "https", "close", "FIN"],
    ["HTTP/2", "https", "reset", "RST"],
    ["HTTP/2", "https", "close", "FIN"],
  ])("in %s over %s by %s ends the connection with %s", async (protocol, scheme, manner, expected) => {
    const port = await (scheme === "http" ? startHttp1() : startHttp2());
    const { endpoint, ending } = await startRelay(port, scheme);
    const open = protocol === "HTTP/2" ? openHttp2 : openHttp1;
    const request = await open(endpoint, REQUEST, clock);
    await request.firstBytes;
    request.disconnect(manner);
    expect(await ending).toBe(expected);
  });

  it("in HTTP/2 by cancel sends RST_STREAM with CANCEL, and keeps the connection", async () => {
    const reset = Promise.withResolvers<number | undefined>();
    let isOpen = false;
    const port = await startHttp2((stream) => {
      const { session } = stream;
      stream.once("close", () => {
        // Only a session that is still open gets a response to its PING.
        session?.ping((error) => {
          isOpen = error === null;
          reset.resolve(stream.rstCode);
        });
      });
    });
    const endpoint = { url: new URL(`https://localhost:${port}`), ca: CERTIFICATE.cert };
    const sender = createSender(createBudget(1));
    const request = await sender.open(endpoint, REQUEST, "HTTP/2");
    await request.firstBytes;
    request.disconnect("cancel");
    expect(await reset.promise).toBe(constants.NGHTTP2_CANCEL);
    expect(isOpen).toBe(true);
  });
});

describe("the probe's client", () => {
  it.each<[Protocol, string]>([
    ["HTTP/1.1", "http"],
    ["HTTP/1.1", "https"],
    ["HTTP/2", "https"],
  ])("receives a response with its times, in %s over %s", async (protocol, scheme) => {
    const secure = createSecureServer({ ...CERTIFICATE, allowHTTP1: true }, (_, response) => {
      response.writeHead(201, { "x-colo": "AMS" });
      response.end("body");
    });
    const plain = createHttp((_, response) => void response.writeHead(201, { "x-colo": "AMS" }).end("body"));
    const server = scheme === "http" ? plain : secure;
    const endpoint = { url: new URL(`${scheme}://localhost:${await listen(server)}`), ca: CERTIFICATE.cert };
    const request = await createSender(createBudget(1)).open(endpoint, REQUEST, protocol);
    const received = await request.received;
    expect(received).toMatchObject({ status: 201, headers: { "x-colo": "AMS" }, brokenBy: null });
    expect(bodyOf(received).toString()).toBe("body");
    expect(received.startedAt).toBeLessThanOrEqual(received.headAt);
    expect(received.headAt).toBeLessThanOrEqual(received.endedAt);
  });

  it("reports a response that breaks off", async () => {
    const port = await listen(
      createHttp((_, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write("part", () => response.destroy());
      }),
    );
    const endpoint = { url: new URL(`http://localhost:${port}`) };
    const received = await (await openHttp1(endpoint, REQUEST, clock)).received;
    expect(received.brokenBy).not.toBeNull();
    expect(bodyOf(received).toString()).toBe("part");
  });

  it("rejects where the server negotiates no HTTP/2, or cannot be reached", async () => {
    const port = await listen(createHttps(CERTIFICATE));
    const endpoint = { url: new URL(`https://localhost:${port}`), ca: CERTIFICATE.cert };
    await expect(openHttp2(endpoint, REQUEST, clock)).rejects.toThrow("the server does not negotiate HTTP/2");
    const closed = { url: new URL("http://127.0.0.1:1") };
    await expect(openHttp1(closed, REQUEST, clock)).rejects.toThrow("ECONNREFUSED");
  });

  it("sends no request past its budget", async () => {
    const endpoint = { url: new URL(`http://localhost:${await startHttp1()}`) };
    const budget = createBudget(1);
    const sender = createSender(budget);
    const request = await sender.open(endpoint, REQUEST);
    await request.firstBytes;
    await expect(sender.open(endpoint, REQUEST)).rejects.toThrow("the limit of 1 requests is reached");
    expect(budget.used()).toBe(1);
    sender.stop();
    expect((await request.received).brokenBy).not.toBeNull();
  });
});
