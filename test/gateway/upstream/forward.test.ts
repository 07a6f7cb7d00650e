import { expect, it } from "vitest";
import { forward } from "../../../src/gateway/upstream/forward.ts";

const URL = "https://provider.example/v1/files/file-1/content";

// The attack: a rule of the zone caches everything, and a caller reads the response to another one's GET. A key in
// X-Api-Key does not keep a response out of Cloudflare's cache, as Authorization does.
it.each([
  ["GET", "no-store"],
  ["HEAD", "no-store"],
  ["POST", undefined],
  ["DELETE", undefined],
])("Finding S1: uses no cache for a request by %s", async (method, cache) => {
  const inits: (RequestInit | undefined)[] = [];
  const fetcher: typeof fetch = async (_, init) => {
    inits.push(init);
    return new Response(null);
  };
  const headers = new Headers({ "x-api-key": "sk-ant-api03-abc" });
  await forward(fetcher, { url: URL, method, headers, body: null }, new AbortController(), 1000);
  expect(inits.map((init) => init?.cache)).toEqual([cache]);
});
