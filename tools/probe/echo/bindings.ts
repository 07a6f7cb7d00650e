/** Measures the echo's own bindings: create-only puts, the queue's delivery, the distance of a Durable Object. */
import { journalOf, type Action } from "./env.ts";
import type { CreateOnly, ObjectTimes, QueueTimes } from "./protocol.ts";

const missing = (binding: string): Response =>
  Response.json({ error: { message: `no binding ${binding}` } }, { status: 501 });

/** Two create-only puts of one key, as the archive's (docs of R2: a failed condition returns null). */
export const putTwice: Action = async ({ env, params }) => {
  if (!env.BUCKET) return missing("BUCKET");
  const key = `probe/${params.get("session") ?? ""}`;
  const onlyIf = new Headers({ "if-none-match": "*" });
  const first = await env.BUCKET.put(key, "first", { onlyIf });
  const second = await env.BUCKET.put(key, "second", { onlyIf });
  const content = await (await env.BUCKET.get(key))?.text();
  await env.BUCKET.delete(key);
  const body: CreateOnly = { first: first !== null, second: second !== null, kept: content === "first" };
  return Response.json(body);
};

const MESSAGES = 3;
const DELIVERED_WITHIN_MS = 30_000;

export const queueDelivery: Action = async (exchange) => {
  const { env, params, run } = exchange;
  const journal = journalOf(exchange);
  if (!env.QUEUE) return missing("QUEUE");
  if (!journal) return missing("JOURNAL");
  const runs = Array.from({ length: MESSAGES }, (_, at) => `${run}.${at}`);
  const sentAt: number[] = [];
  const sendMs: number[] = [];
  for (const one of runs) {
    const before = Date.now();
    await env.QUEUE.send({ session: params.get("session") ?? "", run: one });
    sentAt.push(before);
    sendMs.push(Date.now() - before);
  }
  const notes = JSON.parse(await journal.read(runs, ["consumed"], DELIVERED_WITHIN_MS)) as readonly {
    readonly consumed?: { readonly at: number };
  }[];
  const deliveredMs = notes.map(({ consumed }, at) => (consumed ? consumed.at - (sentAt[at] ?? 0) : null));
  const body: QueueTimes = { sendMs, deliveredMs };
  return Response.json(body);
};

const CALLS = 10;

/** Round trips to an object that this request creates, so that it is near this location. */
export const durable: Action = async ({ env }) => {
  if (!env.JOURNAL) return missing("JOURNAL");
  const stub = env.JOURNAL.get(env.JOURNAL.newUniqueId());
  const timed = async (): Promise<number> => {
    const before = Date.now();
    await stub.ping();
    return Date.now() - before;
  };
  const firstMs = await timed();
  const callsMs: number[] = [];
  for (let at = 0; at < CALLS; at += 1) callsMs.push(await timed());
  const body: ObjectTimes = { firstMs, callsMs };
  return Response.json(body);
};
