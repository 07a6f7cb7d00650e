/** Generated tables in a page, each between its own pair of markers. */
import prettier from "prettier";

/**
 * Replaces each table in the page's text, and formats the page.
 * @throws when a marker is missing.
 */
export async function replaceTables(
  path: string,
  text: string,
  tables: Readonly<Record<string, string>>,
): Promise<string> {
  const generated = Object.entries(tables).reduce((pageSoFar, [name, content]) => {
    const [begin, end] = [`<!-- table: ${name} -->`, `<!-- end: ${name} -->`];
    const [from, to] = [pageSoFar.indexOf(begin), pageSoFar.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`${path} has no table ${name}`);
    return `${pageSoFar.slice(0, from + begin.length)}\n\n${content}\n\n${pageSoFar.slice(to)}`;
  }, text);
  const options = await prettier.resolveConfig(path);
  return prettier.format(generated, { ...options, parser: "markdown" });
}
