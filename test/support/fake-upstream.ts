/**
 * A provider on 127.0.0.1 that sends any response a test plans, including malformed ones, and keeps each request
 * exactly as it was on the wire.
 *
 *     const upstream = await startFakeUpstream();
 *     upstream.respondWith(json(200, { ok: true }));
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
  /** Plans the response to all later requests. `at: "head"` responds before the request's body is received. */
  respondWith(response: PlannedResponse, options?: { readonly at?: "head" | "body" }): void;
  openConnections(): number;
  /** The requests, as soon as `count` of them have complete bodies. */
  waitForRequests(count: number): Promise<readonly UpstreamRequest[]>;
  /** The first matching request, whose body may still be incomplete. */
  waitForRequest(matches?: (request: UpstreamRequest) => boolean): Promise<UpstreamRequest>;
  /** The first request, as soon as its body is complete. */
  waitForCompleteRequest(): Promise<UpstreamRequest>;
  /** Resolves when no connection is open, including idle ones. */
  waitForAllClosed(): Promise<void>;
  /** Discards the requests and the planned response. */
  clear(): void;
  close(): Promise<void>;
};

/** Waits until either side has closed the request's connection. The deadline only bounds a hang. */
export async function upstreamClosed(request: UpstreamRequest): Promise<void> {
  await until(
    () => request.closedAt ?? undefined,
    () => "the upstream's connection was never closed",
  );
}

const DEFAULT_PLAN: Plan = { response: json(500, { error: "no response planned" }), at: "body" };

export async function startFakeUpstream(): Promise<FakeUpstream> {
  const requests: Mutable<UpstreamRequest>[] = [];
  const sockets = new Set<Socket>();
  let plan = DEFAULT_PLAN;

  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    void serveConnection(socket, requests, () => plan);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const describe = () =>
    `${requests.length} requests, ${sockets.size} connections: ${requests.map(summary).join("; ")}`;

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    respondWith: (response, { at = "body" } = {}) => void (plan = { response, at }),
    openConnections: () => sockets.size,
    waitForRequests: (count) =>
      until(
        () => (requests.filter((request) => request.bodyComplete).length >= count ? requests : undefined),
        () => `waited for ${count} complete requests; there are ${describe()}`,
      ),
    waitForRequest: (matches = () => true) =>
      until(
        () => requests.find(matches),
        () => `waited for a request; there are ${describe()}`,
      ),
    waitForCompleteRequest: () =>
      until(
        () => requests.find((request) => request.bodyComplete),
        () => `waited for a complete request; there are ${describe()}`,
      ),
    waitForAllClosed: async () =>
      void (await until(
        () => sockets.size === 0 || undefined,
        () => `waited for no connections: ${describe()}`,
      )),
    clear: () => {
      requests.length = 0;
      plan = DEFAULT_PLAN;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function summary(request: UpstreamRequest): string {
  return `${request.method} ${request.target}${request.bodyComplete ? "" : " (body incomplete)"}`;
}
