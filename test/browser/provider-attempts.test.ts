/** The attempts on the page of providers. The local provider rejects no key, so the API's response is replaced. */
import { expect, it } from "vitest";
import type { ProviderAttempts } from "../../console/api/types.ts";
import { openTab, useBrowser } from "./support/browser.ts";

useBrowser();

const attempts = (rest: Partial<ProviderAttempts>): ProviderAttempts => ({
  provider_name: "openai",
  key_hint: "sk-p...cdef",
  reason: "key_rejected",
  attempts: 3,
  last_started_at: "2026-11-28T11:00:00.000Z",
  ...rest,
});

const RESULTS: readonly ProviderAttempts[] = [
  attempts({}),
  attempts({ reason: "circuit_open", attempts: 1200 }),
  attempts({ provider_name: "<b>azure</b>", key_hint: null, reason: "used", attempts: 1203 }),
];

it("shows the attempts by key and how they ended, sorted by their number on request, for the filtered provider", async () => {
  const tab = await openTab();
  const { page } = tab;
  const json = { results: RESULTS, count: RESULTS.length, started_after: "", started_before: "" };
  const queries: string[] = [];
  await page.route(/\/api\/v2\/ai-gateway\/providers\/attempts/, (route) => {
    queries.push(new URL(route.request().url()).search);
    return route.fulfill({ json });
  });
  await tab.open("/providers?provider_name=openai");
  const table = page.getByRole("table", { name: "Attempts by key and how they ended" });
  await table.waitFor();
  const cells = (label: string) => table.locator(`tbody [data-label="${label}"]`).allInnerTexts();
  expect(await cells("End")).toEqual(["key rejected", "circuit open", "used"]);
  expect(await table.locator("tbody th").allInnerTexts()).toEqual(["openai", "openai", "<b>azure</b>"]);
  await table.getByRole("link", { name: "Attempts", exact: true }).click();
  await expect.poll(() => cells("End")).toEqual(["used", "circuit open", "key rejected"]);
  expect(queries[0]).toContain("provider_name=openai");
  expect(tab.problems).toEqual([]);
});
