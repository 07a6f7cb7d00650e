/** The complete figures of a run, as a page in `reports/`, which git ignores. docs/performance.md has selected figures. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import prettier from "prettier";
import { ROOT } from "../tools/root.ts";

const FOLDER = "reports";

export type Report = { readonly file: string; readonly title: string; readonly body: string };

/** Writes the page with the day of the run, and prints its path. */
export async function writeReport({ file, title, body }: Report): Promise<void> {
  const path = join(ROOT, FOLDER, file);
  const day = new Date().toISOString().slice(0, 10);
  const style = await prettier.resolveConfig(path);
  const page = `# ${title}\n\nMeasured on ${day}.\n\n${body}\n`;
  await mkdir(join(ROOT, FOLDER), { recursive: true });
  await writeFile(path, await prettier.format(page, { ...style, parser: "markdown" }));
  console.log(`\nwritten: ${FOLDER}/${file}`);
}
