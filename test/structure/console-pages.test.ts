import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { CONSOLE_PAGES } from "../../src/shared/console-pages.ts";

describe("the pages of the console", () => {
  it("are those that the records Worker serves", () => {
    const app = readFileSync(new URL("../../console/app/app.tsx", import.meta.url), "utf8");
    const routes = [...app.matchAll(/<Route path="\/console\/([a-z-]+)/g)].map(([, page]) => page);
    expect([...new Set(routes)].toSorted()).toEqual(CONSOLE_PAGES.toSorted());
  });
});
