/** GET /budgets/events over rows in D1. */
import { beforeAll, describe, expect, it } from "vitest";
import { eventId } from "../../../src/events/event-id.ts";
import { RECORDS } from "../../../src/events/fields.ts";
import { fetchOk } from "../../support/in-workerd/api-client.ts";
import { ALICE, budgetEvent, insert, T0, type Row } from "../../support/in-workerd/api-rows.ts";
import { everyEvent } from "../../support/in-workerd/events.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

const TYPES = everyEvent.filter(({ record_type: type }) => RECORDS[type].table === "budget_events");

const idOf = (type: string): string | undefined =>
  TYPES.find(({ record_type: one }) => one === type)?.interception_id;

type Body = { readonly count: number; readonly results: readonly Row[] };
const list = async (query: string): Promise<Body> => (await fetchOk(`/budgets/events${query}`)) as Body;

beforeAll(async () => {
  await emptyLedger();
  await insert(
    "budget_events",
    TYPES.map((event, at) =>
      budgetEvent(T0 + at * 1000, { id: eventId(event), interception_id: event.interception_id }),
    ),
  );
});

describe("the events of budgets", () => {
  it("have their type, which only the id has", async () => {
    const { count, results } = await list("");
    expect(count).toBe(6);
    expect(results.map(({ id, type }) => [id, type]).toSorted()).toEqual(
      TYPES.map((event) => [eventId(event), event.record_type]).toSorted(),
    );
  });

  it.each(TYPES.map(({ record_type: type }) => type))("are selected by their type: %s", async (type) => {
    const { results } = await list(`?type=${type}`);
    expect(results.map((row) => row["type"])).toEqual([type]);
  });

  it("name the account, what it has spent, and the request", async () => {
    const { results } = await list("?type=budget_exceeded");
    expect(results).toMatchObject([
      {
        interception_id: idOf("budget_exceeded"),
        rule: "budget:people",
        subject_source: "coder",
        subject_id: ALICE,
        spent: 49_000_000,
        allowance: 50_000_000,
        amount: 1_200_000,
        resets_at: expect.stringMatching(/^\d{4}-/),
      },
    ]);
  });

  it("do not have the charges, which are for the account's object alone", async () => {
    const { results } = await list("?type=budget_charge");
    expect(results[0]).not.toHaveProperty("charges");
  });

  it("are read without those of another request", async () => {
    const id = idOf("budget_change");
    const { results } = await list(`?interception_id=${id}`);
    expect(results.map((row) => row["interception_id"])).toEqual([id]);
  });
});
