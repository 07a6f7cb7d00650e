import { beforeAll, describe, expect, it } from "vitest";
import { api, openTab, useBrowser, type Tab } from "./support/browser.ts";
import { BEACON, HOSTILE_TEXT } from "./support/hostile.ts";
import { pathOf, PAGES, requestPath, sessionPath } from "./support/pages.ts";

useBrowser("kept");

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

/** Elements that only markup in a text could have made: a script, a handler, an image, a link that leads out of the console. */
const FOREIGN = [
  "script",
  "iframe",
  "[onerror]",
  'img:not([src^="/console/"])',
  'a[href]:not([href^="/console"], [href^="/api/v2/ai-gateway/"], [href="#main"])',
];
const FOREIGN_ELEMENTS = `document.querySelectorAll('#console :is(${FOREIGN.join(", ")})').length`;

/** Code points that have no form, or give other characters another place: bidirectional, zero-width, tags, controls. */
const isHidden = (character: string): boolean => {
  const code = character.codePointAt(0) ?? 0;
  const isBidirectional = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  const isTag = code >= 0xe0000 && code <= 0xe007f;
  return isBidirectional || isTag || [0, 0x1b, 0x200b, 0xfeff].includes(code) || !character.isWellFormed();
};

/** The traces that an attack would leave on the page; each empty on a harmless one. */
async function harm(): Promise<object> {
  const text = (await tab.page.evaluate("document.body.textContent")) as string;
  return {
    foreignElements: await tab.page.evaluate(FOREIGN_ELEMENTS),
    pwned: await tab.page.evaluate("String(window.pwned)"),
    hidden: [...text].filter(isHidden),
    problems: tab.problems,
  };
}

const NONE = { foreignElements: 0, pwned: "undefined", hidden: [], problems: [] };

describe("a response with the attack in every field", () => {
  beforeAll(async () => {
    // The page of a session reads more with the session's ids, and the API rejects these.
    tab = await openTab({ expectedStatuses: [400] });
    await tab.page.route("**/api/v2/ai-gateway/**", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: poisoned((await response.json()) as Json) });
    });
  });

  it.each(PAGES)("is shown as text, with hidden characters marked, on $path", async ({ path }) => {
    await tab.open(await pathOf(tab.page, path, "client=Coder+Agents"));
    expect(await harm()).toEqual(NONE);
  });
});

describe("texts of an attacker", () => {
  it("are shown as text where a client sent them: in a prompt, as a model, and as the name of a client key", async () => {
    tab = await openTab();
    const details = [
      await sessionPath(tab.page, "actor=mallory"),
      await requestPath(tab.page, "actor=mallory"),
    ];
    for (const path of ["", "/people", "/sessions", "/live", ...details]) {
      await tab.open(path);
      expect(await harm()).toEqual(NONE);
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
    expect(await harm()).toEqual(NONE);
    const shown = await tab.page.locator(".long-text pre").first().innerText();
    expect(shown.length).toBeLessThan(100_000);
    await tab.page.getByRole("button", { name: /^Show 50,000 more of 1,000,\d+ characters/ }).click();
    await expect
      .poll(async () => (await tab.page.locator(".long-text pre").first().innerText()).length)
      .toBeGreaterThan(shown.length);
    expect(await harm()).toEqual(NONE);
  });

  it("in the address are values of a filter, and nothing else", async () => {
    tab = await openTab({ expectedStatuses: [400] });
    await tab.open(
      `/live?client=${encodeURIComponent(`<img src="${BEACON}" onerror="window.pwned=true">\u202Eabc`)}`,
    );
    expect(await harm()).toEqual(NONE);
    expect(await tab.page.getByText("<img src=").count()).toBeGreaterThan(0);
  });
});
