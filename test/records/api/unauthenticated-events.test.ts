/** GET /unauthenticated-events. */
import { beforeEach, describe, expect, it } from "vitest";
import { fetchOk, items, part } from "../../support/in-workerd/api-client.ts";
import { BOB, idAt, insert, iso, T0, unauthenticatedEvent } from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

beforeEach(emptyLedger);

describe("GET /unauthenticated-events", () => {
  it("returns every field of an event", async () => {
    await insert("unauthenticated_events", [unauthenticatedEvent(T0, { mac_key_id: "0123abcd" })]);
    expect(await fetchOk("/unauthenticated-events")).toEqual({
      count: 1,
      count_is_capped: false,
      results: [
        {
          id: idAt(T0),
          event_id: idAt(T0),
          record_type: "interception_start",
          interception_id: idAt(T0),
          event: { record_type: "interception_start", interception_id: idAt(T0), initiator_id: BOB },
          reason: "missing",
          mac_key_id: "0123abcd",
          via: "q",
          stored_at: iso(T0),
        },
      ],
    });
  });

  it.each([
    ["", [3, 2, 1, 0]],
    ["?reason=wrong", [1]],
    ["?record_type=refusal", [2]],
    [`?started_after=${iso(T0 + 2)}`, [3, 2]],
    ["?limit=1&offset=1", [2]],
  ])("selects with %j", async (query, expected) => {
    await insert("unauthenticated_events", [
      unauthenticatedEvent(T0),
      unauthenticatedEvent(T0 + 1, { reason: "wrong" }),
      unauthenticatedEvent(T0 + 2, { record_type: "refusal" }),
      unauthenticatedEvent(T0 + 3, { reason: "unknown_key" }),
    ]);
    const found = items(await fetchOk(`/unauthenticated-events${query}`), "results");
    expect(found.map((one) => part(one, "id"))).toEqual(expected.map((n) => idAt(T0 + n)));
  });
});
