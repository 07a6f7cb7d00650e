import { describe, expect, it } from "vitest";
import { azure } from "../../../src/gateway/provider/azure/dialect.ts";
import { modelsOf, namedModels } from "../../../src/gateway/provider/path-model.ts";
import { findRoute } from "../../../src/gateway/provider/route.ts";
import { openaiProvider, providers } from "../../support/in-workerd/values.ts";

const baseUrl = "https://c.openai.azure.com/openai";
const AZURE = openaiProvider({ name: "azure", dialect: azure, baseUrl });
const OPENAI = openaiProvider({ name: "gpt" });
const routeOf = (path: string, ...others: readonly (typeof OPENAI)[]) =>
  findRoute(path, new Headers(), providers(...others, AZURE));

describe("the route of an Azure path", () => {
  it.each([
    [
      "/azure/openai/deployments/gpt-dep/chat/completions",
      "/deployments/{deployment}/chat/completions",
      "gpt-dep",
    ],
    ["/azure/openai/deployments/a.b_c-1/embeddings", "/deployments/{deployment}/embeddings", "a.b_c-1"],
    [
      "/azure/openai/deployments/ft:gpt-4o:org::id/completions",
      "/deployments/{deployment}/completions",
      "ft:gpt-4o:org::id",
    ],
    ["/azure/openai/deployments/a%20b%3Ac/audio/speech", "/deployments/{deployment}/audio/speech", "a b:c"],
    ["/azure/openai/deployments/chat/images/edits", "/deployments/{deployment}/images/edits", "chat"],
    // A deployment may have the name of a route.
    [
      "/azure/openai/deployments/completions/completions",
      "/deployments/{deployment}/completions",
      "completions",
    ],
    ["/azure/openai/deployments/chat/completions", "/deployments/{deployment}/completions", "chat"],
    ["/azure/openai/v1/chat/completions", "/v1/chat/completions", null],
    ["/azure/openai/responses", "/responses", null],
    ["/azure/openai/responses/resp_1/cancel", "/responses/*", null],
    ["/azure/openai/v1/files/file-1", "/v1/files", null],
    [
      "/api/v2/ai-gateway/azure/openai/deployments/d/chat/completions",
      "/deployments/{deployment}/chat/completions",
      "d",
    ],
    ["/openai/deployments/d/chat/completions", "/deployments/{deployment}/chat/completions", "d"],
    // A slash at the end, as a wrong base URL makes it.
    ["/azure/openai/v1/models/", "/v1/models", null],
  ])("%s is %s with the model %j", (path, route, model) => {
    const found = routeOf(path);
    expect([found?.provider.name, found?.route.path, found?.pathModel]).toEqual(["azure", route, model]);
  });

  it.each([
    "/azure/openai/deployments/gpt-dep",
    "/azure/openai/deployments/gpt-dep/models",
    "/azure/openai/deployments/gpt-dep/responses",
    "/azure/openai/deployments/a/b/chat/completions",
    "/azure/openai/deployments/{deployment}/chat/completions",
    "/azure/openai/deployments/a%2Fb/chat/completions",
    "/azure/openai/v1/deployments/a/chat/completions",
    "/azure/openai/chat/completions",
    "/azure/deployments/a/chat/completions",
    "/azure/v1/chat/completions",
    "/azure/openai/v1/responses/..%2fchat",
    // The attack: a model call that passes as a management request at a server that ignores case.
    "/azure/openai/v1/responses/Compact%20",
  ])("%s is none", (path) => {
    expect(routeOf(path)).toBeNull();
  });

  it("leaves the root paths of OpenAI to a provider of that type", () => {
    expect(routeOf("/v1/chat/completions", OPENAI)?.provider.name).toBe("gpt");
    expect(routeOf("/v1/chat/completions")).toBeNull();
    const named = openaiProvider({ name: "openai" });
    expect(routeOf("/openai/v1/chat/completions", named)?.provider.name).toBe("openai");
    expect(routeOf("/openai/deployments/d/chat/completions", named)).toBeNull();
  });

  it("has a key in api-key, and a bearer token as it is", () => {
    expect(azure.keyHeader("k")).toEqual(["api-key", "k"]);
    expect(azure.ownKeyHeader("k", "api-key")).toEqual(["api-key", "k"]);
    expect(azure.ownKeyHeader("k", "x-api-key")).toEqual(["api-key", "k"]);
    expect(azure.ownKeyHeader("t", "authorization")).toEqual(["authorization", "Bearer t"]);
  });
});

describe("the models that a request names", () => {
  it.each([
    [null, null, [null]],
    [null, "a", ["a"]],
    [null, "", [""]],
    ["a", null, ["a"]],
    ["a", "", ["a"]],
    ["a", "a", ["a"]],
    ["a", "A", ["a", "A"]],
    ["a", "b", ["a", "b"]],
  ])("%j in the path and %j in the body are %j", (inPath, inBody, models) => {
    expect(modelsOf(namedModels(inPath, inBody))).toEqual(models);
  });
});
