/**
 * Ten thousand streams. 30% end with a client disconnect and 10% with a reset by the provider. Analytics Engine and the
 * queue refuse 5% of points and messages. The log, Analytics Engine and the ledger must have the same starts and ends.
 *
 * The ledger is represented by its queue, a fake that lists every event it accepts. The log holds the events that it
 * refuses, completely. test/slow/ledger.test.ts covers the way from the queue into the database: wrangler's local
 * stack has both, but hides client disconnects from the Worker and is six times slower than workerd alone.
 */
import { between, seededRandom } from "../../../test/support/rechunk.ts";
import { Client, type Disconnect } from "../client.ts";
import { compareRecords, queueDelivered } from "../many-clients.ts";
import { isRefusedByQueue, PAIR, type Plan, type QueueReport } from "../plan.ts";
import type { Records } from "../records.ts";
import { mustBe, report, scaled, type Row, type Scenario } from "../scenario.ts";
import { withSetup, type Setup } from "../setup.ts";

const STREAMS = 10_000;
const CONCURRENCY = 400;

/** `disconnect`: how the client disconnects; null: it reads until the end. */
type PlannedStream = { readonly plan: Plan; readonly disconnect: Disconnect | null };

function planStream(random: () => number, n: number): PlannedStream {
  const draw = random();
  const requestsUsage = random() < 0.5;
  const common = { id: `mixed-${n}`, requestsUsage, paced: false };
  if (draw < 0.3) {
    const events = between(random, -1, 3);
    // workerd notices a plain FIN only while the provider sends: docs/limits.md.
    const disconnect = events > 0 && random() < 0.5 ? "fin" : "reset";
    return { plan: { ...common, events, ending: disconnect === "fin" ? "drip" : "hang" }, disconnect };
  }
  const events = between(random, 0, 5);
  return { plan: { ...common, events, ending: draw < 0.4 ? "reset" : "end" }, disconnect: null };
}

async function runStream(
  { interceptor, provider }: Setup,
  { plan, disconnect }: PlannedStream,
): Promise<Client> {
  const client = await Client.open(interceptor, plan);
  if (disconnect === null) await client.over;
  else if (plan.events > 0) await client.begun;
  else await provider.arrived(plan.id);
  client.disconnect(disconnect ?? "fin");
  return client;
}

/** Runs all planned streams with limited concurrency. */
async function runStreams(setup: Setup, planned: readonly PlannedStream[]): Promise<Client[]> {
  const todo = planned.toReversed();
  const clients: Client[] = [];
  const worker = async (): Promise<void> => {
    for (let next = todo.pop(); next; next = todo.pop()) clients.push(await runStream(setup, next));
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return clients;
}

/** Compares the events in the queue, plus those in the log that the queue refused, with the interceptions. */
function ledgerRows(records: Records, queue: QueueReport, interceptions: number): Row[] {
  const names = [...queue.events, ...records.fallback];
  const count = (type: string): number =>
    new Set(names.filter((name) => name.endsWith(` ${type}`)).map((name) => name.split(" ")[0])).size;
  const refused = [...records.starts.keys()].filter(isRefusedByQueue);
  const inLog = new Set(records.fallback);
  const complete = refused.filter((id) => PAIR.every((type) => inLog.has(`${id} ${type}`)));
  return [
    mustBe("starts in the ledger", count("interception_start"), interceptions),
    mustBe("ends in the ledger", count("interception_end"), interceptions),
    // A send that times out may still succeed. The database stores each event once.
    report("events delivered more than once", String(names.length - new Set(names).size)),
    report(
      "messages that the queue accepted, sends that were aborted",
      `${queue.messages}, ${queue.aborted}`,
    ),
    mustBe("interceptions that the queue refused", queue.refused, refused.length),
    mustBe("of these, start and end complete in the log", complete.length, refused.length),
  ];
}

function outcomeRows(records: Records, planned: readonly PlannedStream[]): Row[] {
  const outcomes = records.outcomes();
  const count = (matches: (one: PlannedStream) => boolean): number => planned.filter(matches).length;
  const completed = count(({ plan }) => plan.ending === "end");
  const cancelled = count(({ disconnect }) => disconnect !== null);
  const truncated = count(({ plan }) => plan.ending === "reset");
  return [
    mustBe("completed", outcomes["completed"] ?? 0, completed),
    mustBe("cancelled", outcomes["cancelled"] ?? 0, cancelled),
    mustBe("truncated", outcomes["truncated"] ?? 0, truncated),
  ];
}

async function runMixed(setup: Setup, scale: number, seed: number): Promise<readonly Row[]> {
  const streams = scaled(STREAMS, scale, 100);
  await setup.provider.failQueue();
  const random = seededRandom(seed);
  const planned = Array.from({ length: streams }, (_, n) => planStream(random, n));
  const clients = await runStreams(setup, planned);
  const { records } = setup.interceptor;
  await records.settled(streams);
  const refused = [...records.starts.keys()].filter(isRefusedByQueue);
  await queueDelivered(setup, 2 * streams, refused);
  const queue = await setup.provider.query("queue");
  const sent = await setup.provider.query("sent");
  const same = clients.filter(
    ({ plan, complete, crc }) => plan.ending === "end" && complete && sent[plan.id]?.crc === crc,
  );
  const mustBeComplete = planned.filter(({ plan }) => plan.ending === "end").length;
  const thrown = records.points.filter((point) => point.thrown).length;
  return [
    report("streams, seed", `${streams}, ${seed}`),
    mustBe("complete, with the same checksum at both ends", same.length, mustBeComplete),
    ...compareRecords(records, streams),
    report("points that Analytics Engine refused", String(thrown)),
    ...ledgerRows(records, queue, streams),
    ...outcomeRows(records, planned),
    mustBe("open connections to the provider", await setup.provider.allClosed(), 0),
  ];
}

export const mixed: Scenario = {
  name: "mixed",
  title: "10,000 streams: 30% client disconnects, 10% resets, 5% of records refused",
  run: (scale) => {
    const seed = Number(process.env["SEED"] ?? 20_261_126);
    return withSetup({ failing: true }, (setup) => runMixed(setup, scale, seed));
  },
};
