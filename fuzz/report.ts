/** The output of a run: each finding with the command that reproduces it, and a table of the cases. */
import type { Entry } from "./entries.ts";
import type { Finding, Result } from "./target.ts";

export type Row = { readonly entry: Entry; readonly result: Result; readonly seconds: number };

export function findingText({ target, seed, at, failure, smallest }: Finding): string {
  return [
    "",
    `FOUND by ${target}: npm run fuzz -- --seed ${seed} --only ${target} --case ${at}`,
    failure.slice(0, 2000),
    "the smallest case that still fails:",
    smallest,
    "",
  ].join("\n");
}

const grouped = (count: number): string => count.toLocaleString("en-US");

/** The cases by category, as a Markdown table. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ entry, result }) => {
    const categories = [...result.categories].toSorted(([one], [other]) => (one < other ? -1 : 1));
    const counts = categories.map(([name, count]) => `${name} ${grouped(count)}`).join(" · ");
    const tried = `${grouped(result.cases * entry.unitsPerCase)} ${entry.unit}`;
    return `| \`${entry.name}\` | ${tried} | ${result.findings.length} | ${counts} |`;
  });
  return ["| target | tried | findings | by category |", "| --- | --- | --- | --- |", ...lines].join("\n");
}
