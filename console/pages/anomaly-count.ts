/** The figure of an anomaly with its unit, which depends on the kind. */
import { ANOMALY_KINDS } from "../../src/events/vocabulary.ts";
import { formatCount, plural } from "../text/format.ts";

/** The cron reads no more of them, so that this number means as many or more. */
const COUNTED_TO = 10;
const BOUNDED: ReadonlySet<string> = new Set(["initiators", "actors"]);

/** The last word of a kind's meaning: the unit of its count. null for a kind that is not known. */
function countedBy(kind: string): string | null {
  const meaning = (ANOMALY_KINDS as Readonly<Record<string, string>>)[kind] ?? "";
  return /`count`: (\w+)\)$/.exec(meaning)?.[1] ?? null;
}

/** `2 initiators`, `10 or more actors`; null for a kind that is not known. */
export function countText(kind: string, count: number): string | null {
  const counted = countedBy(kind);
  if (counted === null) return null;
  if (count >= COUNTED_TO && BOUNDED.has(counted)) return `${formatCount(count)} or more ${counted}`;
  return plural(count, counted.replace(/s$/, ""), counted);
}
