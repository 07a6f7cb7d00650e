/** What the interceptor recorded, so that a broken one is not measured. */
import { readSync } from "node:fs";
import { until } from "../test/support/deadline.ts";
import type { Traffic } from "./traffic.ts";

/** What each request has to leave, exactly: lines by their type. */
const EXPECTED: Readonly<Record<string, number>> = {
  interception_start: 1,
  initiator_override: 1,
  token_usage: 1,
  interception_end: 1,
};
/** … and those whose answer asks for tools. */
const EXPECTED_WITH_TOOLS = { ...EXPECTED, tool_usage: 2 };

/**
 * Reads the console's file as it grows. The function that is given back waits until `requests` more requests have been
 * recorded whole since its last call, and throws if anything is missing, double or not expected.
 */
export function countRecords(printed: number): (requests: number, traffic: Traffic) => Promise<void> {
  const counts = new Map<string, number>();
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
  return async (requests, traffic) => {
    const expected = Object.entries(traffic === "tools" ? EXPECTED_WITH_TOOLS : EXPECTED);
    const due = new Map(expected.map(([type, each]) => [type, each * requests]));
    const enough = () => (
      readMore(),
      [...due].every(([type, count]) => (counts.get(type) ?? 0) >= count) || undefined
    );
    const found = () => JSON.stringify(Object.fromEntries(counts));
    await until(enough, () => `the interceptor did not record ${requests} requests: ${found()}\n${rest}`);
    const wrong = [...counts].filter(([type, count]) => count !== (due.get(type) ?? 0));
    if (wrong.length > 0) throw new Error(`of ${requests} requests the interceptor recorded ${found()}`);
    counts.clear();
  };
}
