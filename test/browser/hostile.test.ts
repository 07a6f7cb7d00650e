import { describe, expect, it } from "vitest";
import { api, openTab, useBrowser, type Tab } from "./support/browser.ts";
import { BEACON, HOSTILE_TEXT } from "./support/hostile.ts";
import { detailPages, PAGES } from "./support/pages.ts";

useBrowser();

let tab: Tab;

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** Ids in addresses, times and days, which the API validates: all other texts can be an attacker's. */
const FIXED = /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]+|\d{4}-\d{2}-\d{2}.*)$/;

/** Replaces every text of a response by a hostile one: the attack in each field at once. */
function poisoned(value: Json): Json {
  if (typeof value === "string") return FIXED.test(value) ? value : HOSTILE_TEXT;
  if (Array.isArray(value)) return value.map((one: Json) => poisoned(one));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, poisoned(one)]));
}

/** Elements that only markup in a text could have made. */
const FOREIGN_ELEMENTS = `document.querySelectorAll('#console script, #console iframe, #console a[href^="javascript:"], #console [onerror], #console img:not([src^="/console/"]), a[href*="attacker"]').length`;

async function expectHarmless(path: string): Promise<void> {
  expect(await tab.page.evaluate(FOREIGN_ELEMENTS), path).toBe(0);
  expect(await tab.page.evaluate("window.pwned"), path).toBeUndefined();
  const text = (await tab.page.evaluate("document.body.textContent")) as string;
  // Tags and bidirectional overrides would be invisible, and half a pair or a NUL has no form at all.
  expect(text, path).not.toMatch(/[\u202A-\u202E\u2066-\u2069\u200B\uFEFF\u0000\u001B\u{E0000}-\u{E007F}]/u);
  expect(text.isWellFormed(), path).toBe(true);
  expect(tab.problems, path).toEqual([]);
}

describe("texts of an attacker", () => {
  it("are shown as text on every page, with hidden characters marked, where every field of a response has them", async () => {
    tab = await openTab();
    const details = await detailPages(tab.page, "client=Coder+Agents");
    await tab.page.route("**/api/v2/ai-gateway/**", async (route) => {
      const response = await route.fetch();
      const body = (await response.json()) as Json;
      await route.fulfill({ response, json: poisoned(body) });
    });
    for (const { path } of [...PAGES, ...details]) {
      await tab.open(path);
      await expectHarmless(path);
    }
  });

  it("are shown as text where a client sent them: in a prompt, as a model, and as the name of a client key", async () => {
    tab = await openTab();
    const [session, request] = await detailPages(tab.page, "actor=mallory");
    for (const path of ["", "/people", "/sessions", "/live", session?.path ?? "", request?.path ?? ""]) {
      await tab.open(path);
      await expectHarmless(path);
    }
    await tab.open("/sessions?actor=mallory");
    const text = await tab.page.locator("tbody").innerText();
    expect(text).toContain("<img src=x onerror=");
    expect(text).toContain("U+202E");
    expect(await tab.page.locator(".mark[title*='right-to-left override']").count()).toBeGreaterThan(0);
  });

  it("show a prompt of a megabyte in parts, and the page stays usable", async () => {
    tab = await openTab();
    type Requests = {
      readonly results: readonly {
        readonly id: string;
        readonly user_prompts: readonly { readonly prompt: string }[];
      }[];
    };
    const { results } = await api<Requests>(tab.page, "/interceptions?actor=mallory&limit=10");
    const longest = results.toSorted(
      (a, b) => (b.user_prompts[0]?.prompt.length ?? 0) - (a.user_prompts[0]?.prompt.length ?? 0),
    )[0];
    await tab.page.route("**/interceptions?*", async (route) => {
      const response = await route.fetch();
      const body = (await response.json()) as { results: { user_prompts: { prompt: string }[] }[] };
      for (const prompt of body.results[0]?.user_prompts ?? [])
        prompt.prompt = HOSTILE_TEXT + "\u202Ex".repeat(500_000);
      await route.fulfill({ response, json: body });
    });
    await tab.open(`/interceptions/${longest?.id}`);
    await expectHarmless("a megabyte");
    const shown = await tab.page.locator(".long-text pre").first().innerText();
    expect(shown.length).toBeLessThan(100_000);
    await tab.page.getByRole("button", { name: /^Show 50,000 more of 1,000,\d+ characters/ }).click();
    await expect
      .poll(async () => (await tab.page.locator(".long-text pre").first().innerText()).length)
      .toBeGreaterThan(shown.length);
    await expectHarmless("a megabyte, continued");
  });

  it("in the address are values of a filter, and nothing else", async () => {
    tab = await openTab({ expectedStatuses: [400] });
    await tab.open(
      `/live?client=${encodeURIComponent(`<img src="${BEACON}" onerror="window.pwned=true">\u202Eabc`)}`,
    );
    await expectHarmless("/live");
    expect(await tab.page.getByText("<img src=").count()).toBeGreaterThan(0);
  });
});
