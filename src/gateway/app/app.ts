/** The gateway's routes: health, and everything else, whose destination `destination.ts` finds. */
import { Hono } from "hono/tiny";
import { readTarget } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import { uuidV7 } from "../../shared/uuid.ts";
import type { Deps } from "./deps.ts";
import { createExchange, handle, ownResponse } from "./exchange.ts";
import { serve } from "./intercept.ts";

export function createApp(deps: Deps): Hono {
  // Hono decodes paths and trusts the Host header; `readTarget` does neither.
  const app = new Hono({ getPath: pathOf });
  app.get("/healthz", async ({ req }, next) =>
    // The router also matches `/healthz/`, which is not a route.
    req.path === "/healthz" ? ownResponse(uuidV7(deps.now(), deps.randomUuid()), "ok\n") : next(),
  );
  app.all("*", ({ req, executionCtx }) =>
    handle(
      createExchange(req.raw, deps, (promise) => executionCtx.waitUntil(promise)),
      serve,
    ),
  );
  return app;
}

function pathOf(request: Request): string {
  const target = readTarget(request);
  return target instanceof Refusal ? "/" : target.path;
}
