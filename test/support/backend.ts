/** An HTTP server on 127.0.0.1 that stands in for a third-party API, keeps its requests and can simulate failures. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { until } from "./deadline.ts";

/**
 * - `working`: responds according to its routes.
 * - `failing`: 500.
 * - `hanging`: never responds.
 * - `redirecting`: 302 to another of its paths, which would accept the credential.
 * - `garbled`: 200 with a body that is not JSON.
 * - `dribbling`: 200 with a body that never ends.
 */
export type BackendMode = "working" | "failing" | "hanging" | "redirecting" | "garbled" | "dribbling";

export type BackendRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
};

/** Status and body. A string is sent unchanged, any other value as JSON. */
export type Reply = readonly [status: number, body: unknown];

export type Backend = {
  readonly url: string;
  readonly requests: readonly BackendRequest[];
  setMode(mode: BackendMode): void;
  /** Delays responses until the returned function is called. */
  hold(): () => void;
  waitForRequests(count: number): Promise<void>;
  /** Discards the recorded requests. */
  clear(): void;
  close(): Promise<void>;
};

const REDIRECT_PATH = "/redirected";

/** Listens on `port`, by default on a free one. */
export async function startBackend(
  reply: (request: BackendRequest) => Promise<Reply>,
  port = 0,
): Promise<Backend> {
  const requests: BackendRequest[] = [];
  let mode: BackendMode = "working";
  let released: Promise<unknown> = Promise.resolve();
  const server = createServer(async ({ method = "", url = "", headers }, response) => {
    const request = { method, path: url, headers };
    requests.push(request);
    await released;
    if (mode === "hanging") return;
    if (mode === "failing") return void response.writeHead(500).end("CANARY of a backend");
    if (mode === "garbled") return void response.writeHead(200).end("<html>CANARY of a backend</html>");
    if (mode === "dribbling") return void response.writeHead(200).write("{");
    if (mode === "redirecting") return void response.writeHead(302, { location: REDIRECT_PATH }).end();
    const [status, body] = await reply(request);
    const isText = typeof body === "string";
    response
      .writeHead(status, { "content-type": isText ? "text/plain" : "application/json" })
      .end(isText ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    setMode: (next) => void (mode = next),
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      released = promise;
      return resolve;
    },
    waitForRequests: async (count) =>
      void (await until(
        () => requests.length >= count || undefined,
        () => `waited for ${count} requests; there are ${requests.length}`,
      )),
    clear: () => void (requests.length = 0),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
