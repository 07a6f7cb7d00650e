/** What a run tells: each finding as it can be seen again, and a table of what was tried. */
import type { Entry } from "./entries.ts";
import type { Finding, Result } from "./target.ts";

export type Row = { readonly entry: Entry; readonly result: Result; readonly seconds: number };

export function findingText({ target, seed, at, wrong, smallest }: Finding): string {
  return [
    "",
    `FOUND by ${target}: npm run fuzz -- --seed ${seed} --only ${target} --case ${at}`,
    wrong.slice(0, 2000),
    "the smallest that is still wrong:",
    smallest,
    "",
  ].join("\n");
}

const grouped = (count: number): string => count.toLocaleString("en-US");

/** As Markdown, so that it can stand in a page as it is. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ entry, result }) => {
    const sorts = [...result.sorts].toSorted(([one], [other]) => (one < other ? -1 : 1));
    const seen = sorts.map(([name, count]) => `${name} ${grouped(count)}`).join(" · ");
    const tried = `${grouped(result.cases * entry.each)} ${entry.unit}`;
    return `| \`${entry.name}\` | ${tried} | ${result.findings.length} | ${seen} |`;
  });
  return ["| target | tried | found | of which |", "| --- | --- | --- | --- |", ...lines].join("\n");
}
