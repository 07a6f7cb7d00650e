import { describe, expect, it } from "vitest";
import { csvName } from "../../../src/records/api/kit/csv-name.ts";

const RANGE = { started_after: "2026-11-01T00:00:00.000Z", started_before: "2026-11-30T12:34:56.000Z" };

describe("the file name of CSV", () => {
  it.each([
    ["/usage", { group_by: "initiator", ...RANGE }, "usage-by-initiator_2026-11-01_2026-11-30.csv"],
    [
      "/spend",
      { group_by: "initiator", then_by: "model", ...RANGE },
      "spend-by-initiator-and-model_2026-11-01_2026-11-30.csv",
    ],
    ["/spend", { group_by: "actor", then_by: null, ...RANGE }, "spend-by-actor_2026-11-01_2026-11-30.csv"],
    [
      "/spend",
      {
        group_by: "day",
        started_after: "2026-11-01T00:00:00.000Z",
        started_before: "2026-12-01T00:00:00.000Z",
      },
      "spend-by-day_2026-11-01_2026-11-30.csv",
    ],
    ["/attribution", RANGE, "attribution_2026-11-01_2026-11-30.csv"],
    ["/refusals/counts", { per: "day", ...RANGE }, "refusals-counts-by-day_2026-11-01_2026-11-30.csv"],
    ["/x", { group_by: 'a"; b\r\nc', started_after: "never" }, "x-by-a-b-c.csv"],
  ])("of %s says what it is", (path, body, name) => {
    expect(csvName(path, body)).toBe(name);
  });
});
