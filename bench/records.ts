/** What the interceptor recorded, so that a broken one is not measured. */
import { readSync } from "node:fs";
import { until } from "../test/support/deadline.ts";

/** Each request has to leave these lines, exactly one of each. */
const EXPECTED = ["interception_start", "initiator_override", "token_usage", "interception_end"];

/**
 * Reads the console's file as it grows. The function that is given back waits until `requests` more requests have been
 * recorded whole since its last call, and throws if anything is missing, double or not expected.
 */
export function countRecords(printed: number): (requests: number) => Promise<void> {
  const counts = new Map(EXPECTED.map((type) => [type, 0]));
  const buffer = Buffer.alloc(1 << 20);
  let rest = "";
  const readMore = () => {
    for (let size = readSync(printed, buffer); size > 0; size = readSync(printed, buffer)) {
      const lines = (rest + buffer.toString("latin1", 0, size)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const type = /"record_type":"(\w+)"/.exec(line)?.[1] ?? "";
        counts.set(type, (counts.get(type) ?? 0) + 1);
      }
    }
  };
  return async (requests) => {
    const enough = () => (
      readMore(),
      EXPECTED.every((type) => (counts.get(type) ?? 0) >= requests) || undefined
    );
    const found = () => JSON.stringify(Object.fromEntries(counts));
    await until(enough, () => `the interceptor did not record ${requests} requests: ${found()}\n${rest}`);
    const wrong = [...counts].filter(([type, count]) => count !== (EXPECTED.includes(type) ? requests : 0));
    if (wrong.length > 0) throw new Error(`of ${requests} requests the interceptor recorded ${found()}`);
    for (const type of counts.keys()) counts.set(type, 0);
  };
}
