/** Calls of which the provider rejected the client's own key are in no total of the account that they name. */
import { beforeEach, describe, expect, it } from "vitest";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { fetchOk, items } from "../../support/in-workerd/api-client.ts";
import { insert, interception, T0 } from "../../support/in-workerd/api-rows.ts";

const VICTIM = "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5";
const REJECTED = {
  initiator_id: VICTIM,
  actor_id: "byok:0123456789abcdef0123456789abcdef",
  attribution: "claimed",
  outcome: "upstream_error",
  own_key_rejected: 1,
};

describe("calls with a rejected own key", () => {
  beforeEach(async () => {
    await emptyLedger();
    await insert("interceptions", [
      interception(T0, { initiator_id: VICTIM, attribution: "authenticated" }),
      ...Array.from({ length: 20 }, (_, at) => interception(T0 + 1 + at, REJECTED)),
    ]);
  });

  // The attack: 20 made-up keys of a caller without any credential, each naming the victim.
  it.each([
    ["/usage", "results", ["key", VICTIM]],
    ["/usage?group_by=actor", "results", null],
    ["/attribution", "results", ["attribution", "authenticated"]],
  ] as const)("Finding H4: are not counted by %s", async (path, list, field) => {
    const results = items(await fetchOk(path), list);
    expect(results).toHaveLength(1);
    expect(results[0]).toMatchObject({ requests: 1, ...(field && { [field[0]]: field[1] }) });
  });

  it.each(["", `initiator=${VICTIM}`])("Finding H4: make no session in the list with ?%s", async (query) => {
    const sessions = items(await fetchOk(`/sessions?${query}`), "sessions");
    expect(sessions).toHaveLength(1);
    expect(sessions[0]).toMatchObject({ interceptions: 1, attributions: ["authenticated"] });
  });

  it("are shown where the query names them", async () => {
    const usage = items(await fetchOk("/usage?own_key_rejected=true"), "results");
    expect(usage).toMatchObject([{ key: VICTIM, requests: 20 }]);
    const listed = items(await fetchOk("/interceptions?attribution=claimed&limit=50"), "results");
    expect(listed).toHaveLength(20);
    expect(listed[0]).toMatchObject({ own_key_rejected: true });
  });
});
