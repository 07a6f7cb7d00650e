/**
 * The provider of the endurance runs, and the queue that the ledger's events go to, in a process of their own. Is asked
 * by messages, tells of each request as it comes, and ends with whoever started it.
 */
import { startFakeUpstream } from "../../test/support/fake-upstream.ts";
import { PLAN_HEADER, type Answers, type FromProvider, type Plan, type ToProvider } from "./plan.ts";
import { startQueueEnd } from "./queue-end.ts";
import { answerFor, Metronome, type Sending } from "./stream-answer.ts";

const metronome = new Metronome();
const provider = await startFakeUpstream();
const queue = await startQueueEnd();
const sent: Record<string, Sending> = {};
const tell = (message: FromProvider): void => void process.send?.(message);

provider.respondWith((request) => {
  const plan = JSON.parse(request.values(PLAN_HEADER)[0] ?? "") as Plan;
  const sending = { bytes: 0, crc: 0, taken: 0, over: false };
  sent[plan.id] = sending;
  if (plan.events <= 0) tell({ is: "arrived", id: plan.id });
  return answerFor(plan, sending, metronome);
});
metronome.start();

const answers: { readonly [K in keyof Answers]: () => Answers[K] } = {
  sent: () => sent,
  connections: () => provider.openConnections(),
  pairs: () => queue.pairs(),
  busy: () => queue.busy(),
  queue: () => queue.report(),
};

process.on("message", ({ ask, number }: ToProvider) =>
  tell({ is: "answer", to: number, answer: answers[ask]() }),
);
process.on("disconnect", () => process.exit());
tell({ is: "ports", provider: provider.port, queue: queue.port });
