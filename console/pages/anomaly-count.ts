/** The figure of an anomaly with its unit, which depends on the kind. */
import { ANOMALY_GROUP_LIMIT, anomalyOf } from "../../src/events/anomaly-kinds.ts";
import { formatCount, plural } from "../text/format.ts";

/** The cron reads no more of these, so that the limit means as many or more. */
const BOUNDED: ReadonlySet<string> = new Set(["initiators", "actors"]);

/** `2 initiators`, `10 or more actors`; null for a kind that is not known. */
export function countText(kind: string, count: number): string | null {
  const counted = anomalyOf(kind)?.count;
  if (counted === undefined) return null;
  if (count >= ANOMALY_GROUP_LIMIT && BOUNDED.has(counted)) return `${formatCount(count)} or more ${counted}`;
  return plural(count, counted.replace(/s$/, ""), counted);
}
