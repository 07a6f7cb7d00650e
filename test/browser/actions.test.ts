import { describe, expect, it } from "vitest";
import { LOCAL_KEYS, LOCAL_SEAL_KEY, LOCAL_SEAL_ORIGIN } from "../../tools/local-keys.ts";
import { createSigner, newPrivateKey } from "../../src/records/ledger/seal/note-keys.ts";
import { openTab, settled, url, useBrowser, type Tab } from "./support/browser.ts";
import { requestPath, sessionPath } from "./support/pages.ts";
import { ADA, CHAT, send, untilRecorded } from "./support/traffic.ts";

useBrowser();

let tab: Tab;

const verdicts = () => tab.page.locator(".verdict").allInnerTexts();

async function enterKey(): Promise<void> {
  const { verifierKey } = await createSigner(LOCAL_SEAL_KEY);
  await tab.page.getByLabel("Verifier key").fill(verifierKey);
}

async function verify(): Promise<readonly string[]> {
  await tab.page.getByRole("button", { name: "Verify in this browser" }).first().click();
  await tab.page.locator(".verdict").first().waitFor();
  return verdicts();
}

/** From a request's own page. */
async function verifyStart(): Promise<string[]> {
  await tab.page.getByRole("link", { name: "Verify the seals of its start and its end" }).click();
  await tab.page.getByRole("button", { name: "Verify the start in this browser" }).click();
  await tab.page.locator(".verdict").first().waitFor();
  return verdicts();
}

describe("seals", () => {
  it("verifies the last checkpoint with the public key, and then that the next one continues it", async () => {
    tab = await openTab();
    await tab.open("/seals");
    await enterKey();
    expect(await verify()).toEqual([
      expect.stringMatching(/^Verified: The signature is valid/),
      expect.stringMatching(/^Note: This browser has no earlier checkpoint/),
    ]);
    await send(url, { key: LOCAL_KEYS.alice.key, prompt: "One more entry." });
    await untilRecorded(url);
    await tab.open("/seals");
    expect(await verify()).toEqual([
      expect.stringMatching(/^Verified: The signature is valid/),
      expect.stringMatching(/^Verified: It continues the checkpoint/),
    ]);
    expect(tab.problems).toEqual([]);
  });

  it("says beside the field what is wrong with a key, before it is used", async () => {
    tab = await openTab();
    await tab.open("/seals");
    const { verifierKey } = await createSigner(LOCAL_SEAL_KEY);
    const [name, id, encoded = ""] = verifierKey.split("+");
    const field = tab.page.getByLabel("Verifier key");
    const state = tab.page.locator("#verifier-key-state");
    for (const [text, issue] of [
      ["hello", "A verifier key has three parts"],
      [LOCAL_SEAL_KEY, "This is the private key"],
      [`+${id}+${encoded}`, "The first part, the name of the log, must not be empty"],
      [`${name}+FEF67028+${encoded}`, "The second part, the key id, must be 8 digits"],
      [`${name}+${id}+${encoded}!`, "The third part is not base64"],
      [`${name}+${id}+${encoded.slice(0, -4)}`, "The third part has 30 bytes instead of 33"],
      [`${name}+${id}+AT${encoded.slice(2).replace("tq", "tr")}`, "The key id fef67028 does not fit"],
    ] as const) {
      await field.fill(text);
      await expect.poll(() => state.innerText()).toContain(issue);
      expect(await field.getAttribute("aria-invalid")).toBe("true");
      expect(
        await tab.page.getByRole("button", { name: "Verify in this browser" }).first().isDisabled(),
      ).toBe(true);
    }
    await field.fill(verifierKey);
    await expect
      .poll(() => state.innerText())
      .toBe(`Valid: the key of ${LOCAL_SEAL_ORIGIN} signed the last checkpoint.`);
    expect(await field.getAttribute("aria-invalid")).toBe("false");
    expect(tab.problems).toEqual([]);
  });

  it("says beside the field that a valid key is not the one that signed the checkpoint", async () => {
    tab = await openTab();
    await tab.open("/seals");
    const other = await createSigner(await newPrivateKey("other/log", new Uint8Array(32).fill(7)));
    await tab.page.getByLabel("Verifier key").fill(other.verifierKey);
    await expect
      .poll(() => tab.page.locator("#verifier-key-state").innerText())
      .toBe(
        `The checkpoint has no signature of this key, other/log (key id ${other.id}). It is signed by ${LOCAL_SEAL_ORIGIN} (key id fef67028).`,
      );
    expect(await tab.page.getByLabel("Verifier key").getAttribute("aria-invalid")).toBe("true");
  });

  it("verifies start and end of a request by its id, with the keyboard alone, and links to the request", async () => {
    tab = await openTab();
    const id = await send(url, { key: LOCAL_KEYS.alice.key, prompt: "Prove it." });
    await untilRecorded(url);
    await tab.open("/seals");
    await enterKey();
    const { keyboard } = tab.page;
    await tab.page.getByLabel("Id of a request or an event").focus();
    await keyboard.type("not an id");
    await keyboard.press("Enter");
    await tab.page.getByText("This is not the id of a request or an event").waitFor();
    await keyboard.press("Control+A");
    await keyboard.type(id.toUpperCase());
    await keyboard.press("Enter");
    const proofs = tab.page.getByRole("region", { name: "Proofs of a request" });
    for (const event of ["start", "end"]) {
      const button = proofs.getByRole("button", { name: `Verify the ${event} in this browser` });
      await button.focus();
      await keyboard.press("Enter");
    }
    const included = expect.stringMatching(/^Verified: The tree has the event's leaf/);
    await expect
      .poll(() => proofs.locator(".verdict").allInnerTexts())
      .toEqual([
        expect.anything(),
        included,
        expect.anything(),
        expect.anything(),
        included,
        expect.anything(),
      ]);
    expect(await tab.page.locator(".verdict.bad").count()).toBe(0);
    expect(new URL(tab.page.url()).searchParams.get("request")).toBe(id);
    await proofs.getByRole("link").first().click();
    await tab.page.getByRole("heading", { name: "Request", exact: true }).waitFor();
    expect(tab.problems).toEqual([]);
  });

  it("copies the whole id on a request's page, and takes it with blanks around it", async () => {
    tab = await openTab({ permissions: ["clipboard-write"] });
    const { page } = tab;
    const path = await requestPath(page, `initiator=${ADA}&chat_id=${CHAT}`);
    const id = path.replace(/.*\//, "");
    await tab.open(path);
    expect(await page.locator(".about code").innerText()).toBe(id);
    await page.getByRole("button", { name: "Copy the id of the request" }).click();
    await page.getByRole("status").getByText("Copied").waitFor();
    await tab.open("/seals");
    const field = page.getByLabel("Id of a request or an event");
    await field.fill("  ");
    // A person pastes it: the console's policy lets no script read the clipboard.
    await field.press("End");
    await field.press("Control+V");
    await page.keyboard.type(" \u00a0");
    expect(await field.inputValue()).toBe(`  ${id} \u00a0`);
    await page.getByRole("button", { name: "Get the proof" }).click();
    await page.getByRole("heading", { name: "Its start" }).waitFor();
    expect(new URL(page.url()).searchParams.get("request")).toBe(id);
    await tab.open(`/seals?request=%20${id}%20`);
    await page.getByRole("heading", { name: "Its end" }).waitFor();
    expect(tab.problems).toEqual([]);
  });

  // An operator with access to the database, or a compromised server, changes the tree's size under the old signature.
  it("reports a checkpoint that was changed after it was signed", async () => {
    tab = await openTab();
    await tab.page.route("**/checkpoint", async (route) => {
      const response = await route.fetch();
      const body = (await response.json()) as { checkpoint: string };
      const [name, size, ...rest] = body.checkpoint.split("\n");
      await route.fulfill({
        response,
        json: { ...body, checkpoint: [name, Number(size) + 1, ...rest].join("\n") },
      });
    });
    await tab.open("/seals");
    await enterKey();
    expect(await verify()).toEqual([expect.stringMatching(/^Failed: The signature of this key is wrong/)]);
  });

  it("verifies that the start of a request is in the log, from the request's own page", async () => {
    tab = await openTab();
    const path = await requestPath(tab.page, `initiator=${ADA}&chat_id=${CHAT}`);
    await tab.open("/seals");
    await enterKey();
    await tab.open(path);
    expect(await verifyStart()).toEqual([
      expect.stringMatching(/^Verified: The signature is valid/),
      expect.stringMatching(/^Verified: The tree has the event's leaf/),
      expect.stringMatching(/^Verified: The entry below is the one that was sealed/),
    ]);
  });

  // The proof of one event in place of another's.
  it("reports a proof whose entry is not that of the leaf", async () => {
    tab = await openTab();
    const path = await requestPath(tab.page, `initiator=${ADA}&chat_id=${CHAT}`);
    await tab.page.route("**/proof/*", async (route) => {
      const response = await route.fetch();
      const body = (await response.json()) as { entry: string };
      await route.fulfill({
        response,
        json: { ...body, entry: body.entry.replace("interception_start", "interception_end") },
      });
    });
    await tab.open("/seals");
    await enterKey();
    await tab.open(path);
    expect(await verifyStart()).toContainEqual("Failed: The entry is not the one of the leaf.");
  });
});

describe("live", () => {
  it("shows a new request by itself, and none while it is paused", async () => {
    tab = await openTab();
    await tab.open("/live");
    const newest = () => tab.page.locator("tbody tr").first().innerText();
    const before = await newest();
    await send(url, { key: LOCAL_KEYS.alice.key, prompt: "Now." });
    await expect.poll(newest, { timeout: 60_000 }).not.toBe(before);
    expect(await tab.page.locator("tr.fresh").count()).toBe(1);
    await tab.page.getByRole("button", { name: "Pause updates" }).click();
    await tab.page.getByRole("button", { name: "Resume updates" }).waitFor();
    expect(new URL(tab.page.url()).searchParams.get("paused")).toBe("true");
  });
});

const micros = (dollars: string | null): number => Math.round(Number(dollars?.slice(1)) * 1e6);

describe("a session", () => {
  it("lists each of its requests in a thread, those without tool calls too, with the sum of their costs", async () => {
    tab = await openTab();
    await tab.open(await sessionPath(tab.page, `initiator=${ADA}&chat_id=${CHAT}`));
    const fact = (name: string) =>
      tab.page.locator(".facts div", { has: tab.page.getByText(name, { exact: true }) }).locator("dd");
    await expect.poll(() => fact("Cost").innerText()).toMatch(/^\$/);
    const requests = Number(await fact("Requests").innerText());
    expect(await tab.page.locator(".steps > li").count()).toBe(requests);
    const titles = await tab.page
      .locator(".threads > li > .thread-head > span[title^='$']")
      .evaluateAll((all) => all.map((one) => one.getAttribute("title")));
    const sum = titles.map(micros).reduce((a, b) => a + b, 0);
    expect(sum).toBe(micros(await fact("Cost").locator("span").getAttribute("title")));
    expect(sum).toBeGreaterThan(0);
  });
});

describe("explain", () => {
  it("says on whose account a request would be made and by which rule, with a command that does the same", async () => {
    tab = await openTab();
    await tab.open("/explain");
    const headers = `User-Agent: coder-agents/v2.30.0\nX-Coder-Owner-Id: ${ADA}\nAuthorization: Bearer ${LOCAL_KEYS.coderAgents.key}`;
    await tab.page.getByLabel("Headers, one per line").fill(headers);
    await tab.page.getByRole("button", { name: "Explain", exact: true }).click();
    await tab.page.getByText("Result: The request would be forwarded to team-openai.").waitFor();
    const card = tab.page.getByRole("region", { name: "What would happen" });
    expect(await card.innerText()).toContain("asserted");
    expect(await card.getByRole("table", { name: "Candidates for the initiator" }).count()).toBe(1);
    expect(await tab.page.getByRole("region", { name: "Command" }).innerText()).toContain(
      "npm run -s explain -- --url",
    );
    await tab.page.getByLabel("Model, for budgets").fill("gpt-5.1-codex");
    await tab.page.getByLabel("Limit of output tokens").fill("100");
    await tab.page.getByRole("button", { name: "Explain", exact: true }).click();
    await expect
      .poll(() => tab.page.getByRole("region", { name: "Command" }).innerText())
      .toContain("--model 'gpt-5.1-codex' --output-limit '100'");
    expect(tab.problems).toEqual([]);
  });

  it("names the line of a header that has no colon", async () => {
    tab = await openTab();
    await tab.open("/explain");
    await tab.page.getByLabel("Headers, one per line").fill("Authorization: Bearer x\nwrong");
    await tab.page.getByRole("button", { name: "Explain", exact: true }).click();
    await expect.poll(() => tab.page.getByText("Line 2 of the headers").count()).toBe(1);
  });

  it("gives the command where the console's host has no gateway", async () => {
    tab = await openTab({ expectedStatuses: [404] });
    await tab.page.route("**/explain", (route) =>
      route.request().method() === "POST" ? route.fulfill({ status: 404, json: {} }) : route.continue(),
    );
    await tab.open("/explain");
    const headers = tab.page.getByLabel("Headers, one per line");
    await tab.page.getByRole("button", { name: "Explain", exact: true }).click();
    await tab.page.getByText("Replace <client key> with a key").waitFor();
    await headers.fill(`Authorization: Bearer ${LOCAL_KEYS.alice.key}`);
    await tab.page.getByRole("button", { name: "Explain", exact: true }).click();
    await tab.page.getByText("The gateway is not on this host.").waitFor();
    expect(await tab.page.getByRole("region", { name: "Command" }).innerText()).toContain(
      "<host of the gateway>",
    );
  });
});

const accounts = () => tab.page.getByRole("table", { name: "Accounts, the most used first" });

const limitOfAlice = (): Promise<string> =>
  accounts().locator("tbody tr", { hasText: "Alice" }).locator("td.number").first().innerText();

const hundredthsOfCents = async (): Promise<number> =>
  Math.round(Number((await limitOfAlice()).replace("$", "")) * 1e4);

describe("budgets", () => {
  it("says that they are the gateway's where the console's host has none, with the command", async () => {
    tab = await openTab({ expectedStatuses: [404] });
    await tab.page.route("**/api/v2/ai-gateway/budgets?*", (route) =>
      route.fulfill({ status: 404, json: {} }),
    );
    await tab.open("/budgets");
    await tab.page.getByText("The gateway is not on this host.").waitFor();
    expect(await tab.page.getByRole("region", { name: "Command" }).innerText()).toContain(
      "report -- budgets",
    );
  });

  it("adds to the limit of an account, sets one of its own, and removes it", async () => {
    tab = await openTab();
    await tab.open("/budgets?budget=codex-trial");
    const before = await limitOfAlice();
    await tab.page.getByRole("link", { name: "Change codex-trial of Alice" }).click();
    await tab.page.getByLabel("Add to the limit").check();
    await tab.page.getByLabel("Amount in dollars").fill("25");
    await tab.page.getByRole("button", { name: "Save" }).click();
    await expect.poll(limitOfAlice).toBe("$25.01");
    await tab.page.getByLabel("Set a limit of its own").check();
    await tab.page.getByLabel("Amount in dollars").fill("40");
    await tab.page.getByRole("button", { name: "Save" }).click();
    await expect.poll(limitOfAlice).toBe("$65.00");
    await tab.page.getByLabel("Remove its own limit").check();
    await tab.page.getByRole("button", { name: "Save" }).click();
    await expect.poll(limitOfAlice).toBe("$25.01");
    expect(before).toBe("$0.0104");
    const events = tab.page.getByRole("table", { name: "Events of budgets, newest first" });
    await tab.open("/budgets?budget=codex-trial");
    expect((await events.locator("tbody tr").allInnerTexts()).slice(0, 3)).toEqual([
      expect.stringMatching(/limit changed: no override/),
      expect.stringMatching(/limit changed: override, \$40\.00/),
      expect.stringMatching(/limit changed: top up, \$25\.00/),
    ]);
    expect(tab.problems).toEqual([]);
  });

  // The response to a top-up is lost, and the person saves it again: the account must not get it twice.
  it("adds a top-up once that is saved again after its response was lost", async () => {
    tab = await openTab();
    let lost = 0;
    await tab.page.route("**/budgets/changes", async (route) => {
      if (lost > 0) return route.continue();
      lost += 1;
      await route.fetch();
      await route.abort();
    });
    await tab.open("/budgets?budget=codex-trial");
    const before = await hundredthsOfCents();
    await tab.page.getByRole("link", { name: "Change codex-trial of Alice" }).click();
    await tab.page.getByLabel("Add to the limit").check();
    await tab.page.getByLabel("Amount in dollars").fill("3");
    await tab.page.getByRole("button", { name: "Save" }).click();
    await tab.page.getByText("Could not save the change.").waitFor();
    await tab.page.getByRole("button", { name: "Save" }).click();
    await tab.page.getByText("Saved. The limit is now").waitFor();
    await expect.poll(async () => (await hundredthsOfCents()) - before).toBe(30_000);
  });

  it("that refused calls need attention, and lead to the refusals and to the request's budget", async () => {
    tab = await openTab();
    await tab.open("?range=7d");
    const line = tab.page.getByRole("link", { name: /^Budget codex-trial of Alice.*: calls were refused/ });
    await line.click();
    await settled(tab.page);
    expect(new URL(tab.page.url()).searchParams.get("range")).toBe("7d");
    const rows = await tab.page.locator("tbody tr").allInnerTexts();
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(row).toMatch(/budget_exceeded[\s\S]*Alice/);
    await tab.page.locator("tbody tr").first().getByRole("link", { name: "Alice" }).first().click();
    await settled(tab.page);
    const events = tab.page.getByRole("table", { name: "Events of budgets, newest first" });
    expect(await events.innerText()).toMatch(/refused a call, first in its period/);
    expect(tab.problems).toEqual([]);
  });
});

describe("states", () => {
  it("says what failed where the server cannot be reached, and shows the rows after a retry", async () => {
    tab = await openTab();
    await tab.page.route("**/sessions?*", (route) => route.abort());
    await tab.page.goto(`${url}/console/sessions`);
    await tab.page.getByText("Could not load sessions.").waitFor();
    await tab.page.unroute("**/sessions?*");
    await tab.page.getByRole("button", { name: "Retry" }).click();
    await settled(tab.page);
    expect(await tab.page.locator("tbody tr").count()).toBeGreaterThan(0);
  });

  it("says when to retry where the ledger is overloaded", async () => {
    tab = await openTab({ expectedStatuses: [503] });
    await tab.page.route("**/sessions?*", (route) =>
      route.fulfill({
        status: 503,
        headers: { "retry-after": "7", "x-interceptor-error": "ledger_unavailable" },
        json: { message: "The ledger is not available." },
      }),
    );
    await tab.page.goto(`${url}/console/sessions`);
    await tab.page.getByText("Retry after 7 s").waitFor();
    expect(await tab.page.getByRole("alert").innerText()).toContain("ledger_unavailable");
  });

  it("says what to do next where nothing matches", async () => {
    tab = await openTab();
    await tab.open("/sessions?client=No+such+client");
    expect(await tab.page.getByText("No sessions in the last 30 days match.").count()).toBe(1);
    expect(await tab.page.getByRole("region", { name: "A first request" }).innerText()).toContain(
      `curl ${url}`,
    );
  });

  it("names what is missing from figures: calls without a price, and mixed attribution", async () => {
    tab = await openTab();
    await tab.open("");
    expect(await tab.page.getByText("no known price").count()).toBe(1);
    expect(await tab.page.getByText("weakest: claimed, mixed").count()).toBe(1);
  });

  it("shows times in the reader's zone, and UTC in the title", async () => {
    tab = await openTab();
    await tab.open("/live?limit=1");
    const time = tab.page.locator("tbody time").first();
    const at = new Date((await time.getAttribute("datetime")) ?? "");
    expect(await time.getAttribute("title")).toBe(at.toISOString().replace("T", " ").replace("Z", " UTC"));
    const hour = new Intl.DateTimeFormat("en-US", { hour: "2-digit", timeZone: "America/New_York" }).format(
      at,
    );
    expect(await time.innerText()).toContain(`${hour.split(/\s/)[0]}:`);
  });
});
