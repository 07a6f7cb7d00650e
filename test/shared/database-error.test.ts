import { describe, expect, it } from "vitest";
import { databaseFailure, type DatabaseFailure } from "../../src/shared/database-error.ts";
import { D1_FAILURES } from "../support/in-workerd/d1-failures.ts";

describe("databaseFailure", () => {
  it.each(D1_FAILURES)("calls %j %s", (message, kind) => {
    expect(databaseFailure(new Error(message))).toBe(kind);
    expect(databaseFailure(new Error(`D1_ERROR: ${message}`))).toBe(kind);
    expect(databaseFailure(new Error("D1_ERROR", { cause: new Error(message) }))).toBe(kind);
  });

  it.each<[string, DatabaseFailure | null]>([
    ["D1_ERROR: internal error; reference = 0123456789abcdef", "transient"],
    ["internal error", "transient"],
    ["D1_ERROR: NOT NULL constraint failed: tool_usages.tool: SQLITE_CONSTRAINT", null],
    ["D1_ERROR: no such table: interceptions: SQLITE_ERROR", null],
    ["D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined'", null],
    ["D1_ERROR: Exceeded maximum DB size", null],
    ["", null],
  ])("calls %j %s", (message, kind) => {
    expect(databaseFailure(new Error(message))).toBe(kind);
  });

  it("calls values that are no errors, and an error that is its own cause, none", () => {
    const own = new Error("own");
    own.cause = own;
    for (const value of [own, "Network connection lost.", null, undefined, { message: "overloaded" }])
      expect(databaseFailure(value)).toBeNull();
  });
});
