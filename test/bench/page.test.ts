import { describe, expect, it } from "vitest";
import { decidingFigures } from "../../bench/endurance/deciding-figures.ts";
import { readFigures } from "../../bench/figures.ts";
import { pageOf, storedPage } from "../../bench/page.ts";
import { report, type Scenario } from "../../bench/endurance/scenario.ts";
import { RUN } from "./measured.ts";

describe("docs/performance.md", () => {
  it("has the tables and the plot of bench/figures.json (npm run bench:page)", async () => {
    const stored = storedPage();
    expect(await pageOf(readFigures(), stored.text)).toEqual(stored);
  });

  it("is not written if it lacks a marker", async () => {
    await expect(pageOf({}, "# Performance\n")).rejects.toThrow("has no table targets");
  });
});

describe("the figures of `npm run load` that decide targets", () => {
  const scenario: Scenario = { name: "heap", title: "", run: () => Promise.resolve([]) };

  it("are the largest of each kind", () => {
    const rows = [7, 9, 8].map((value) => ({
      ...report("heap", ""),
      decides: { target: "heap", value } as const,
    }));
    expect(decidingFigures([{ scenario, rows }], RUN)).toEqual({ heap: { run: RUN, kilobytes: 9 } });
  });

  it("are missing where nothing was measured", () => {
    expect(decidingFigures([{ scenario, rows: [report("streams", "1")] }], RUN)).toEqual({});
  });
});
