/** llms.txt names every page of the documentation (https://llmstxt.org). */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "../../tools/root.ts";

const text = readFileSync(join(ROOT, "llms.txt"), "utf8");
const linked = Array.from(text.matchAll(/^- \[[^\]]+\]\(([^)]+)\)/gm), ([, target]) => target ?? "");

describe("llms.txt", () => {
  it("begins with a title and a summary", () => {
    expect(text).toMatch(/^# AI Edge Interceptor\n\n> .+\n\n/);
  });

  it("links to every page, each once, and to nothing else", () => {
    const docs = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.md$|openapi\.json$/.test(name))
      .map((name) => `docs/${name.replaceAll("\\", "/")}`);
    const pages = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", ...docs];
    expect(linked.toSorted()).toEqual(pages.toSorted());
  });
});
