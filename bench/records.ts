/** Checks the gateway's log lines, so that a gateway with missing records fails the bench. */
import { readSync } from "node:fs";
import { until } from "../test/support/deadline.ts";
import type { Traffic } from "./traffic.ts";

/** The log lines of each request by record type. */
const EXPECTED: Readonly<Record<string, number>> = {
  interception_start: 1,
  initiator_override: 1,
  token_usage: 1,
  interception_end: 1,
};
/** The log lines of a request whose response contains tool calls. */
const EXPECTED_WITH_TOOLS = { ...EXPECTED, tool_usage: 2 };

/**
 * Reads the console's file as it grows. The returned function waits until `requests` more requests are completely recorded
 * since its last call. It throws if a line is missing, repeated or unexpected.
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
        // One for each group, of which a request has one or two.
        if (line.includes('"record_type":"events_mac"')) continue;
        const type = /"record_type":"(\w+)"/.exec(line)?.[1] ?? "";
        counts.set(type, (counts.get(type) ?? 0) + 1);
      }
    }
  };
  return async (requests, traffic) => {
    const expected = Object.entries(traffic === "tools" ? EXPECTED_WITH_TOOLS : EXPECTED);
    const expectedCounts = new Map(expected.map(([type, each]) => [type, each * requests]));
    const enough = () => (
      readMore(),
      [...expectedCounts].every(([type, count]) => (counts.get(type) ?? 0) >= count) || undefined
    );
    const counted = () => JSON.stringify(Object.fromEntries(counts));
    await until(enough, () => `the interceptor did not record ${requests} requests: ${counted()}\n${rest}`);
    const mismatches = [...counts].filter(([type, count]) => count !== (expectedCounts.get(type) ?? 0));
    if (mismatches.length > 0)
      throw new Error(`of ${requests} requests the interceptor recorded ${counted()}`);
    counts.clear();
  };
}
