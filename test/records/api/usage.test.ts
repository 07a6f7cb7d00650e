import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptionStart } from "../../../src/events/event.ts";
import { toCsv } from "../../../src/shared/csv.ts";
import { fetchApi, fetchOk, items, NOW, part } from "../../support/in-workerd/api-client.ts";
import {
  ALICE,
  BOB,
  database,
  idAt,
  insert,
  interception,
  iso,
  T0,
  used,
  userPrompt,
} from "../../support/in-workerd/api-rows.ts";
import { BATCH_FILE, END, RETRIEVED, START, NO_COST, NO_TOKENS } from "../../support/in-workerd/events.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

beforeEach(emptyLedger);

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** The default start of a time range: the day that was 30 days before. */
const FROM = Date.UTC(2026, 9, 24);

/** Three requests by Alice on two days; two by Bob, of which one has partial usage and one has not ended. */
async function fill(): Promise<void> {
  const asserted = { initiator_id: BOB, attribution: "asserted" };
  await insert("interceptions", [
    interception(T0 - DAY, { ...used(), model: "m1" }),
    interception(T0, { ...used(), model: "m1" }),
    interception(T0 + 1, { ...used(), model: "m2" }),
    interception(T0 + 2, { ...used(), ...asserted, model: "m2", usage: "partial" }),
    interception(T0 + 3, { ...asserted, model: null, usage: null, outcome: null }),
  ]);
}

const TOKENS = {
  input_tokens: 10,
  output_tokens: 20,
  cache_read_input_tokens: 3,
  cache_write_input_tokens: 0,
};
const times = (factor: number): typeof TOKENS => ({
  input_tokens: 10 * factor,
  output_tokens: 20 * factor,
  cache_read_input_tokens: 3 * factor,
  cache_write_input_tokens: 0,
});

const modelsOf = async (query: string, now = NOW): Promise<unknown[]> => {
  const body = await fetchOk(`/usage?group_by=model${query}`, { now: () => now });
  return items(body, "results").map((one) => part(one, "key"));
};

const namesBy = async (group: string): Promise<unknown[]> =>
  items(await fetchOk(`/usage?group_by=${group}&order=key`), "results").map((one) => [
    part(one, "key"),
    part(one, "name"),
  ]);

const OWN = { source: "keys", attribution: "authenticated", mixed: false };
const ASSERTED = { source: "coder", attribution: "asserted", mixed: false };

const named = (n: number, initiator_name: string | null): InterceptionStart => ({
  ...START,
  interception_id: idAt(T0, n),
  initiator_name,
  metadata: {},
});

describe("GET /usage", () => {
  it("groups by initiator, most requests first, with the number of requests of unknown usage", async () => {
    await fill();
    expect(await fetchOk("/usage")).toEqual({
      group_by: "initiator",
      started_after: iso(FROM),
      started_before: iso(NOW),
      results: [
        {
          key: ALICE,
          ...OWN,
          name: "alice",
          requests: 3,
          ...times(3),
          unknown_usage: 0,
          cost_micros: 750,
          unpriced: 0,
        },
        {
          key: BOB,
          ...ASSERTED,
          name: null,
          requests: 2,
          ...TOKENS,
          unknown_usage: 2,
          cost_micros: 250,
          unpriced: 1,
        },
      ],
      count: 2,
      results_are_capped: false,
    });
  });

  it.each([
    ["actor", [[ALICE, 5]]],
    ["client", [["Claude Code", 5]]],
    ["provider", [["anthropic", 5]]],
    [
      "model",
      [
        ["m1", 2],
        ["m2", 2],
        [null, 1],
      ],
    ],
    [
      "day",
      [
        ["2026-11-23", 4],
        ["2026-11-22", 1],
      ],
    ],
  ])("groups by %s", async (group, rows) => {
    await fill();
    const results = items(await fetchOk(`/usage?group_by=${group}`), "results");
    expect(results.map((one) => [part(one, "key"), part(one, "requests")])).toEqual(rows);
  });

  it("orders equal counts by key, and marks results that the limit truncates", async () => {
    await insert(
      "interceptions",
      ["c", "a", "b"].map((model, n) => interception(T0 + n, { model })),
    );
    expect(await modelsOf("")).toEqual(["a", "b", "c"]);
    expect(await modelsOf("&limit=2")).toEqual(["a", "b"]);
    expect(part(await fetchOk("/usage?group_by=model&limit=2"), "results_are_capped")).toBe(true);
    expect(part(await fetchOk("/usage?group_by=model&limit=3"), "results_are_capped")).toBe(false);
  });

  it("names an initiator by the directory or as its own actor, and an actor by its credential", async () => {
    await insert("interceptions", [
      interception(T0, { metadata: "{}" }),
      interception(T0 + 1),
      interception(T0 + 2, { initiator_id: BOB, attribution: "asserted" }),
      interception(T0 + 3, { initiator_id: BOB, attribution: "asserted", initiator_name: "bob" }),
      interception(T0 + 4, { initiator_id: "bot", actor_id: "bot", metadata: "no JSON" }),
      interception(T0 + 5, { initiator_id: "carol", attribution: "asserted" }),
    ]);
    expect(await namesBy("initiator")).toEqual([
      [ALICE, "alice"],
      [BOB, "bob"],
      ["bot", null],
      ["carol", null],
    ]);
    expect(await namesBy("actor")).toEqual([
      [ALICE, "alice"],
      ["bot", null],
    ]);
    expect(await namesBy("client")).toEqual([["Claude Code", null]]);
  });

  it("has the name of the last interception that has one, also where a later one of the batch has none", async () => {
    for (const batch of [
      [named(1, "first"), named(2, null)],
      [named(3, null)],
      [named(4, "last"), named(5, null)],
    ])
      await storeEvents(database, batch);
    expect(await namesBy("initiator")).toEqual([[START.initiator_id, "last"]]);
  });

  it("counts several usages of one interception, retrieved later, as one request", async () => {
    const results = ["a", "b"].map((name, n) => ({
      ...RETRIEVED,
      interception_id: idAt(T0, n),
      msg_id: BATCH_FILE.file_id,
      usage_of: `${BATCH_FILE.provider}/${BATCH_FILE.file_id}/${name}`,
    }));
    const end = {
      ...END,
      ...NO_TOKENS,
      ...NO_COST,
      outcome: "queued",
      usage: "unknown",
      msg_id: BATCH_FILE.msg_id,
    } as const;
    for (const event of [START, end, BATCH_FILE, ...results]) await storeEvents(database, [event]);
    const { initiator_id: key, initiator_name: name } = START;
    const counts = { ...times(0), input_tokens: 22, output_tokens: 14 };
    expect(items(await fetchOk("/usage"), "results")).toEqual([
      // A batch may have further results.
      { key, ...ASSERTED, name, requests: 1, ...counts, unknown_usage: 1, cost_micros: 196, unpriced: 0 },
    ]);
    const [share] = items(await fetchOk("/attribution"), "results");
    expect([part(share, "requests"), part(share, "tokens")]).toEqual([1, 36]);
    // The interception's own usage stays what its end said.
    const [listed] = items(await fetchOk("/interceptions"), "results");
    expect([part(listed, "usage"), part(listed, "usage_state")]).toEqual(["unknown", "partial"]);
  });

  it("reads the last 30 days by default", async () => {
    await insert("interceptions", [
      interception(FROM - 1, { model: "before" }),
      interception(FROM, { model: "first" }),
      interception(NOW, { model: "now" }),
    ]);
    expect(await modelsOf("")).toEqual(["first", "now"]);
    expect(await modelsOf("&started_after=2020-01-01T00:00:00Z")).toEqual(["before", "first", "now"]);
    expect(await modelsOf(`&started_before=${iso(NOW - 1)}`)).toEqual(["first"]);
    expect(await modelsOf(`&started_before=${iso(FROM)}`)).toEqual(["before", "first"]);
    expect(await modelsOf(`&started_after=${iso(NOW)}&started_before=${iso(NOW - 1)}`)).toEqual([]);
    await insert("interceptions", [interception(NOW + 1, { model: "after" })]);
    const later = NOW + 2 * HOUR;
    expect(await modelsOf(`&started_before=${iso(NOW)}`, later)).toEqual(["first", "now"]);
    expect(await modelsOf(`&started_before=${iso(NOW + 1)}`, later)).toEqual(["after", "first", "now"]);
    expect(await modelsOf(`&started_after=${iso(NOW + 1)}`, later)).toEqual(["after"]);
  });

  // The clock of a gateway runs ahead.
  it("leaves out a request from after the end of the range, also in the hour that has not ended", async () => {
    await insert("interceptions", [
      interception(NOW, { ...used(), model: "now" }),
      interception(NOW + 60_000, { ...used(), model: "later" }),
      interception(NOW + 60_001, { ...used(), model: "now" }),
    ]);
    const body = await fetchOk("/usage?group_by=model");
    expect(items(body, "results")).toMatchObject([{ key: "now", requests: 1, ...times(1) }]);
    expect(await modelsOf("", NOW + 60_000)).toEqual(["later", "now"]);
    const days = items(await fetchOk("/usage?group_by=day"), "results");
    expect(days).toMatchObject([{ requests: 1, ...times(1) }]);
    expect(await fetchOk(`/usage?group_by=model&started_after=${iso(NOW + 2)}`)).toMatchObject({ count: 0 });
  });

  it("begins with a complete day by default", async () => {
    await insert("interceptions", [
      interception(FROM - 1, { model: "before" }),
      interception(FROM, { model: "first" }),
      interception(FROM + DAY, { model: "second" }),
    ]);
    const midnight = FROM + 30 * DAY;
    for (const now of [midnight, NOW, midnight + DAY - 1]) {
      expect(await modelsOf("", now)).toEqual(["first", "second"]);
      const body = await fetchOk("/usage", { now: () => now });
      expect([part(body, "started_after"), part(body, "started_before")]).toEqual([iso(FROM), iso(now)]);
    }
    expect(await modelsOf("", midnight + DAY)).toEqual(["second"]);
  });
});

describe("GET /attribution", () => {
  it("returns each attribution's share of requests and tokens per day", async () => {
    await fill();
    expect(await fetchOk("/attribution")).toEqual({
      started_after: iso(FROM),
      started_before: iso(NOW),
      attribution: "asserted",
      mixed: true,
      results: [
        {
          day: "2026-11-23",
          attribution: "asserted",
          requests: 2,
          tokens: 33,
          share_of_requests: 0.5,
          share_of_tokens: 0.333333,
          unknown_usage: 2,
        },
        {
          day: "2026-11-23",
          attribution: "authenticated",
          requests: 2,
          tokens: 66,
          share_of_requests: 0.5,
          share_of_tokens: 0.666667,
          unknown_usage: 0,
        },
        {
          day: "2026-11-22",
          attribution: "authenticated",
          requests: 1,
          tokens: 33,
          share_of_requests: 1,
          share_of_tokens: 1,
          unknown_usage: 0,
        },
      ],
    });
  });

  it("returns a null share of tokens where no counts are known", async () => {
    await insert("interceptions", [interception(T0, { usage: "unknown" })]);
    const [row] = items(await fetchOk("/attribution"), "results");
    expect([part(row, "tokens"), part(row, "share_of_tokens"), part(row, "unknown_usage")]).toEqual([
      0,
      null,
      1,
    ]);
  });

  it("calculates shares of the matching requests", async () => {
    await fill();
    const rows = items(await fetchOk(`/attribution?initiator=${BOB}`), "results");
    expect(rows.map((row) => part(row, "share_of_requests"))).toEqual([1]);
  });
});

describe("CSV", () => {
  it("has the same content as JSON", async () => {
    await fill();
    const { text, headers } = await fetchApi("/usage?format=csv");
    expect(headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
    expect(text).toBe(
      [
        "initiator,initiator_name,requests,input_tokens,output_tokens,cache_read_input_tokens,cache_write_input_tokens,unknown_usage,cost_micros,unpriced,initiator_source,attribution,mixed",
        `${ALICE},alice,3,30,60,9,0,0,750,0,keys,authenticated,false`,
        `${BOB},,2,10,20,3,0,2,250,1,coder,asserted,false`,
        "",
      ].join("\r\n"),
    );
    expect((await fetchApi("/attribution?format=csv")).text.split("\r\n").slice(0, 2)).toEqual([
      "day,attribution,requests,tokens,share_of_requests,share_of_tokens,unknown_usage",
      "2026-11-23,asserted,2,33,0.5,0.333333,2",
    ]);
    expect((await fetchApi("/usage?group_by=model&format=csv")).text.split("\r\n")[3]).toBe(
      ",1,0,0,0,0,1,0,1,asserted,false",
    );
  });

  it.each([
    [{ accept: "text/csv" }, "", "text/csv"],
    [{ accept: "TEXT/CSV;q=0.9, */*;q=0.1" }, "", "text/csv"],
    [{ accept: "application/json, text/csv;q=0.5" }, "", "application/json"],
    [{ accept: "*/*" }, "", "application/json"],
    [{ accept: "text/csvx" }, "", "application/json"],
    [{}, "", "application/json"],
    [{ accept: "text/csv" }, "format=json", "application/json"],
    [{ accept: "application/json" }, "format=csv", "text/csv"],
  ])("is chosen by %j with ?%s: %s", async (accept, query, type) => {
    const headers = { authorization: "Bearer admin-token-0123456789", ...accept };
    const response = await fetchApi(`/usage?${query}`, { headers });
    expect(response.headers.get("content-type")).toContain(type);
    expect(response.headers.get("vary")).toBe("accept");
  });

  // The attack: a model named =HYPERLINK(…) runs when the auditor opens the file in a spreadsheet.
  it("has no cell that is a formula", async () => {
    const models = [
      "=1+1",
      "+1",
      "-1",
      "@SUM(A1)",
      "\t=1",
      "\r=1",
      "\n=1",
      '=HYPERLINK("http://evil.example")',
    ];
    await insert(
      "interceptions",
      models.map((model, n) => interception(T0 + n, { model })),
    );
    const { text } = await fetchApi("/usage?group_by=model&format=csv");
    const cells = text
      .split(/\r\n(?=["'])|\r\n$/)
      .slice(1, -1)
      .map((line) => /^("(?:[^"]|"")*"|[^,]*)/.exec(line)?.[1] ?? "");
    expect(cells.length).toBe(models.length);
    for (const cell of cells) expect(cell).toMatch(/^"?'/);
    expect(text).toContain(`"'=HYPERLINK(""http://evil.example"")"`);
  });

  // The attack: a NUL in a model's name ends the file for readers in C, and Python's reader rejects the whole file.
  it("has no cell with a NUL", () => {
    expect(toCsv({ columns: ["a"], rows: [["m\0n"], ["\0=1+1"]] })).toBe("a\r\nm\ufffdn\r\n\ufffd=1+1\r\n");
  });

  it("conforms to RFC 4180: quotes where they are needed, CRLF after every line", () => {
    const rows = [
      ["a,b", 'say "hi"', "two\r\nlines", null, 0.5],
      ["", " plain ", "ü", 1, "don't"],
    ];
    expect(toCsv({ columns: ["a", "b", "c", "d", "e"], rows })).toBe(
      'a,b,c,d,e\r\n"a,b","say ""hi""","two\r\nlines",,0.5\r\n, plain ,ü,1,don\'t\r\n',
    );
  });

  it("contains no prompt", async () => {
    await fill();
    await insert("user_prompts", [userPrompt(interception(T0), "CANARY-prompt")]);
    for (const path of ["/usage?format=csv", "/attribution?format=csv", "/usage", "/attribution"])
      expect((await fetchApi(path)).text).not.toContain("CANARY");
  });

  it("is served for sums only", async () => {
    for (const path of ["/sessions", "/interceptions", "/overrides"])
      expect((await fetchApi(`${path}?format=csv`)).status).toBe(400);
  });
});
