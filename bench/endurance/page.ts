/** The rows as tables, and as the page reports/load.md. */
import type { Row, Scenario } from "./scenario.ts";

export type Result = { readonly scenario: Scenario; readonly rows: readonly Row[] };

export function rowsTable(rows: readonly Row[]): string {
  const lines = rows.map(({ what, figure, bound, passed }) => [
    what,
    figure,
    bound,
    passed === null ? "" : passed ? "yes" : "NO",
  ]);
  const head = ["figure", "value", "bound", "passed"];
  const widths = head.map((_, at) => Math.max(...[head, ...lines].map((cells) => cells[at]?.length ?? 0)));
  const text = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  return [text(head), text(widths.map((width) => "-".repeat(width))), ...lines.map(text)].join("\n");
}

export function page(results: readonly Result[], scale: number): string {
  const part = scale === 1 ? "" : ` --scale ${scale}`;
  const sections = results.map(
    ({ scenario: { name, title }, rows }) =>
      `## ${title}\n\n\`npm run load -- ${name}${part}\`\n\n${rowsTable(rows)}\n`,
  );
  return `\`npm run load -- --write${part}\` wrote this page. It runs the gateway's production bundle in plain workerd with client
keys, a central provider key, an owner assertion, log lines, both Analytics Engine data sets and the queue. A fake provider
on loopback sends the response that each request's plan defines.

- Half of the clients request usage, and the gateway tees their streams. For the other half the gateway requests usage,
  coalesces the stream and removes the usage event.
- A row with a bound decides the command's exit code. Milliseconds and memory without a bound depend on the machine.
- The queue is a fake that lists every event it accepts. The log holds the events that it refuses, completely.
  \`test/slow/ledger.test.ts\` covers the way from the queue into the database.

${sections.join("\n")}`;
}
