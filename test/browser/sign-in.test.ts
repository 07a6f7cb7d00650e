import { describe, expect, it } from "vitest";
import { READER_TOKEN } from "./support/console-stack.ts";
import { api, openTab, settled, url, useBrowser, type Tab } from "./support/browser.ts";
import { requestPath, sessionPath } from "./support/pages.ts";
import { LOCAL_ADMIN_TOKEN } from "../../tools/local-keys.ts";
import { ADA, ADAS_PROMPT, CHAT } from "./support/traffic.ts";

useBrowser();

let tab: Tab;

describe("signing in", () => {
  it("shows the page of the address after signing in, and no data before", async () => {
    tab = await openTab({ token: null });
    await tab.page.goto(`${url}/console/overrides?accepted=false`);
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await tab.page.locator("table").count()).toBe(0);
    await tab.page.getByLabel("API token").fill(LOCAL_ADMIN_TOKEN);
    await tab.page.keyboard.press("Enter");
    await tab.page.getByRole("heading", { name: "Overrides", level: 1 }).waitFor();
    await settled(tab.page);
    expect(await tab.page.getByText("rejected", { exact: true }).count()).toBeGreaterThan(0);
    expect(tab.problems).toEqual([]);
  });

  it("says that a wrong token is not valid, and keeps the form", async () => {
    tab = await openTab({ token: null });
    await tab.page.goto(`${url}/console`);
    await tab.page.getByLabel("API token").fill("aei_admin-canary-wrong-0123456789");
    await tab.page.getByRole("button", { name: "Sign in" }).click();
    await tab.page.getByText("The token is not valid.").waitFor();
    await expect.poll(() => tab.page.evaluate("document.activeElement.id")).toBe("token");
  });

  // An attacker who reads the browser's storage, or the page's script, must not find the token.
  it("leaves the token neither in storage nor in a cookie that scripts can read", async () => {
    tab = await openTab();
    await tab.open("");
    expect(await tab.page.evaluate("document.cookie")).toBe("");
    expect(await tab.page.evaluate("JSON.stringify([localStorage, sessionStorage])")).not.toContain("aei_");
  });

  it("forgets the session and what was shown after signing out", async () => {
    tab = await openTab({ expectedStatuses: [401] });
    await tab.open("/sessions");
    await tab.page.getByRole("button", { name: "Sign out" }).click();
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await tab.page.locator("table").count()).toBe(0);
    await tab.page.goto(`${url}/console/sessions`);
    await tab.page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(tab.problems).toEqual([]);
  });

  it("shows the form again where the session has ended meanwhile, and stays on the page", async () => {
    tab = await openTab({ expectedStatuses: [401] });
    await tab.open("/sessions");
    await tab.page.context().clearCookies();
    await tab.page.locator("#navigation").getByRole("link", { name: "Refusals" }).click();
    await tab.page.getByText("Your session has ended.").waitFor();
    expect(tab.page.url()).toBe(`${url}/console/refusals`);
  });
});

describe("a session without the scopes content and admin", () => {
  it("sees requests and figures, and neither prompts nor tool inputs", async () => {
    tab = await openTab({ token: READER_TOKEN });
    const filter = `initiator=${ADA}&chat_id=${CHAT}`;
    const details = [await sessionPath(tab.page, filter), await requestPath(tab.page, filter)];
    for (const path of ["/sessions", ...details]) {
      await tab.open(path);
      expect(await tab.page.getByText("does not have the scope").count()).toBe(1);
      expect(await tab.page.content()).not.toContain(ADAS_PROMPT);
    }
    // The response does not have it either.
    expect(JSON.stringify(await api(tab.page, `/sessions?chat_id=${CHAT}`))).not.toContain(ADAS_PROMPT);
    expect(tab.problems).toEqual([]);
  });

  it("cannot change budgets", async () => {
    tab = await openTab({ token: READER_TOKEN });
    await tab.open("/budgets");
    expect(await tab.page.getByRole("link", { name: /^Change / }).count()).toBe(0);
    expect(await tab.page.getByText("This session may not change budgets").count()).toBe(1);
  });

  it("with the scope content sees the same prompt", async () => {
    tab = await openTab();
    await tab.open(await sessionPath(tab.page, `initiator=${ADA}&chat_id=${CHAT}`));
    expect(await tab.page.getByText(ADAS_PROMPT).count()).toBe(1);
  });
});
