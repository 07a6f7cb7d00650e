import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Stack } from "../../tools/local/stack.ts";
import { ROOT } from "../../tools/root.ts";
import { DESKTOP, openTab, useBrowser } from "./support/browser.ts";
import { MONTH, startMonth } from "./support/month.ts";

useBrowser();

const FILE = join(ROOT, "docs", "console.png");
const MAX_BYTES = 150 * 1024;

let month: Stack;
beforeAll(async () => {
  month = await startMonth();
});
afterAll(() => month.stop());

/** Nothing was sealed, so that there is no checkpoint. */
const expectedStatuses = [404];

describe("the screenshot of the README", () => {
  it("is the overview of a month, of at most 150 KiB (CONSOLE_SCREENSHOT=write writes docs/console.png)", async () => {
    const { page, open, problems } = await openTab({
      viewport: DESKTOP,
      colorScheme: "light",
      host: month.url,
      expectedStatuses,
    });
    await open(`?${MONTH}`);
    await page.locator("figure.chart canvas").last().waitFor();
    const image = await page.screenshot();
    expect(image.length).toBeLessThanOrEqual(MAX_BYTES);
    expect(problems).toEqual([]);
    if (process.env["CONSOLE_SCREENSHOT"] === "write") writeFileSync(FILE, image);
  });
});
