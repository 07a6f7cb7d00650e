import { expect, it } from "vitest";
import { readAge } from "../../tools/demo/worker/clock-request.ts";

const URL_PATH = "http://127.0.0.1:8787/local/clock";
const age = (query: string, init: RequestInit = { method: "POST" }): number | null =>
  readAge(new Request(URL_PATH + query, init));
const sentBy = (site: string): RequestInit => ({ method: "POST", headers: { "sec-fetch-site": site } });

it("reads a finite age that is not negative", () => {
  expect(["0", "86400000", "1.5"].map((text) => age(`?age_ms=${text}`))).toEqual([0, 86_400_000, 1.5]);
});

it.each(["", "?age_ms=", "?age_ms=x", "?age_ms=NaN", "?age_ms=Infinity", "?age_ms=-1"])(
  "rejects the age in %j, with which Date.now() would be no time, or in the future",
  (query) => {
    expect(age(query)).toBeNull();
  },
);

// The attack: an image of a web page that is open in the developer's browser sets the clock.
it("rejects other methods than POST, and requests of another origin's page", () => {
  for (const method of ["GET", "HEAD", "PUT"]) expect(age("?age_ms=1", { method })).toBeNull();
  for (const site of ["cross-site", "same-site", "none"]) expect(age("?age_ms=1", sentBy(site))).toBeNull();
  expect(age("?age_ms=1", sentBy("same-origin"))).toBe(1);
});
