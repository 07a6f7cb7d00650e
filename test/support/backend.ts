/** A small HTTP server on 127.0.0.1 that stands in for somebody else's API, keeps what it was asked, and can fail. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { until } from "./deadline.ts";

/**
 * - `working`: answers by its routes.
 * - `failing`: 500 · `hanging`: never answers · `redirecting`: 302 to another path of its own that would say yes.
 * - `garbled`: 200 and no JSON · `dribbling`: 200, and a body that does not end.
 */
export type BackendMode = "working" | "failing" | "hanging" | "redirecting" | "garbled" | "dribbling";

export type BackendRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
};

/** Status and body: a text as it is, anything else as JSON. */
export type Reply = readonly [status: number, body: unknown];

export type Backend = {
  readonly url: string;
  readonly requests: readonly BackendRequest[];
  setMode(mode: BackendMode): void;
  /** Answers wait until the returned function is called. */
  hold(): () => void;
  waitForRequests(count: number): Promise<void>;
  /** Forgets what it was asked. */
  clear(): void;
  close(): Promise<void>;
};

const REDIRECTED = "/redirected";

/** On a port of its own, or on `port`. */
export async function startBackend(
  reply: (asked: BackendRequest) => Reply | Promise<Reply>,
  port = 0,
): Promise<Backend> {
  const asked: BackendRequest[] = [];
  let mode: BackendMode = "working";
  let held: Promise<unknown> = Promise.resolve();
  const server = createServer(async ({ method = "", url = "", headers }, response) => {
    const one = { method, path: url, headers };
    asked.push(one);
    await held;
    if (mode === "hanging") return;
    if (mode === "failing") return void response.writeHead(500).end("CANARY of a backend");
    if (mode === "garbled") return void response.writeHead(200).end("<html>CANARY of a backend</html>");
    if (mode === "dribbling") return void response.writeHead(200).write("{");
    if (mode === "redirecting") return void response.writeHead(302, { location: REDIRECTED }).end();
    const [status, body] = await reply(one);
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
    requests: asked,
    setMode: (next) => void (mode = next),
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
    waitForRequests: async (count) =>
      void (await until(
        () => asked.length >= count || undefined,
        () => `waited for ${count} questions; there are ${asked.length}`,
      )),
    clear: () => void (asked.length = 0),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
