import { describe, expect, it } from "vitest";
import { verdict } from "../../tools/audit.ts";

const answer = (vulnerabilities: object, total: number): string =>
  JSON.stringify({ auditReportVersion: 2, vulnerabilities, metadata: { vulnerabilities: { total } } });

describe("npm run audit", () => {
  it("is 0 where the registry knows of nothing", () => {
    expect(verdict(answer({}, 0)).code).toBe(0);
  });

  it("is 1 where it does, with each package named", () => {
    const weak = { severity: "high", range: "<1.2.3", isDirect: true };
    const { code, lines } = verdict(answer({ a: weak, b: { ...weak, isDirect: false } }, 2));
    expect(code).toBe(1);
    expect(lines).toEqual([
      "The registry knows of 2:",
      "high: a <1.2.3",
      "high: b <1.2.3 (by way of another)",
    ]);
  });

  it.each([
    ["refuses the question", JSON.stringify({ message: "405 Method Not Allowed", statusCode: 405 }), "405"],
    [
      "is not there",
      JSON.stringify({ error: { code: "ENOTFOUND", summary: "getaddrinfo ENOTFOUND" } }),
      "ENOTFOUND",
    ],
    ["answers with a page", "<html>maintenance</html>", "maintenance"],
    ["says nothing", "", "nothing"],
    ["answers with another form", JSON.stringify({ actions: [] }), "actions"],
  ])("is 2, never 0, where the registry %s", (_, printed, said) => {
    const { code, lines } = verdict(printed);
    expect(code).toBe(2);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^The registry did not answer the audit, so nothing is known\./);
    expect(lines[0]).toContain(said);
  });
});
