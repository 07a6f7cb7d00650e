import { describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import { API_ROUTES, apiRouteOf, EXPLAIN_ROUTE, RESERVED_NAMES } from "../../src/shared/api-routes.ts";
import { ROUTE_PREFIXES } from "../../src/shared/http/target.ts";

/** The first path segment of each endpoint, once each. */
const ENDPOINT_ROUTES = [...new Set(ENDPOINTS.map(({ path }) => path.split("/")[1] ?? ""))];

describe("API_ROUTES", () => {
  it("are the first path segments of the records Worker's endpoints", () => {
    expect([...API_ROUTES].toSorted()).toEqual(ENDPOINT_ROUTES.toSorted());
    expect(new Set(API_ROUTES).size).toBe(API_ROUTES.length);
  });

  it("include the one that the gateway serves", () => {
    expect(API_ROUTES).toContain(EXPLAIN_ROUTE);
  });
});

describe("RESERVED_NAMES", () => {
  it("include every API route and the gateway's own routes", () => {
    expect([...RESERVED_NAMES]).toEqual(
      expect.arrayContaining([...API_ROUTES, "v1", "api", "healthz", "console", "metrics"]),
    );
  });

  it("include Coder's further routes under the same prefixes", () => {
    for (const name of ["clients", "models", "providers"]) expect(RESERVED_NAMES).toContain(name);
  });
});

describe("apiRouteOf", () => {
  it.each(ENDPOINTS.map(({ path }) => path))("names the route of %s, under each prefix", (path) => {
    for (const prefix of ROUTE_PREFIXES) {
      const route = path.split("/")[1];
      expect(apiRouteOf(`${prefix}${path}`)).toBe(route);
      expect(apiRouteOf(`${prefix}/${route}/below/it`)).toBe(route);
    }
  });

  it.each([
    "/",
    "/sessions",
    "/api/v2/sessions",
    "/api/v2/ai-gateway",
    "/api/v2/ai-gateway/",
    "/api/v2/ai-gateway/openai/v1/sessions",
    "/api/v2/ai-gateway/sessionsx",
    "/api/v2/ai-gateway/Sessions",
    "/api/v2/ai-gatewayx/sessions",
    "/x/api/v2/ai-gateway/sessions",
    "/api/v2/ai-gateway/constructor",
  ])("returns null for %s", (path) => {
    expect(apiRouteOf(path)).toBeNull();
  });
});
