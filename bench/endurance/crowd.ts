/** Many clients: opened a few at a time, compared with the provider's side, and counted in the records. */
import { until } from "../../test/support/deadline.ts";
import { Client, type Target } from "./client.ts";
import { PAIR, type Plan, type Sent } from "./plan.ts";
import type { Records } from "./records.ts";
import type { Stage } from "./stage.ts";
import { mustBe, type Row } from "./scenario.ts";

/** A listener's backlog is no subject here. */
const AT_ONCE = 50;
const DELIVERED_MS = 60_000;

type OpenOptions = NonNullable<Parameters<typeof Client.open>[2]>;

export async function openAll(
  target: Target,
  plans: readonly Plan[],
  optionsFor: (plan: Plan) => OpenOptions = () => ({}),
): Promise<Client[]> {
  const clients: Client[] = [];
  for (let at = 0; at < plans.length; at += AT_ONCE) {
    const some = plans.slice(at, at + AT_ONCE).map((plan) => Client.open(target, plan, optionsFor(plan)));
    clients.push(...(await Promise.all(some)));
  }
  return clients;
}

/** Streams that are whole: every byte at both ends the same. */
export function compareEnds(clients: readonly Client[], sent: Readonly<Record<string, Sent>>): Row[] {
  const whole = clients.filter(({ whole: is }) => is);
  const same = whole.filter(
    ({ plan, bytes, crc }) => sent[plan.id]?.bytes === bytes && sent[plan.id]?.crc === crc,
  );
  return [
    mustBe("streams that came to their end", whole.length, clients.length),
    mustBe("with the same bytes and checksum at both ends", same.length, clients.length),
  ];
}

/**
 * When so many different starts and ends, together, are in the ledger's queue, those of `refused` whole in the log, and the
 * queue is at rest. What is missing after a long wait is said where it is counted.
 */
export async function ledgerTold(
  { provider, interceptor: { records } }: Stage,
  pairs: number,
  refused: readonly string[] = [],
): Promise<void> {
  const look = async () => {
    records.read();
    const fallen = new Set(records.fallback);
    const isWhole = (id: string): boolean => PAIR.every((type) => fallen.has(`${id} ${type}`));
    if ((await provider.ask("pairs")) < pairs || !refused.every(isWhole)) return undefined;
    return (await provider.ask("busy")) === 0 || undefined;
  };
  await until(look, () => "", DELIVERED_MS).catch(() => undefined);
}

/** I1 in the log and in Analytics Engine. */
export function compareRecords(records: Records, interceptions: number): Row[] {
  const once = (counts: ReadonlyMap<string, number>): number =>
    [...counts].filter(([id, count]) => count === 1 && records.starts.has(id)).length;
  const points = records.points.filter(({ type }) => type === "interception_end");
  const pointed = new Set(points.map(({ id }) => id).filter((id) => records.starts.has(id)));
  return [
    mustBe("starts in the log, each once", once(records.starts), interceptions),
    mustBe("ends in the log, each once", once(records.ends), interceptions),
    mustBe("points of an end, each once", points.length === pointed.size ? pointed.size : -1, interceptions),
  ];
}
