import { describe, expect, it } from "vitest";
import { issuesOf, read } from "./read-config.ts";

describe("CORS", () => {
  it("lists no origin by default", () => {
    expect(read({}).cors).toBeNull();
  });

  it("holds the origins, and how long a preflight response is cached", () => {
    const origins = [
      "https://app.example",
      "https://app.example:8443",
      "http://localhost:3000",
      "http://[::1]:1",
    ];
    for (const CORS of [{ origins }, JSON.stringify({ origins })])
      expect(read({ CORS }).cors).toEqual({ origins: new Set(origins), maxAgeS: 600 });
    expect(read({ CORS: { origins: "https://app.example", max_age_s: 0 } }).cors).toEqual({
      origins: new Set(["https://app.example"]),
      maxAgeS: 0,
    });
  });

  const FORM =
    "must be scheme, host and port as a browser sends them: in lower case, without a path and a default port";
  it.each([
    ["*", "must name one origin: every page of every site would match this one"],
    ["null", "must name one origin: every page of every site would match this one"],
    ["app.example", "must be an origin, such as https://app.example.com"],
    ["//app.example", "must be an origin, such as https://app.example.com"],
    ["https://", "must be an origin, such as https://app.example.com"],
    ["https://app.example/", FORM],
    ["https://app.example/path", FORM],
    ["https://app.example?", FORM],
    ["https://app.example#", FORM],
    ["https://user@app.example", FORM],
    ["https://app.example:443", FORM],
    ["https://App.example", FORM],
    ["HTTPS://app.example", FORM],
    ["https://bücher.example", FORM],
    [" https://app.example", FORM],
    ["https://app.example,https://b.example", FORM],
    ["file:///x", FORM],
    ["chrome-extension://abc", FORM],
    ["data:text/html,x", FORM],
    ["http://app.example", "must be https, or http on loopback"],
    ["http://localhost.evil.example", "must be https, or http on loopback"],
    ["ftp://app.example", "must be https, or http on loopback"],
  ])("J2 rejects the origin %j", (origin, issue) => {
    expect(issuesOf({ CORS: { origins: ["https://ok.example", origin] } })).toEqual([
      `CORS.origins[1] ${issue}`,
    ]);
  });

  it.each([
    [{}, "CORS.origins is required"],
    [{ origins: [] }, "CORS.origins must not be empty"],
    [{ origins: ["https://app.example"], credentials: true }, "CORS.credentials is not a known key"],
    [
      { origins: ["https://app.example"], max_age_s: -1 },
      "CORS.max_age_s must be a whole number from 0 to 86400",
    ],
    ["https://app.example", "CORS must be a table or a JSON object"],
  ])("J2 rejects %j", (CORS, issue) => {
    expect(issuesOf({ CORS }).join()).toContain(issue);
  });
});
