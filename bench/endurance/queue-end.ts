/** The ledger's queue as a plain workerd sees it: an HTTP server that takes messages, or for some says 429, always. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { isUnlucky, PAIR, type QueueReport } from "./plan.ts";

const TAKEN = '{"metadata":{"metrics":{"backlogCount":0,"backlogBytes":0}}}';

type Told = { readonly interception_id: string; readonly record_type: string };

export type QueueEnd = {
  readonly port: number;
  readonly report: () => QueueReport;
  readonly pairs: () => number;
  readonly busy: () => number;
};

export async function startQueueEnd(): Promise<QueueEnd> {
  const events: string[] = [];
  const refused = new Set<string>();
  let messages = 0;
  const pairs = new Set<string>();
  let busy = 0;
  let failing = false;
  const server = createServer((request, response) => {
    busy += 1;
    response.once("close", () => (busy -= 1));
    void text(request).then((body) => {
      if (request.url === "/failing") failing = body === "yes";
      else {
        const told = JSON.parse(body) as readonly Told[];
        const id = told[0]?.interception_id ?? "";
        if (failing && isUnlucky(id)) {
          refused.add(id);
          response.writeHead(429).end();
          return;
        }
        messages += 1;
        for (const { interception_id, record_type } of told) {
          const name = `${interception_id} ${record_type}`;
          events.push(name);
          if (PAIR.includes(record_type)) pairs.add(name);
        }
      }
      response.writeHead(200, { "content-type": "application/json" }).end(TAKEN);
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
