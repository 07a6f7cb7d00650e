/** The part of Cloudflare's API that a deployment reads and prepares, over a fake account. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import type { AddressInfo } from "node:net";
import type { FakeAccount } from "./fake-wrangler.ts";

export type FakeApi = { readonly url: string; readonly close: () => void };

type Reply = readonly [status: number, body: { readonly result?: unknown; readonly code?: number }];

export async function startFakeApi(account: FakeAccount): Promise<FakeApi> {
  const server = createServer((request, response) => void respond(account, request, response));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/client/v4`, close: () => void server.close() };
}

async function respond(
  account: FakeAccount,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "", "http://localhost");
  const path = url.pathname.replace("/client/v4/accounts/fake-account", "");
  const body = request.method === "POST" ? await json(request) : null;
  const [status, { result = null, code }] = route(account, `${request.method} ${path}`, {
    queue: url.searchParams.get("name"),
    body: body as { readonly queue_name?: string } | null,
  });
  const errors = code === undefined ? [] : [{ code, message: `Error ${code}` }];
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ success: status < 400, errors, messages: [], result }));
}

type Parameters = {
  readonly queue: string | null;
  readonly body: { readonly queue_name?: string } | null;
};

function route(
  { workers, queues, databases }: FakeAccount,
  request: string,
  { queue, body }: Parameters,
): Reply {
  const worker = /^GET \/workers\/scripts\/([^/]+)\/secrets$/.exec(request)?.[1];
  if (worker !== undefined) {
    const secrets = workers.get(worker);
    if (secrets === undefined) return [404, { code: 10_007 }];
    return [200, { result: secrets.map((name) => ({ name, type: "secret_text" })) }];
  }
  if (request === "GET /d1/database") return [200, { result: databases }];
  if (request === "GET /queues") {
    const matching = [...queues].filter(([name]) => queue === null || name === queue);
    return [200, { result: matching.map(([name, consumers]) => queueBody(name, consumers)) }];
  }
  if (request === "POST /queues") {
    queues.set(body?.queue_name ?? "", []);
    return [200, { result: {} }];
  }
  const [, removedFrom, script] = /^DELETE \/queues\/([^/]+)\/consumers\/([^/]+)$/.exec(request) ?? [];
  const consumers = queues.get(removedFrom ?? "");
  if (consumers === undefined) return [404, { code: 7003 }];
  consumers.splice(
    consumers.findIndex((consumer) => consumer.script === script),
    1,
  );
  return [200, {}];
}

const queueBody = (name: string, consumers: readonly { readonly script?: string }[]): object => ({
  queue_id: name,
  queue_name: name,
  consumers: consumers.map((consumer) => ({ ...consumer, consumer_id: consumer.script, settings: {} })),
  consumers_total_count: consumers.length,
  producers_total_count: 0,
});
