import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openTab, PHONE, settled, url, useBrowser, type Tab } from "./support/browser.ts";
import { LOCAL_KEYS } from "../../tools/local-keys.ts";
import { ADA } from "./support/traffic.ts";

useBrowser();

let tab: Tab;

const rows = () => tab.page.locator("tbody tr");

describe("filters are the address", () => {
  it("adds a filter to the address, and removes it", async () => {
    tab = await openTab();
    await tab.open("/live");
    const all = await rows().count();
    await tab.page.getByLabel("Filter by").selectOption("initiator");
    await tab.page.getByLabel("Value of the filter").fill(ADA);
    await tab.page.getByRole("button", { name: "Add filter" }).click();
    await settled(tab.page);
    expect(new URL(tab.page.url()).searchParams.get("initiator")).toBe(ADA);
    await expect.poll(() => rows().count()).toBeLessThan(all);
    await tab.page.getByRole("link", { name: /Remove the filter/ }).click();
    await expect.poll(() => rows().count()).toBe(all);
    expect(new URL(tab.page.url()).search).toBe("");
  });

  it("shows the same rows to each reader of the link, and offers the words of a closed set", async () => {
    tab = await openTab();
    await tab.open("/overrides?accepted=false");
    const words = await tab.page.locator("tbody .outcome").allInnerTexts();
    expect(new Set(words)).toEqual(new Set(["rejected"]));
    await tab.page.getByLabel("Filter by").selectOption("reason");
    expect(await tab.page.getByLabel("Value of the filter").locator("option").allInnerTexts()).toContain(
      "not permitted",
    );
  });

  it("goes back to the filter before", async () => {
    tab = await openTab();
    await tab.open("/live");
    const all = await rows().count();
    await tab.page.goto(`${url}/console/live?attribution=claimed`);
    await expect.poll(() => rows().count()).toBe(1);
    await tab.page.goBack();
    await expect.poll(() => rows().count()).toBe(all);
  });

  it("plots a range of one day by hour, up to the present one", async () => {
    tab = await openTab();
    await tab.open("?range=1d");
    const chart = tab.page.locator("figure", {
      has: tab.page.getByRole("heading", { name: "Requests", exact: true }),
    });
    await chart.getByText("Show the data as a table").click();
    expect(await chart.locator("thead th").first().innerText()).toBe("Hour (UTC)");
    const hours = await chart.locator("tbody tr").count();
    expect(hours).toBeGreaterThan(0);
    expect(hours).toBeLessThanOrEqual(24);
    const counts = await chart.locator("tbody td").allInnerTexts();
    expect(counts.some((count) => Number(count) > 0)).toBe(true);
  });

  it("turns the page with a cursor in the address, and returns to the newest", async () => {
    tab = await openTab();
    await tab.open("/accesses");
    await tab.open("/live");
    const first = await rows().first().innerText();
    await tab.page.route("**/interceptions?*", (route) =>
      route.continue({
        url: route
          .request()
          .url()
          .replace(/limit=\d+/, "limit=3"),
      }),
    );
    await tab.open("/live?paused=true");
    await tab.page.getByRole("link", { name: "Next page" }).click();
    await expect.poll(() => rows().first().innerText()).not.toBe(first);
    expect(new URL(tab.page.url()).searchParams.get("after_id")).toMatch(/^[0-9a-f-]{36}$/);
    await tab.page.getByRole("link", { name: "Newest" }).click();
    await expect.poll(() => rows().first().innerText()).toBe(first);
  });

  it("keeps the range and the filters from people to a person, and from there to the lists", async () => {
    tab = await openTab();
    await tab.open("/people?range=7d&provider=team-openai");
    await tab.page.locator("tbody").getByRole("link", { name: "Alice" }).first().click();
    await settled(tab.page);
    const parameters = () => Object.fromEntries(new URL(tab.page.url()).searchParams);
    expect(parameters()).toMatchObject({ as: "initiator", range: "7d", provider: "team-openai" });
    const { id, source } = parameters();
    for (const name of ["Requests", "Sessions"]) {
      await tab.page.locator(".actions").getByRole("link", { name, exact: true }).click();
      await settled(tab.page);
      expect(parameters()).toEqual({
        range: "7d",
        provider: "team-openai",
        initiator: id,
        initiator_source: source,
      });
      expect(await rows().count()).toBeGreaterThan(0);
      await tab.page.goBack();
      await settled(tab.page);
    }
    await tab.page.getByRole("link", { name: "People and services" }).last().click();
    expect(parameters()).toEqual({ range: "7d", provider: "team-openai" });
  });

  it("does not take a filter to a list that does not have its value", async () => {
    tab = await openTab();
    await tab.open("/overrides?reason=form&range=7d");
    await tab.page.locator("tbody").getByRole("link").first().click();
    await settled(tab.page);
    const { searchParams } = new URL(tab.page.url());
    expect([searchParams.get("reason"), searchParams.get("range")]).toEqual([null, "7d"]);
    expect(tab.problems).toEqual([]);
  });

  it("takes the name of a person for the id", async () => {
    tab = await openTab();
    await tab.open("/live");
    await tab.page.getByLabel("Filter by").selectOption("initiator");
    const field = tab.page.getByLabel("Value of the filter");
    await field.focus();
    await expect.poll(() => tab.page.locator("datalist option").allTextContents()).toContain("Alice");
    await field.fill("alice");
    await tab.page.getByRole("button", { name: "Add filter" }).click();
    await settled(tab.page);
    expect(new URL(tab.page.url()).searchParams.get("initiator")).toBe(LOCAL_KEYS.alice.holder.actor);
    expect(await tab.page.getByRole("list", { name: "Active filters" }).innerText()).toContain("Alice");
    expect(await rows().count()).toBeGreaterThan(0);
  });

  it("shows requests of the range only, and does not wait for new ones of a past one", async () => {
    tab = await openTab();
    await tab.open("/live?from=2026-01-01&to=2026-01-31");
    expect(await tab.page.getByText("No request in the days 2026-01-01 to 2026-01-31").count()).toBe(1);
    expect(await tab.page.getByRole("button", { name: "Pause updates" }).count()).toBe(0);
  });

  it("says which parameter is wrong, and how to go on", async () => {
    tab = await openTab({ expectedStatuses: [400] });
    await tab.open("/live?after_id=not-an-id");
    await tab.page.getByText("Could not load requests.").waitFor();
    expect(await tab.page.getByRole("alert").innerText()).toContain("after_id");
    expect(await tab.page.getByRole("button", { name: "Retry" }).count()).toBe(1);
  });

  it("sums people up in a last row, in any order", async () => {
    tab = await openTab();
    await tab.open("/people?sort=requests");
    const requests = (await tab.page.locator('td[data-label="Requests"]').allInnerTexts()).map(Number);
    const total = requests.pop();
    expect(requests.length).toBeGreaterThan(1);
    expect(total).toBe(requests.reduce((sum, count) => sum + count, 0));
    expect(await rows().last().locator("th").innerText()).toBe("Total");
  });

  it("orders people by a column, in the address too", async () => {
    tab = await openTab();
    await tab.open("/people");
    expect(await tab.page.locator("th[aria-sort=descending]").innerText()).toContain("Cost");
    await tab.page.getByRole("link", { name: "Requests", exact: true }).click();
    expect(new URL(tab.page.url()).searchParams.get("sort")).toBe("-requests");
    expect(await tab.page.locator("th[aria-sort=descending]").innerText()).toContain("Requests");
  });
});

describe("figures that are not known", () => {
  it("has no percentile of few calls", async () => {
    tab = await openTab();
    await tab.open("/providers?model=gpt-5.1-codex");
    const cells = await tab.page.locator("td[data-label^=Duration]").allInnerTexts();
    expect(cells.length).toBeGreaterThan(0);
    for (const cell of cells)
      expect(cell.replaceAll(/\s+/g, " ")).toMatch(/^– ?not known \/ – ?not known \/ – ?not known$/);
  });
});

describe("a phone", () => {
  it("shows every column of a row within the screen", async () => {
    tab = await openTab({ viewport: PHONE });
    for (const path of ["/people", "/live", "/overrides", "/budgets", "/providers", "/refusals"]) {
      await tab.open(path);
      const widths = await tab.page
        .locator(".table:has(table.stacks)")
        .evaluateAll((all) => all.map(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth));
      expect([path, Math.max(...widths)]).toEqual([path, 0]);
    }
    expect(await tab.page.locator("td[data-label=Reason]").first().isVisible()).toBe(true);
  });
});

describe("the data of each plot", () => {
  it("gives finance the spend by person and model, in dollars, under a name that says so", async () => {
    tab = await openTab();
    await tab.open("/people?range=7d");
    const [download] = await Promise.all([
      tab.page.waitForEvent("download"),
      tab.page.getByRole("link", { name: "and model" }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/^spend-by-initiator-and-model_[\d-]+_[\d-]+\.csv$/);
    const [head, ...lines] = readFileSync(await download.path(), "utf8")
      .trimEnd()
      .split("\r\n");
    expect(head).toMatch(/^initiator,initiator_name,initiator_source,model,cost_usd,cost_micros/);
    expect(lines.some((line) => /,Alice,[^,]*,gpt-5\.1,0\.\d{6},/.test(line))).toBe(true);
  });

  it("is there as a table and as CSV with the same figures", async () => {
    tab = await openTab();
    await tab.open("");
    const charts = tab.page.locator("figure.chart");
    expect(await charts.count()).toBeGreaterThanOrEqual(5);
    for (const chart of await charts.all()) {
      const [download] = await Promise.all([
        tab.page.waitForEvent("download"),
        chart.getByText("CSV", { exact: false }).first().click(),
      ]);
      const csv = readFileSync(await download.path(), "utf8");
      expect(download.suggestedFilename()).toMatch(
        /^[a-z]+(?:-[a-z]+)*_\d{4}-\d{2}-\d{2}_\d{4}-\d{2}-\d{2}\.csv$/,
      );
      const title = await chart.locator("h2").innerText();
      // The names of the columns, and a row for each day or reason with figures.
      expect({ title, rows: csv.trimEnd().split("\r\n").slice(1) }).toEqual({
        title,
        rows: expect.arrayContaining([expect.stringMatching(/\d/)]),
      });
      await chart.getByText("Show the data as a table").click();
      expect(await chart.locator("tbody tr").count()).toBe(30);
    }
    const requests = await charts.first().locator("tbody tr").last().locator("td").innerText();
    expect(Number(requests)).toBeGreaterThan(5);
    expect(tab.problems).toEqual([]);
  });
});
