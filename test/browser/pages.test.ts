import axe from "axe-core";
import { writeFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../../tools/root.ts";
import { DESKTOP, openTab, PHONE, settled, useBrowser, type Tab } from "./support/browser.ts";
import { pathOf, PAGES } from "./support/pages.ts";
import { ADA, CHAT } from "./support/traffic.ts";

useBrowser("kept");

/** Pixels that the page is wider than the window. */
const OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/** To be looked at: git ignores them. */
const SHOTS = join(ROOT, "reports", "console");

const MODES = [
  ["light", { viewport: DESKTOP, colorScheme: "light" }],
  ["dark", { viewport: DESKTOP, colorScheme: "dark" }],
  ["on a phone", { viewport: PHONE, colorScheme: "light" }],
] as const;

let tab: Tab;

/** Axe's findings, one line for each rule and element. */
async function violations(): Promise<readonly string[]> {
  await tab.page.evaluate(axe.source);
  const result = (await tab.page.evaluate(
    `axe.run(document, { resultTypes: ["violations"] })`,
  )) as axe.AxeResults;
  return result.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")} ${failureSummary}`),
  );
}

async function screenshot(path: string, mode: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  const name = path.replace(/[?].*/, "").replace(":", "").replaceAll("/", "_");
  writeFileSync(
    join(SHOTS, `${name || "_overview"} ${mode}.png`),
    await tab.page.screenshot({ fullPage: true }),
  );
}

describe.each(MODES)(
  "every page, %s, without an error, a violation of the policy or of axe's rules",
  (mode, options) => {
    beforeAll(async () => {
      tab = await openTab(options);
    });

    it.each(PAGES)("shows $path and fits the width", async ({ path, heading }) => {
      await tab.open(await pathOf(tab.page, path, `initiator=${ADA}&chat_id=${CHAT}`));
      expect(await tab.page.locator("h1").innerText()).toBe(heading);
      expect(await tab.page.title()).toContain("AI Edge Interceptor");
      expect(await violations()).toEqual([]);
      await screenshot(path, mode);
      expect(await tab.page.evaluate(OVERFLOW)).toBe(0);
      expect(tab.problems).toEqual([]);
    });
  },
);

describe("the frame", () => {
  it("reaches every page by its navigation, and moves the focus to the heading", async () => {
    tab = await openTab();
    await tab.open("");
    const labels = await tab.page.locator("#navigation a").allInnerTexts();
    // The first page is the one that is open: its heading has no reason to take the focus.
    for (const label of labels.slice(1)) {
      await tab.page.locator("#navigation").getByRole("link", { name: label, exact: true }).click();
      await settled(tab.page);
      const current = tab.page.locator("#navigation [aria-current=page]");
      expect(await current.innerText()).toBe(label);
      // Effects run after the frame that shows the page.
      await expect.poll(() => tab.page.evaluate("document.activeElement.tagName")).toBe("H1");
    }
    expect(tab.problems).toEqual([]);
  });

  it("opens and closes the navigation on a phone", async () => {
    tab = await openTab({ viewport: PHONE });
    await tab.open("");
    const menu = tab.page.getByRole("button", { name: "Menu" });
    expect(await tab.page.locator("#navigation").isVisible()).toBe(false);
    await menu.click();
    expect(await menu.getAttribute("aria-expanded")).toBe("true");
    await tab.page.locator("#navigation").getByRole("link", { name: "Sessions" }).click();
    await tab.page.getByRole("heading", { name: "Sessions", level: 1 }).waitFor();
    expect(await tab.page.locator("#navigation").isVisible()).toBe(false);
  });

  it("skips to the content, moves to the filter with / and to a page with g and a letter", async () => {
    tab = await openTab();
    await tab.open("");
    await tab.page.keyboard.press("Tab");
    expect(await tab.page.evaluate("document.activeElement.className")).toBe("skip");
    await tab.page.keyboard.press("/");
    expect(await tab.page.evaluate("document.activeElement.id")).toBe("filter-value");
    await tab.page.evaluate("document.activeElement.blur()");
    await tab.page.keyboard.press("g");
    await tab.page.keyboard.press("s");
    await tab.page.getByRole("heading", { name: "Sessions", level: 1 }).waitFor();
  });

  it("keeps the chosen theme when the page is loaded again", async () => {
    tab = await openTab({ colorScheme: "light" });
    await tab.open("");
    const background = () => tab.page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
    const light = await background();
    await tab.page.getByLabel("Color theme").selectOption("dark");
    const dark = await background();
    expect(dark).not.toBe(light);
    await tab.open("");
    expect(await background()).toBe(dark);
  });

  it("responds to an unknown address with a page that leads back", async () => {
    tab = await openTab();
    await tab.open("/sessions/no-such-session/at/all");
    expect(await tab.page.locator("h1").innerText()).toBe("There is no such page");
  });
});
