/**
 * A provider on 127.0.0.1 that answers whatever a test tells it to, however broken, and keeps each request exactly as
 * it came on the wire.
 *
 *     const upstream = await startFakeUpstream();
 *     upstream.answerWith(json(200, { ok: true }));
 *     …
 *     const [request] = await upstream.waitForRequests(1);
 */
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { json } from "./response-steps.ts";
import { until } from "./deadline.ts";
import {
  serveConnection,
  type PlannedResponse,
  type Mutable,
  type Plan,
  type UpstreamRequest,
} from "./upstream-connection.ts";

export type { PlannedResponse, UpstreamRequest } from "./upstream-connection.ts";

export type FakeUpstream = {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly UpstreamRequest[];
  /** From now on. `at: "head"` answers before the request's body has arrived. */
  respondWith(answer: PlannedResponse, options?: { readonly at?: "head" | "body" }): void;
  openConnections(): number;
  /** The requests, as soon as there are `count` whose bodies are whole. */
  waitForRequests(count: number): Promise<readonly UpstreamRequest[]>;
  /** The first request, which may still be sending its body. */
  waitForRequest(matches?: (request: UpstreamRequest) => boolean): Promise<UpstreamRequest>;
  /** No connection is open, not even an idle one. */
  waitForAllClosed(): Promise<void>;
  /** Forgets requests and the answer. */
  clear(): void;
  close(): Promise<void>;
};

const NOTHING_PLANNED: Plan = { response: json(500, { error: "no answer planned" }), at: "body" };

export async function startFakeUpstream(): Promise<FakeUpstream> {
  const requests: Mutable<UpstreamRequest>[] = [];
  const sockets = new Set<Socket>();
  let plan = NOTHING_PLANNED;

  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    void serveConnection(socket, requests, () => plan);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const describe = () =>
    `${requests.length} requests, ${sockets.size} connections: ${requests.map(line).join("; ")}`;

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    respondWith: (answer, { at = "body" } = {}) => void (plan = { response: answer, at }),
    openConnections: () => sockets.size,
    waitForRequests: (count) =>
      until(
        () => (requests.filter((request) => request.bodyComplete).length >= count ? requests : undefined),
        () => `waited for ${count} whole requests; there are ${describe()}`,
      ),
    waitForRequest: (matches = () => true) =>
      until(
        () => requests.find(matches),
        () => `waited for a request; there are ${describe()}`,
      ),
    waitForAllClosed: async () =>
      void (await until(
        () => sockets.size === 0 || undefined,
        () => `waited for no connections: ${describe()}`,
      )),
    clear: () => {
      requests.length = 0;
      plan = NOTHING_PLANNED;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function line(request: UpstreamRequest): string {
  return `${request.method} ${request.target}${request.bodyComplete ? "" : " (body unfinished)"}`;
}
