/** The gateway's routes. */
import { Hono, type Context } from "hono";
import { API_ROUTES } from "../../shared/api-routes.ts";
import { readTarget, ROUTE_PREFIXES } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import { uuidV7 } from "../../shared/uuid.ts";
import type { Deps } from "./deps.ts";
import { createExchange, handle, ownResponse, type Exchange } from "./exchange.ts";
import { serve } from "./intercept.ts";
import { serveApi } from "./records-api.ts";

export function createApp(deps: Deps): Hono {
  // Hono decodes paths and trusts the Host header; `readTarget` does neither.
  const app = new Hono({ getPath: pathOf });
  const run =
    (step: (exchange: Exchange) => Promise<Response>) =>
    ({ req, executionCtx }: Context): Promise<Response> =>
      handle(
        createExchange(req.raw, deps, (promise) => executionCtx.waitUntil(promise)),
        step,
      );
  app.get("/healthz", () => ownResponse(uuidV7(deps.now(), deps.randomUuid()), "ok\n"));
  for (const prefix of ROUTE_PREFIXES) {
    for (const route of API_ROUTES) {
      app.all(`${prefix}/${route}`, run(serveApi));
      app.all(`${prefix}/${route}/*`, run(serveApi));
    }
  }
  app.all("*", run(serve));
  return app;
}

function pathOf(request: Request): string {
  const target = readTarget(request);
  return target instanceof Refusal ? "/" : target.path;
}
