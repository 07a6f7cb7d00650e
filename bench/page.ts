/** docs/performance.md: its generated tables and its plot. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../tools/root.ts";
import { replaceTables } from "../tools/tables/markers.ts";
import { readFigures, writeFigures, type Measured } from "./figures.ts";
import { plot } from "./plot.ts";
import { PERFORMANCE_TABLES } from "./tables.ts";

const PAGE = join(ROOT, "docs/performance.md");
const PLOT = join(ROOT, "docs/performance.svg");

export type Page = { readonly text: string; readonly plot: string };

/** The page as it is stored. */
export const storedPage = (): Page => ({
  text: readFileSync(PAGE, "utf8"),
  plot: readFileSync(PLOT, "utf8"),
});

/** The page's text with the tables of the figures, and their plot. */
export async function pageOf(figures: Measured, text: string): Promise<Page> {
  const tables = Object.entries(PERFORMANCE_TABLES).map(([name, generate]) => [name, generate(figures)]);
  return {
    text: await replaceTables(PAGE, text, Object.fromEntries(tables) as Record<string, string>),
    plot: plot(figures.cpu?.rows ?? []),
  };
}

/** Writes the page that follows from the kept figures. */
export async function writePage(): Promise<void> {
  const page = await pageOf(readFigures(), readFileSync(PAGE, "utf8"));
  writeFileSync(PAGE, page.text);
  writeFileSync(PLOT, page.plot);
}

/** Keeps the figures of a run, and writes the page. */
export async function publish(changed: Measured): Promise<void> {
  await writeFigures(changed);
  await writePage();
  console.log("\nwritten: bench/figures.json, docs/performance.md, docs/performance.svg");
}
