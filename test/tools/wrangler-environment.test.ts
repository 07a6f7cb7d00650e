import { describe, expect, it } from "vitest";
import { environmentOf } from "../../tools/local/wrangler.ts";

describe("the environment of a deployment's wrangler commands", () => {
  it("has no variables that would deploy both Workers under the name of one", () => {
    const workersBuilds = {
      WORKERS_CI: "1",
      WRANGLER_CI_OVERRIDE_NAME: "ai-edge-interceptor",
      WRANGLER_CI_MATCH_TAG: "tag",
      CLOUDFLARE_API_TOKEN: "token",
    };
    const environment = environmentOf(workersBuilds, true);
    expect(environment).toMatchObject({ WORKERS_CI: "1", CLOUDFLARE_API_TOKEN: "token", CI: "true" });
    expect(Object.keys(environment).filter((name) => name.startsWith("WRANGLER_CI_"))).toEqual([]);
  });
});
