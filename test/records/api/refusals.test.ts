/** GET /refusals and GET /refusals/counts. */
import { beforeEach, describe, expect, it } from "vitest";
import { RECORDS_REFUSALS } from "../../../src/shared/records-refusal.ts";
import { fetchApi, fetchFault, fetchOk, items, part } from "../../support/in-workerd/api-client.ts";
import {
  ALICE,
  BOB,
  idAt,
  insert,
  iso,
  refusal,
  refusalCount,
  T0,
  VERIFIED,
} from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

const MINUTE = 60_000;
const HOUR = 3_600_000;

beforeEach(emptyLedger);

const idsOf = async (path: string): Promise<unknown[]> =>
  items(await fetchOk(path), "results").map((one) => part(one, "id"));

describe("GET /refusals", () => {
  it("returns every field of a refusal", async () => {
    await insert("refusals", [refusal(T0, VERIFIED)]);
    expect(await fetchOk("/refusals")).toEqual({
      count: 1,
      count_is_capped: false,
      results: [
        {
          id: idAt(T0),
          interception_id: idAt(T0),
          reason: "model_not_allowed",
          status: 403,
          detail: "no such client key",
          method: "POST",
          provider: "openai-prod",
          route: "/chat/completions",
          client: "Unknown",
          actor_id: ALICE,
          actor_kind: "user",
          initiator_id: ALICE,
          created_at: iso(T0),
          worker_version: null,
          identity_source: "coder",
          actor_verified: true,
          api_key_id: "0123456789abcdef",
          initiator_source: "coder",
          client_country: null,
          client_ray: null,
          client_ip: null,
          object_ids: [],
        },
      ],
    });
  });

  it.each([
    ["", [4, 3, 2, 1, 0]],
    ["?reason=model_not_allowed", [3, 1]],
    [`?actor=${ALICE.toUpperCase()}`, [1]],
    ["?actor=byok:0123", [2]],
    ["?object_id=file-1", [2]],
    ["?object_id=file", []],
    ["?provider=another", [3]],
    ["?verified=true", [3, 1]],
    ["?verified=false", [4, 2, 0]],
    [`?started_after=${iso(T0 + 1)}&started_before=${iso(T0 + 3)}`, [3, 2, 1]],
    [`?verified=false&after_id=${idAt(T0 + 4)}`, [2, 0]],
    ["?reason=not_found&verified=true", []],
  ])("selects by the filters%s", async (search, expected) => {
    await insert("refusals", [
      refusal(T0),
      refusal(T0 + 1, VERIFIED),
      refusal(T0 + 2, {
        actor_id: "byok:0123",
        actor_kind: "unknown",
        identity_source: "byok",
        object_ids: '["file-1"]',
      }),
      refusal(T0 + 3, { ...VERIFIED, actor_id: BOB, provider: "another" }),
      // Of an earlier gateway.
      refusal(T0 + 4, { actor_verified: null, identity_source: null }),
    ]);
    expect(await idsOf(`/refusals${search}`)).toEqual(expected.map((at) => idAt(T0 + at)));
  });

  it("names the rule of a reason, and of no other list", async () => {
    expect(await fetchFault("/refusals?reason=form")).toEqual([400, "reason"]);
    expect(await fetchFault("/refusals/counts?reason=form")).toEqual([400, "reason"]);
    // No event of a refusal has them: the codes of the records Worker alone, and the reason of counted calls.
    for (const code of [...Object.keys(RECORDS_REFUSALS), "own_key_unconfirmed"])
      expect(await fetchFault(`/refusals?reason=${code}`)).toEqual([400, "reason"]);
    expect(await fetchFault("/overrides?reason=not_found")).toEqual([400, "reason"]);
    expect(await fetchFault("/refusals?verified=yes")).toEqual([400, "verified"]);
  });
});

/** Details of unknown callers, refusals of Alice, and counts of two isolates. */
async function insertRefusals(): Promise<void> {
  await insert("refusals", [
    refusal(T0),
    refusal(T0, {}, 1),
    refusal(T0 + 59_999, VERIFIED),
    refusal(T0 + MINUTE, VERIFIED),
    refusal(T0 - HOUR, { ...VERIFIED, reason: "invalid_credential", provider: "another" }),
  ]);
  await insert("refusal_counts", [
    refusalCount(T0, 7000),
    refusalCount(T0 + 1000, 3000, {}, 1),
    refusalCount(T0 + MINUTE, 5),
    refusalCount(T0 + MINUTE, 1, { reason: "not_found", provider: null }, 1),
    refusalCount(T0 - HOUR, 2),
  ]);
}

const rowsOf = (json: unknown): unknown[][] =>
  items(json, "results").map((one) =>
    ["time", "reason", "refusals", "verified", "unverified"].map((name) => part(one, name)),
  );

describe("GET /refusals/counts", () => {
  beforeEach(insertRefusals);

  it("selects the failed calls with a key that is not known to work", async () => {
    await insert("refusal_counts", [refusalCount(T0, 4, { reason: "own_key_unconfirmed" }, 2)]);
    expect(rowsOf(await fetchOk("/refusals/counts?reason=own_key_unconfirmed"))).toEqual([
      [iso(T0).replace(/:.*/, ":00:00.000Z"), "own_key_unconfirmed", 4, 0, 4],
    ]);
  });

  const BY_MINUTE = [
    [iso(T0 + MINUTE), "invalid_credential", 5, 0, 5],
    [iso(T0 + MINUTE), "model_not_allowed", 1, 1, 0],
    [iso(T0 + MINUTE), "not_found", 1, 0, 1],
    [iso(T0), "invalid_credential", 10_000, 0, 10_000],
    [iso(T0), "model_not_allowed", 1, 1, 0],
    [iso(T0 - HOUR), "invalid_credential", 3, 1, 2],
  ];

  it("adds the refusals with a verified actor to the counts, and counts no detail of the others twice", async () => {
    expect(rowsOf(await fetchOk("/refusals/counts?per=minute"))).toEqual(BY_MINUTE);
  });

  it.each([
    [
      "",
      [
        [iso(T0), "invalid_credential", 10_005, 0, 10_005],
        [iso(T0), "model_not_allowed", 2, 2, 0],
        [iso(T0), "not_found", 1, 0, 1],
        [iso(T0 - HOUR), "invalid_credential", 3, 1, 2],
      ],
    ],
    [
      "?per=day",
      [
        ["2026-11-23T00:00:00.000Z", "invalid_credential", 10_008, 1, 10_007],
        ["2026-11-23T00:00:00.000Z", "model_not_allowed", 2, 2, 0],
        ["2026-11-23T00:00:00.000Z", "not_found", 1, 0, 1],
      ],
    ],
    ["?reason=not_found", [[iso(T0), "not_found", 1, 0, 1]]],
    ["?provider=another", [[iso(T0 - HOUR), "invalid_credential", 1, 1, 0]]],
    [
      `?started_after=${iso(T0 + 30_000)}&started_before=${iso(T0 + 31_000)}`,
      [
        [iso(T0), "invalid_credential", 10_000, 0, 10_000],
        [iso(T0), "model_not_allowed", 1, 1, 0],
      ],
    ],
    [`?started_before=${iso(T0 - 2 * HOUR)}`, []],
  ])("sums by period and filters%s", async (search, expected) => {
    expect(rowsOf(await fetchOk(`/refusals/counts${search}`))).toEqual(expected);
  });

  it("says which whole minutes it covers", async () => {
    const range = `started_after=${iso(T0 + 30_000)}&started_before=${iso(T0 + 31_000)}`;
    expect(await fetchOk(`/refusals/counts?${range}`)).toMatchObject({
      per: "hour",
      started_after: iso(T0),
      started_before: iso(T0 + MINUTE - 1),
      count: 2,
    });
  });

  it("leads through every result once, along the Link header, in a range that stays the same", async () => {
    const rows: unknown[][] = [];
    const searches: string[] = [];
    for (let search: string | undefined = "per=minute&limit=4"; search !== undefined;) {
      searches.push(search);
      const { json, headers } = await fetchApi(`/refusals/counts?${search}`);
      rows.push(...rowsOf(json));
      expect(headers.get("x-total-count")).toBe("6");
      search = /<\?([^>]*)>; rel="next"/.exec(headers.get("link") ?? "")?.[1];
    }
    expect(rows).toEqual(BY_MINUTE);
    expect(searches).toEqual([
      "per=minute&limit=4",
      expect.stringMatching(/^per=minute&limit=4&started_after=.*&started_before=.*&offset=4$/),
    ]);
    expect(await fetchOk("/refusals/counts?offset=50")).toMatchObject({ count: 4, results: [] });
  });

  it("is served as CSV", async () => {
    const { text } = await fetchApi("/refusals/counts?reason=not_found&format=csv");
    expect(text).toBe(`time,reason,refusals,verified,unverified\r\n${iso(T0)},not_found,1,0,1\r\n`);
  });
});
