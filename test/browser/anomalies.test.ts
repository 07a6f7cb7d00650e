/** The page of anomalies. The cron reads requests that are 15 minutes old, so the API's response is replaced. */
import { expect, it } from "vitest";
import type { Anomaly } from "../../console/api/types.ts";
import { openTab, useBrowser } from "./support/browser.ts";
import { ADA, CHAT, GRACE } from "./support/traffic.ts";

useBrowser();

const REQUEST = "01a22403-b486-7913-91a0-185c039c7964";
const KEY_ACTOR = "byok:f00dfeed0000000000000000000000000000beef";

const anomaly = (at: string, rest: Pick<Anomaly, "kind" | "subject" | "count" | "details">): Anomaly => ({
  id: `01a22400-0000-8000-8000-00000000000${at.slice(12, 13)}`,
  first_interception_id: REQUEST,
  last_interception_id: REQUEST,
  first_seen: at,
  last_seen: at,
  ...rest,
});

const RESULTS: readonly Anomaly[] = [
  anomaly("2026-11-28T11:00:00.000Z", {
    kind: "actor_multiple_owners",
    subject: CHAT,
    count: 2,
    details: { initiators: [`coder:${ADA}`, `coder:${GRACE}`], actors: [`byok:${KEY_ACTOR}`] },
  }),
  anomaly("2026-11-28T13:00:00.000Z", {
    kind: "unknown_usage_share",
    subject: "reports-service",
    count: 12,
    details: { actor: "keys:reports-service", requests: 40, share: 0.3 },
  }),
  anomaly("2026-11-28T12:00:00.000Z", {
    kind: "key_many_refusals",
    subject: "aei_key",
    count: 61,
    details: {
      hour: "2026-11-28T12:00:00.000Z",
      actor: null,
      reasons: ["model_not_allowed", "budget_exceeded"],
    },
  }),
];

it("shows anomalies in the order of the shown time, with their details in words and their counts with units", async () => {
  const tab = await openTab();
  const { page } = tab;
  const json = { results: RESULTS, count: RESULTS.length, count_is_capped: false };
  await page.route(/\/api\/v2\/ai-gateway\/anomalies/, (route) => route.fulfill({ json }));
  await tab.open("/anomalies");
  await page.getByRole("region", { name: "Anomalies, newest day first" }).waitFor();
  expect(
    await page.locator("tbody th time").evaluateAll((all) => all.map((one) => one.getAttribute("datetime"))),
  ).toEqual(
    RESULTS.map(({ last_seen: at }) => at)
      .toSorted()
      .toReversed(),
  );
  const cells = (label: string) => page.locator(`tbody td[data-label="${label}"]`).allInnerTexts();
  expect(await cells("Count")).toEqual(["12 requests", "61 refusals", "2 initiators"]);
  const [share, refusals, owners = ""] = (await cells("Details")).map((text) => text.replaceAll(/\s+/g, " "));
  expect(share).toBe("actor: reports-service keys; requests: 40; share: 30%");
  expect(refusals).toMatch(/^hour: .+; actor: –.*; reasons: model_not_allowed, budget_exceeded$/);
  expect(owners).toBe(
    "initiators: ada10000…0000ada1 coder, c0b01000…0000c0b0 coder; actors: byok:f00…0000beef byok",
  );
  expect((await cells("Pattern")).at(-1)).toMatch(
    /^actor_multiple_owners one actor's requests with one chat id /,
  );
  expect(tab.problems).toEqual([]);
});
