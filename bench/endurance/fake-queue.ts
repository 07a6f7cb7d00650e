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

/** `send` posts the message itself, and `sendBatch` JSON with each message in base64. */
function toMessages(path: string | undefined, body: string): readonly string[] {
  if (path !== "/batch") return [body];
  const { messages } = JSON.parse(body) as { readonly messages: readonly { readonly body: string }[] };
  return messages.map((message) => Buffer.from(message.body, "base64").toString());
}

const eventsOf = (message: string): readonly QueuedEvent[] =>
  (JSON.parse(message) as { readonly events: readonly QueuedEvent[] }).events;

export async function startFakeQueue(): Promise<FakeQueue> {
  const events: string[] = [];
  const refused = new Set<string>();
  const pairs = new Set<string>();
  let messages = 0;
  let busy = 0;
  let aborted = 0;
  let failing = false;
  /** Returns whether the queue accepts the message. */
  const take = (message: readonly QueuedEvent[]): boolean => {
    const ids = message.map(({ interception_id: id }) => id).filter((id) => failing && isRefusedByQueue(id));
    for (const id of ids) refused.add(id);
    if (ids.length > 0) return false;
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
    const respond = (body: string): void => {
      if (request.url === "/failing") failing = body === "yes";
      else if (!take(toMessages(request.url, body).flatMap(eventsOf))) {
        response.writeHead(429).end();
        return;
      }
      response.writeHead(200, { "content-type": "application/json" }).end(ACCEPTED);
    };
    // A send that its request abandons can be aborted within its body: it is not accepted.
    text(request).then(respond, () => (aborted += 1));
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    pairs: () => pairs.size,
    busy: () => busy,
    report: () => ({ messages, aborted, refused: refused.size, events }),
  };
}
