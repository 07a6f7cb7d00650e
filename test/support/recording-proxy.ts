/** A proxy in front of an emulated provider that keeps the bytes of each exchange, for comparisons with the client's. */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export type Passed = {
  readonly method: string;
  /** The path and the query, as received. */
  readonly target: string;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** The pieces of the response that were sent so far. */
  readonly response: Buffer[];
  /** The gateway closed the connection before the response was complete. */
  isAborted: boolean;
};

export type RecordingProxy = {
  readonly url: string;
  readonly passed: Passed[];
  readonly close: () => Promise<void>;
};

/** `origin`: of the server to which every request is passed with its path, its headers and its host's name. */
export async function startRecordingProxy(origin: string): Promise<RecordingProxy> {
  const passed: Passed[] = [];
  const server = createServer((request, response) => {
    pass(origin, request, response, passed).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, passed, close };
}

async function pass(
  origin: string,
  request: IncomingMessage,
  response: ServerResponse,
  passed: Passed[],
): Promise<void> {
  const { method = "", url: target = "" } = request;
  const body = await buffer(request);
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  const one: Passed = { method, target, headers, body, response: [], isAborted: false };
  passed.push(one);
  const onward = httpRequest(`${origin}${target}`, { method, headers, agent: false }, (received) => {
    response.writeHead(received.statusCode ?? 502, received.rawHeaders);
    received.on("data", (piece: Buffer) => {
      one.response.push(piece);
      response.write(piece);
    });
    received.once("end", () => response.end());
    received.once("error", () => response.destroy());
  });
  onward.once("error", () => response.destroy());
  response.once("close", () => {
    one.isAborted = !response.writableFinished;
    onward.destroy();
  });
  onward.end(body);
}
