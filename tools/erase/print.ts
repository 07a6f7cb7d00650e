/** The output of `npm run erase`: the rows that it changed, and the places out of its reach, each with its expiry. */
import { OPEN_MS } from "../../src/records/ledger/erase/erasures.ts";
import type { Row } from "../../src/records/ledger/seal/rebuild.ts";
import type { EraseRequest, EraseResult } from "./erase-person.ts";

const iso = (at: number): string => new Date(at).toISOString().slice(0, 16).replace("T", " ");

export const OUT_OF_REACH: readonly (readonly [place: string, until: string])[] = [
  ["D1 Time Travel", "30 days; after a restore, run this command again"],
  ["messages in the queues", "at most 14 days in each; the records Worker erases them on arrival"],
  ["Workers Logs", "7 days"],
  ["Analytics Engine", "3 months"],
  ["log lines that Logpush delivered", "your retention there; a replay of them brings the person back"],
  ["archive objects under a bucket lock", "the lock's end; erasure_object_left in the log names them"],
  ["exported evidence bundles and CSV files", "until their holders delete them"],
  ["texts of others that mention the person", "they stay: no id or name is searched inside other text"],
  [
    "client keys, and owners of stored objects",
    "the key store and the gateway's Durable Objects: docs/erasure.md",
  ],
  ["the AI providers", "their own retention"],
];

export function reportText(result: EraseResult, { isDryRun }: EraseRequest): string {
  const { rows, unreadable, pseudonym, requestedAt, keysLeft } = result;
  const tables = Object.entries(rows).map(([table, count]) => `  ${table.padEnd(24)}${count}`);
  const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
  const lines = isDryRun
    ? [`${total} rows would change:`, ...tables]
    : [`The person is ${pseudonym} now. ${total} rows were changed:`, ...tables];
  if (unreadable > 0)
    lines.push(`${unreadable} rows had a seal that cannot be read: npm run verify names them as altered.`);
  if (keysLeft > 0)
    lines.push(`${keysLeft} further credentials are too many to be searched in the records of others.`);
  if (isDryRun) return `${lines.join("\n")}\n`;
  return [
    ...lines,
    "",
    "The records Worker's cron rewrites the objects of the archive, if there is one, and erases events that still arrive,",
    `until ${iso(requestedAt + OPEN_MS)} (UTC). When npm run -s erase -- --status says that it is complete, run this command once more`,
    `with --pseudonym ${pseudonym}, to be certain.`,
    "",
    "Out of reach:",
    ...OUT_OF_REACH.map(([place, until]) => `  ${place}: ${until}`),
    "",
  ].join("\n");
}

export function statusText(rows: readonly Row[]): string {
  if (rows.length === 0) return "No person has been erased.\n";
  return rows
    .map((row) => {
      const { pseudonym, requested_at: requested, finished_at: finished, archive_passes: passes } = row;
      const state = finished === null ? "open" : `complete since ${iso(Number(finished))}`;
      const cursor = row["archive_cursor"] ? `, at ${String(row["archive_cursor"])}` : "";
      const objects = `${String(row["objects_erased"])} objects rewritten, ${String(row["objects_left"])} left`;
      return `${String(pseudonym)}  requested ${iso(Number(requested))}  ${state}  archive: ${String(passes)} of 2 passes${cursor}, ${objects}\n`;
    })
    .join("");
}
