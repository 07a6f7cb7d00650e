/** The console on a host of its own, as in a deployment: what only the gateway serves comes over the binding to it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sha256 } from "../../tools/client-key.ts";
import { buildConsole } from "../../tools/console/build.ts";
import { LOCAL_ADMIN_TOKEN } from "../../tools/local-keys.ts";
import { startTwoHosts, type TwoHosts } from "../support/two-hosts.ts";
import { openTab, useBrowser } from "./support/browser.ts";

let hosts: TwoHosts;
let host = "";

/** Of the overview, which reads the checkpoint. */
const NOT_SEALED = [409];

useBrowser();
beforeAll(async () => {
  await buildConsole();
  hosts = await startTwoHosts({
    gateway: {
      PROVIDERS: { openai: { type: "openai", base_url: "http://127.0.0.1:9/v1" } },
      BUDGETS: { everyone: { per: "all", dollars: 5 } },
    },
    records: { ADMIN_TOKEN: sha256(LOCAL_ADMIN_TOKEN) },
  });
  host = `http://${hosts.consoleHost}`;
});
afterAll(() => hosts.workers.close());

describe("the console on a host of its own", () => {
  it("lists budgets and changes a limit", async () => {
    const tab = await openTab({ host, expectedStatuses: NOT_SEALED });
    const { page } = tab;
    await tab.open("/budgets");
    const limit = () =>
      page.locator("tbody tr", { hasText: "everyone" }).locator("td.number").first().innerText();
    expect(await limit()).toBe("$5.00");
    await page.getByRole("link", { name: /^Change everyone/ }).click();
    await page.getByLabel("Add to the limit").check();
    await page.getByLabel("Amount in dollars").fill("20");
    await page.getByRole("button", { name: "Save" }).click();
    await expect.poll(limit).toBe("$25.00");
    expect(await page.getByText("The gateway is not on this host.").count()).toBe(0);
    expect(tab.problems).toEqual([]);
  });

  it("explains a request", async () => {
    const tab = await openTab({ host, expectedStatuses: NOT_SEALED });
    const { page } = tab;
    await tab.open("/explain");
    await page.getByLabel("Path").fill("/openai/v1/models");
    await page.getByLabel("Method").fill("GET");
    await page.getByLabel("Headers, one per line").fill("Authorization: Bearer sk-any-key");
    await page.getByRole("button", { name: "Explain" }).click();
    await page.getByRole("heading", { name: "What would happen" }).waitFor();
    expect(await page.getByText("The gateway is not on this host.").count()).toBe(0);
    expect(tab.problems).toEqual([]);
    expect(await page.getByRole("region", { name: "Command" }).innerText()).toContain(`--url '${host}'`);
  });
});
