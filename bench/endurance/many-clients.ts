/** Opens many clients, compares them with the provider's side, and counts their records. */
import { until } from "../../test/support/deadline.ts";
import { Client, type Target } from "./client.ts";
import { PAIR, type Plan, type Sent } from "./plan.ts";
import type { Records } from "./records.ts";
import { mustBe, type Row } from "./scenario.ts";
import type { Setup } from "./setup.ts";

/** Connections opened at once: fewer than a listener's backlog, which is not under test. */
const CONCURRENT_CONNECTS = 50;
const DELIVERY_TIMEOUT_MS = 60_000;

type OpenOptions = NonNullable<Parameters<typeof Client.open>[2]>;

export async function openAll(
  target: Target,
  plans: readonly Plan[],
  optionsFor: (plan: Plan) => OpenOptions = () => ({}),
): Promise<Client[]> {
  const clients: Client[] = [];
  for (let at = 0; at < plans.length; at += CONCURRENT_CONNECTS) {
    const some = plans.slice(at, at + CONCURRENT_CONNECTS);
    clients.push(...(await Promise.all(some.map((plan) => Client.open(target, plan, optionsFor(plan))))));
  }
  return clients;
}

/** Checks that all streams are complete and have the same bytes at both ends. */
export function compareEnds(clients: readonly Client[], sent: Readonly<Record<string, Sent>>): Row[] {
  const complete = clients.filter((client) => client.complete);
  const same = complete.filter(
    ({ plan, bytes, crc }) => sent[plan.id]?.bytes === bytes && sent[plan.id]?.crc === crc,
  );
  return [
    mustBe("complete streams", complete.length, clients.length),
    mustBe("with the same bytes and checksum at both ends", same.length, clients.length),
  ];
}

/**
 * Waits until the queue has accepted or the log holds this many distinct starts and ends, and no message is in transit. Events
 * that share a message with those of `refused` are in the log too. The log holds the complete pairs of `refused`.
 * A timeout is not an error here, because the rows count what is missing.
 */
export async function queueDelivered(
  { provider, interceptor: { records } }: Setup,
  pairs: number,
  refused: readonly string[] = [],
): Promise<void> {
  const pairsKept = async (): Promise<number> => {
    const names = [...(await provider.query("queue")).events, ...records.fallback];
    return new Set(names.filter((name) => PAIR.includes(name.split(" ")[1] ?? ""))).size;
  };
  const poll = async () => {
    records.read();
    const inLog = new Set(records.fallback);
    const isComplete = (id: string): boolean => PAIR.every((type) => inLog.has(`${id} ${type}`));
    if (!refused.every(isComplete)) return undefined;
    if (refused.length === 0 && (await provider.query("pairs")) < pairs) return undefined;
    if (refused.length > 0 && (await pairsKept()) < pairs) return undefined;
    return (await provider.query("busy")) === 0 || undefined;
  };
  await until(poll, () => "", DELIVERY_TIMEOUT_MS).catch(() => undefined);
}

/** Checks case I1 (one start, one end) in the log and in Analytics Engine. */
export function compareRecords(records: Records, interceptions: number): Row[] {
  const once = (counts: ReadonlyMap<string, number>): number =>
    [...counts].filter(([id, count]) => count === 1 && records.starts.has(id)).length;
  const points = records.points.filter(({ type }) => type === "interception_end");
  const pointIds = new Set(points.map(({ id }) => id).filter((id) => records.starts.has(id)));
  const distinct = points.length === pointIds.size ? pointIds.size : -1;
  return [
    mustBe("starts in the log, each once", once(records.starts), interceptions),
    mustBe("ends in the log, each once", once(records.ends), interceptions),
    mustBe("points of an end, each once", distinct, interceptions),
  ];
}
