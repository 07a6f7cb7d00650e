/** The rows as tables, and as a page. */
import type { Row, Scenario } from "./scenario.ts";

export type Result = { readonly scenario: Scenario; readonly rows: readonly Row[] };

export function rowsTable(rows: readonly Row[]): string {
  const lines = rows.map(({ what, figure, must, held }) => [
    what,
    figure,
    must,
    held === null ? "" : held ? "yes" : "NO",
  ]);
  const head = ["figure", "is", "must be", "holds"];
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
  return `# Under load

Written by \`npm run load -- --write${part}\`: the production bundle in a plain workerd, with client keys, a central
provider key, an owner to prefer, log lines, both Analytics Engine points and the ledger's queue, before a provider on
loopback that does as each request tells it. Half of the clients ask for usage themselves (their stream is watched
beside), half do not (theirs is carried through, and the usage event taken out). A row with a bound decides the
command's exit code; milliseconds and memory that is only told are this machine's and decide nothing.

The delay at the 99th percentile of the first section varies: five runs on one day added 33 to 69 ms, and the table has one of
them. A likely cause is V8: in one of those runs, with its flag \`--trace-gc\` set by hand, it collected everything about every six
seconds and stood still for 60 to 90 ms.

The ledger is its queue here: it tells what it was given, one by one, and what it does not take is in the log, whole. From
the queue into the database is \`test/sockets/ledger.test.ts\`'s.

${sections.join("\n")}`;
}
