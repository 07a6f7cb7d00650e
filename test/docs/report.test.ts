import { describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import { toCsv, toText } from "../../tools/report/print.ts";
import { VIEWS, type View } from "../../tools/report/views.ts";

const views = Object.entries(VIEWS);
const ESCAPE = "\u001b[2J";

describe("npm run report", () => {
  it.each(views)("queries %s only with parameters that the API accepts", (_, view) => {
    const endpoint = ENDPOINTS.find(({ path }) => path === `/${view.path}`);
    expect(Object.keys(endpoint?.parameters ?? {})).toEqual(expect.arrayContaining([...view.options]));
  });

  it.each(views)(
    "%s has no rows for an empty response and rejects a response without the list",
    (_, view) => {
      const empty = { sessions: [], results: [] };
      expect(view.table(empty, "model").rows).toEqual([]);
      expect(toText(view, empty, "model")).toContain("nothing recorded");
      expect(() => view.table({}, "model")).toThrow("is the gateway of this version?");
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

  it("escapes CSV cells that a spreadsheet would evaluate as formulas", () => {
    expect(toCsv(usage, { results: [{ ...row, key: "=1+1" }] }, "model").split("\r\n")[1]).toMatch(
      /^'=1\+1,2,/,
    );
  });
});
