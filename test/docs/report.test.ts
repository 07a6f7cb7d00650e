import { describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import { readPeriod } from "../../tools/report.ts";
import { partOf } from "../../tools/report/missing.ts";
import { toText } from "../../tools/report/print.ts";
import { isOfSession, pathOf, tableOf, VIEWS, type View } from "../../tools/report/views.ts";

const views = Object.entries(VIEWS);
const ESCAPE = "\u001b[2J";

const heading = (name: string, response: unknown): string =>
  toText(VIEWS[name] as View, response, "model").split("\n")[1] ?? "";

const headsOf = (name: string, item: object): unknown[] =>
  tableOf(
    VIEWS[name] as View,
    { results: [item], sessions: [item], agents: [item] },
    "initiator",
  ).columns.map((column) => column.name);

const NOW = Date.parse("2026-11-29T12:00:00Z");

describe("the period of npm run report", () => {
  it.each([
    ["30 days until now, as the API's own default", {}, { started_after: "2026-10-30T12:00:00.000Z" }],
    ["the days that are given", { days: "0.5" }, { started_after: "2026-11-29T00:00:00.000Z" }],
    ["from a day until now", { from: "2026-11-01" }, { started_after: "2026-11-01T00:00:00.000Z" }],
    [
      "a month, without the first millisecond of the next one",
      { from: "2026-10-01", to: "2026-11-01" },
      { started_after: "2026-10-01T00:00:00.000Z", started_before: "2026-10-31T23:59:59.999Z" },
    ],
  ])("is %s", (_, options, period) => {
    expect(readPeriod(options, NOW)).toEqual(period);
  });

  it.each([
    [{ days: "0" }, "--days must be a number above 0."],
    [{ days: "7", from: "2026-11-01" }, "--days and --from exclude each other."],
    [{ to: "2026-11-01" }, "--to requires --from."],
    [{ from: "2026-02-30" }, "--from must be a day, as 2026-11-01."],
    [{ from: "November" }, "--from must be a day, as 2026-11-01."],
    [{ from: "2026-11-01", to: "2026-11-31" }, "--to must be a day, as 2026-12-01."],
    [{ from: "2026-11-01", to: "2026-11-01" }, "--to must be later than --from."],
  ])("is rejected: %j", (options, issue) => {
    expect(readPeriod(options, NOW)).toBe(issue);
  });
});

describe("npm run report", () => {
  it("reads the agents of one session, whose id is encoded", () => {
    const ofSession = views.filter(([, view]) => isOfSession(view));
    expect(ofSession.map(([name, view]) => [name, pathOf(view, "a b&?$&")])).toEqual([
      ["agents", "sessions/a%20b%26%3F%24%26/agents"],
    ]);
    expect(pathOf(VIEWS["usage"] as View, null)).toBe("usage");
  });

  it.each(views)("queries %s only with parameters that the API accepts", (_, view) => {
    const endpoint = ENDPOINTS.find(({ path }) => path === `/${view.path}`);
    const own = Object.keys({ ...view.query?.("model"), ...view.pages });
    expect(Object.keys(endpoint?.parameters ?? {})).toEqual(
      expect.arrayContaining([...view.options, ...own]),
    );
  });

  it.each(views)(
    "%s has no rows for an empty response and rejects a response without the list",
    (_, view) => {
      const empty = { sessions: [], results: [], agents: [] };
      expect(tableOf(view, empty, "model").rows).toEqual([]);
      expect(toText(view, empty, "model")).toContain("nothing recorded");
      expect(() => tableOf(view, {}, "model")).toThrow("is the gateway of this version?");
    },
  );

  const usage = VIEWS["usage"] as View;
  const row = { key: "gpt-5.1", requests: 2, input_tokens: 1000, output_tokens: 40, unknown_usage: 1 };

  it("prints an unknown value as ? or –, never as 0, and bars by share", () => {
    const response = {
      results: [row, { ...row, key: "small", output_tokens: 10, cache_read_input_tokens: 5 }],
    };
    const lines = toText(usage, response, "model").split("\n");
    expect(lines[2]).toMatch(/^.*gpt-5\.1 +2 +1,000 +40 +\? +– +1 .*█{24}/);
    expect(lines[3]).toMatch(/small.*[^█]█{6}[^█]*$/);
  });

  it("escapes control characters and direction marks in a caller's text", () => {
    // The attack: the caller chooses a model's name. `ESC [2J` would clear the auditor's screen, U+202E reverse the line.
    const text = toText(usage, { results: [{ ...row, key: `${ESCAPE}evil\u202E\n` }] }, "model");
    expect(text).not.toContain(ESCAPE);
    expect(text).not.toContain("\u202E");
    expect(text.split("\n")).toHaveLength(3);
  });

  it("has headings for bars, which say what their length means", () => {
    expect(heading("usage", { results: [row] })).toMatch(
      /unknown_usage {2}.*output, full width = the largest$/,
    );
    const share = { day: "2026-11-23", attribution: "signed", requests: 1, share_of_requests: 0.5 };
    expect(heading("attribution", { results: [share] })).toMatch(/share_of_requests, full width = 100 %$/);
    const lines = toText(VIEWS["attribution"] as View, { results: [share] }, "").split("\n");
    expect(lines[2]).toMatch(/[^█]█{12}$/);
    expect(heading("sessions", { sessions: [{ id: "s" }] })).not.toContain("width");
  });

  it.each([
    ["usage", { key: "u-1", name: "ada" }, ["initiator", "initiator_name"]],
    ["sessions", { initiator: { id: "u-1", name: "ada" } }, ["initiator", "initiator_name"]],
    ["interceptions", { initiator: { id: "u-1", name: "ada" } }, ["initiator", "initiator_name"]],
    ["interceptions", { metadata: { actor_name: "CI bot" } }, ["actor_id", "actor_name"]],
    ["overrides", { actor_id: "bot", actor_name: "CI bot" }, ["actor_id", "actor_name"]],
    ["overrides", { owner_id: "u-1", owner_username: "ada" }, ["owner_id", "owner_name"]],
  ])("has names beside ids in %s where they are known: %j", (name, item, [id, named]) => {
    const heads = headsOf(name, item);
    expect(heads.indexOf(named)).toBe(heads.indexOf(id) + 1);
    const nameless = { ...item, name: null, initiator: { id: "u-1", name: "" } };
    expect(
      headsOf(name, { ...nameless, metadata: {}, actor_name: null, owner_username: null }),
    ).not.toContain(named);
  });

  it("marks a list that the API has truncated", () => {
    const sessions = [
      { models: ["a", "b"], truncated_fields: ["models"] },
      { models: ["a"], truncated_fields: [] },
    ];
    const text = toText(VIEWS["sessions"] as View, { sessions }, "");
    expect(text.split("\n")[2]).toContain("a b …");
    expect(text.split("\n")[3]).not.toContain("…");
  });

  it.each([
    [{ count: 1 }, null],
    [{ count: 1234 }, "1 of 1,234"],
    [{ count: 1000, count_is_capped: true }, "1 of more than 1,000"],
    [{ count: 1, count_is_capped: true }, "1 of more than 1"],
    [{ results_are_capped: true }, "1 of more"],
    [{ results_are_capped: true, count: 7 }, "1 of 7"],
    [{}, null],
  ])("says of a response with one row and %j: %s", (counts, part) => {
    expect(partOf(usage, { results: [row], ...counts })).toBe(part);
  });
});
