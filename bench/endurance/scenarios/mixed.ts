/**
 * Ten thousand streams, of which three in ten are left by their client, one in ten is reset by the provider, and a
 * twentieth of the points and messages is not taken: starts and ends are the same in the log, in Analytics Engine and
 * in the ledger.
 *
 * The ledger is its queue here, which tells what it was given, one by one; what the queue does not take is in the log,
 * whole. From the queue into the database is test/sockets/ledger.test.ts's: wrangler's local stack, which has both, hides
 * a client's leaving from the Worker and is six times slower than workerd alone.
 */
import { between, seededRandom } from "../../../test/support/rechunk.ts";
import { Client, type Leaving } from "../client.ts";
import { compareRecords, ledgerTold } from "../crowd.ts";
import { isUnlucky, PAIR, type Plan, type QueueReport } from "../plan.ts";
import type { Records } from "../records.ts";
import { mustBe, scaled, told, type Row, type Scenario } from "../scenario.ts";
import { onStage, type Stage } from "../stage.ts";

const STREAMS = 10_000;
const AT_ONCE = 400;

type Planned = { readonly plan: Plan; readonly leaves: Leaving | null };

function planOf(random: () => number, n: number): Planned {
  const draw = random();
  const asked = random() < 0.5;
  const of = { id: `mixed-${n}`, asked, paced: false };
  if (draw < 0.3) {
    const events = between(random, -1, 3);
    // A plain FIN is seen only while the provider speaks: docs/limits.md.
    const leaves = events > 0 && random() < 0.5 ? "fin" : "reset";
    return { plan: { ...of, events, fate: leaves === "fin" ? "drip" : "hang" }, leaves };
  }
  const events = between(random, 0, 5);
  return { plan: { ...of, events, fate: draw < 0.4 ? "reset" : "end" }, leaves: null };
}

async function play({ interceptor, provider }: Stage, { plan, leaves }: Planned): Promise<Client> {
  const client = await Client.open(interceptor, plan);
  if (leaves === null) await client.over;
  else if (plan.events > 0) await client.begun;
  else await provider.arrived(plan.id);
  client.leave(leaves ?? "fin");
  return client;
}

/** Event names as the ledger has them: out of its queue, and out of the log where the queue did not take them. */
function ledgerRows(records: Records, queue: QueueReport, interceptions: number): Row[] {
  const named = [...queue.events, ...records.fallback];
  const of = (type: string): number =>
    new Set(named.filter((name) => name.endsWith(` ${type}`)).map((name) => name.split(" ")[0])).size;
  const unlucky = [...records.starts.keys()].filter(isUnlucky);
  const fallen = new Set(records.fallback);
  const whole = unlucky.filter((id) => PAIR.every((type) => fallen.has(`${id} ${type}`)));
  return [
    mustBe("starts in the ledger", of("interception_start"), interceptions),
    mustBe("ends in the ledger", of("interception_end"), interceptions),
    // A send that is given up may have been taken all the same; the database stores an event once, however often it comes.
    told("events given to it more than once", String(named.length - new Set(named).size)),
    mustBe("interceptions that the queue refused", queue.refused, unlucky.length),
    mustBe("of these, start and end whole in the log", whole.length, unlucky.length),
  ];
}

async function runMixed(stage: Stage, scale: number, seed: number): Promise<readonly Row[]> {
  const streams = scaled(STREAMS, scale, 100);
  await stage.provider.failQueue();
  const random = seededRandom(seed);
  const planned = Array.from({ length: streams }, (_, n) => planOf(random, n));
  const todo = planned.toReversed();
  const clients: Client[] = [];
  const work = async (): Promise<void> => {
    for (let next = todo.pop(); next; next = todo.pop()) clients.push(await play(stage, next));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const { records } = stage.interceptor;
  await records.settled(streams);
  const unlucky = [...records.starts.keys()].filter(isUnlucky);
  await ledgerTold(stage, 2 * (streams - unlucky.length), unlucky);
  const queue = await stage.provider.ask("queue");
  const count = (wanted: (one: Planned) => boolean): number => planned.filter(wanted).length;
  const whole = count(({ plan }) => plan.fate === "end");
  const sent = await stage.provider.ask("sent");
  const same = clients.filter(
    ({ plan, whole: is, crc }) => plan.fate === "end" && is && sent[plan.id]?.crc === crc,
  );
  const outcomes = records.outcomes();
  const thrown = records.points.filter((point) => point.thrown).length;
  return [
    told("streams, seed", `${streams}, ${seed}`),
    mustBe("whole, with the same checksum at both ends", same.length, whole),
    ...compareRecords(records, streams),
    told("of the points, not taken", String(thrown)),
    ...ledgerRows(records, queue, streams),
    mustBe("completed", outcomes["completed"] ?? 0, whole),
    mustBe(
      "cancelled",
      outcomes["cancelled"] ?? 0,
      count(({ leaves }) => leaves !== null),
    ),
    mustBe(
      "truncated",
      outcomes["truncated"] ?? 0,
      count(({ plan }) => plan.fate === "reset"),
    ),
    mustBe("connections left at the provider", await stage.provider.allClosed(), 0),
  ];
}

export const mixed: Scenario = {
  name: "mixed",
  title: "10,000 streams: 30 % left, 10 % reset, 5 % of what is recorded not taken",
  run: (scale) => {
    const seed = Number(process.env["SEED"] ?? 20_261_126);
    return onStage({ failing: true }, (stage) => runMixed(stage, scale, seed));
  },
};
