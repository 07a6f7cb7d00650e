import { describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import { toCsv, toText } from "../../tools/report/print.ts";
import { VIEWS, type View } from "../../tools/report/views.ts";

const views = Object.entries(VIEWS);
const ESCAPE = "\u001b[2J";

describe("npm run report", () => {
  it.each(views)("asks for %s with nothing that the API would refuse", (_, view) => {
    const endpoint = ENDPOINTS.find(({ path }) => path === `/${view.path}`);
    expect(Object.keys(endpoint?.parameters ?? {})).toEqual(expect.arrayContaining([...view.takes]));
  });

  it.each(views)("%s names its endpoint and has rows where the answer has", (_, view) => {
    const empty = { sessions: [], results: [] };
    expect(view.table(empty, "model").rows).toEqual([]);
    expect(toText(view, empty, "model")).toContain("nothing recorded");
    expect(() => view.table({}, "model")).toThrow("is this an interceptor of this version?");
  });

  const usage = VIEWS["usage"] as View;
  const row = { key: "gpt-5.1", requests: 2, input_tokens: 1000, output_tokens: 40, unknown_usage: 1 };

  it("prints what is not known as ? or –, never as 0, and bars by share", () => {
    const answer = {
      results: [row, { ...row, key: "small", output_tokens: 10, cache_read_input_tokens: 5 }],
    };
    const lines = toText(usage, answer, "model").split("\n");
    expect(lines[2]).toMatch(/^.*gpt-5\.1 +2 +1,000 +40 +\? +– +1 .*█{24}/);
    expect(lines[3]).toMatch(/small.*[^█]█{6}[^█]*$/);
  });

  it("lets no caller's text move the terminal's cursor or turn its text around", () => {
    // A model's name is the caller's: `ESC [2J` would clear the auditor's screen, U+202E write the line backwards.
    const text = toText(usage, { results: [{ ...row, key: `${ESCAPE}evil\u202E\n` }] }, "model");
    expect(text).not.toContain(ESCAPE);
    expect(text).not.toContain("\u202E");
    expect(text.split("\n")).toHaveLength(3);
  });

  it("writes CSV that no spreadsheet takes for a formula", () => {
    expect(toCsv(usage, { results: [{ ...row, key: "=1+1" }] }, "model").split("\r\n")[1]).toMatch(
      /^'=1\+1,2,/,
    );
  });
});
