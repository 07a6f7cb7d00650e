import { describe, expect, it } from "vitest";
import { verdict } from "../../tools/audit.ts";

const auditReport = (vulnerabilities: object, total: number): string =>
  JSON.stringify({ auditReportVersion: 2, vulnerabilities, metadata: { vulnerabilities: { total } } });

describe("npm run audit", () => {
  it("returns 0 when the registry reports no vulnerability", () => {
    expect(verdict(auditReport({}, 0)).code).toBe(0);
  });

  it("returns 1 and a line per package when the registry reports vulnerabilities", () => {
    const vulnerable = { severity: "high", range: "<1.2.3", isDirect: true };
    const { code, lines } = verdict(auditReport({ a: vulnerable, b: { ...vulnerable, isDirect: false } }, 2));
    expect(code).toBe(1);
    expect(lines).toEqual(["Known vulnerabilities: 2", "high: a <1.2.3", "high: b <1.2.3 (indirect)"]);
  });

  it.each([
    ["rejects the request", JSON.stringify({ message: "405 Method Not Allowed", statusCode: 405 }), "405"],
    [
      "is unreachable",
      JSON.stringify({ error: { code: "ENOTFOUND", summary: "getaddrinfo ENOTFOUND" } }),
      "ENOTFOUND",
    ],
    ["responds with a page", "<html>maintenance</html>", "maintenance"],
    ["returns an empty response", "", "empty response"],
    ["responds with another format", JSON.stringify({ actions: [] }), "actions"],
  ])("returns 2 when the registry %s", (_, printed, reason) => {
    const { code, lines } = verdict(printed);
    expect(code).toBe(2);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^The registry returned no audit report, so the result is unknown:/);
    expect(lines[0]).toContain(reason);
  });
});
