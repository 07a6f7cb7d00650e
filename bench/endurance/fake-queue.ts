/** The queue as plain workerd calls it: an HTTP server that accepts messages, or responds 429 for some interceptions. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { isRefusedByQueue, PAIR, type QueueReport } from "./plan.ts";

const ACCEPTED = '{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}';

type QueuedEvent = { readonly interception_id: string; readonly record_type: string };

export type FakeQueue = {
  readonly port: number;
  readonly report: () => QueueReport;
  readonly pairs: () => number;
  readonly busy: () => number;
};

export async function startFakeQueue(): Promise<FakeQueue> {
  const events: string[] = [];
  const refused = new Set<string>();
  const pairs = new Set<string>();
  let messages = 0;
  let busy = 0;
  let failing = false;
  /** Returns whether the queue accepts the message. */
  const take = (message: readonly QueuedEvent[]): boolean => {
    const id = message[0]?.interception_id ?? "";
    if (failing && isRefusedByQueue(id)) {
      refused.add(id);
      return false;
    }
    messages += 1;
    for (const { interception_id, record_type } of message) {
      const name = `${interception_id} ${record_type}`;
      events.push(name);
      if (PAIR.includes(record_type)) pairs.add(name);
    }
    return true;
  };
  const server = createServer((request, response) => {
    busy += 1;
    response.once("close", () => (busy -= 1));
    void text(request).then((body) => {
      if (request.url === "/failing") failing = body === "yes";
      else if (!take((JSON.parse(body) as { readonly events: readonly QueuedEvent[] }).events)) {
        response.writeHead(429).end();
        return;
      }
      response.writeHead(200, { "content-type": "application/json" }).end(ACCEPTED);
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    pairs: () => pairs.size,
    busy: () => busy,
    report: () => ({ messages, refused: refused.size, events }),
  };
}
