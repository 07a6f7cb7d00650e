/**
 * The process of the endurance runs' fake provider and fake queue. It responds to queries by messages, reports each
 * request on arrival, and exits with its parent.
 */
import { startFakeUpstream } from "../../test/support/fake-upstream.ts";
import { startFakeQueue } from "./fake-queue.ts";
import { PLAN_HEADER, type FromProvider, type Plan, type Queries, type ToProvider } from "./plan.ts";
import { Metronome, responseFor, type MutableSent } from "./stream-response.ts";

const metronome = new Metronome();
const provider = await startFakeUpstream();
const queue = await startFakeQueue();
const sent: Record<string, MutableSent> = {};
const send = (message: FromProvider): void => void process.send?.(message);

provider.respondWith((request) => {
  const plan = JSON.parse(request.values(PLAN_HEADER)[0] ?? "") as Plan;
  const state = { bytes: 0, crc: 0, read: 0, over: false };
  sent[plan.id] = state;
  if (plan.events <= 0) send({ type: "arrived", id: plan.id });
  return responseFor(plan, state, metronome);
});
metronome.start();

const queries: { readonly [K in keyof Queries]: () => Queries[K] } = {
  sent: () => sent,
  connections: () => provider.openConnections(),
  pairs: () => queue.pairs(),
  busy: () => queue.busy(),
  queue: () => queue.report(),
};

process.on("message", ({ query, number }: ToProvider) =>
  send({ type: "result", number, result: queries[query]() }),
);
process.on("disconnect", () => process.exit());
send({ type: "ports", provider: provider.port, queue: queue.port });
