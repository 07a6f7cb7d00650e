/** The targets of the documentation's links and the files that it names exist. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = dirname(fileURLToPath(import.meta.resolve("../../package.json")));
const PAGES = [
  "README.md",
  "SECURITY.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" }).map((name) => `docs/${name}`),
].filter((name) => name.endsWith(".md"));
const read = (page: string): string => readFileSync(join(ROOT, page), "utf8");

/** The anchors of the headings, as GitHub generates them. */
const anchorsOf = (page: string): readonly string[] =>
  [...read(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

/** The targets of links within the project, as page and anchor. Code blocks are skipped. */
function linksOf(page: string): readonly (readonly [path: string, anchor: string])[] {
  const prose = read(page).replaceAll(/^ *```[\s\S]*?^ *```$/gm, "");
  return [...prose.matchAll(/\]\(([^()\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = "", anchor = ""] = target.split("#", 2);
      return [path === "" ? page : join(dirname(page), path), anchor];
    });
}

describe("the documentation", () => {
  it.each(PAGES)("%s links to existing pages and headings", (page) => {
    const broken = linksOf(page).filter(
      ([path, anchor]) =>
        !existsSync(join(ROOT, path)) || (anchor !== "" && !anchorsOf(path).includes(anchor)),
    );
    expect(broken).toEqual([]);
  });

  it.each(PAGES)("%s names existing files", (page) => {
    const named = [...read(page).matchAll(/`((?:src|test|tools|bench|docs)\/[\w./-]+\.\w+)`/g)];
    expect(named.map(([, path = ""]) => path).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
