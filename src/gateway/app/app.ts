/** The gateway's own routes (health, the records API, the console) and the one handler behind them, for requests to providers. */
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { API_ROUTES } from "../../shared/api-routes.ts";
import { CONSOLE_PATH } from "../../shared/console-pages.ts";
import { GATEWAY_NAMES, routablePath } from "../../shared/http/target.ts";
import { uuidV7 } from "../../shared/uuid.ts";
import { allowOrigin } from "./cors.ts";
import type { Deps } from "./deps.ts";
import { createExchange, handle, ownResponse, type Exchange } from "./exchange.ts";
import { serve } from "./intercept.ts";
import { serveApi } from "./records-api.ts";

const oneOf = (names: readonly string[]): string => names.join("|").replaceAll(".", "\\.");

/** The routes of the records API under both prefixes, and the paths below them, as one pattern of Hono's. */
const API_PATTERN = `/api/v2/:gateway{${oneOf(GATEWAY_NAMES)}}/:route{${oneOf(API_ROUTES)}}/*`;

/** Serves the requests that the records Worker forwards: no provider, and of the API only the gateway's own routes. */
export const serveForwarded = (
  request: Request,
  deps: Deps,
  waitUntil: Exchange["waitUntil"],
): Promise<Response> =>
  handle(createExchange(request, deps, waitUntil), (exchange) => serveApi(exchange, true));

export function createApp(deps: Deps): Hono {
  // Hono decodes paths and trusts the Host header; `routablePath` does neither.
  const app = new Hono({ getPath: routablePath });
  const run =
    (step: (exchange: Exchange) => Promise<Response>) =>
    ({ req, executionCtx }: Context): Promise<Response> =>
      handle(
        createExchange(req.raw, deps, (promise) => executionCtx.waitUntil(promise)),
        step,
      );
  app.get("/healthz", async ({ req }, next) =>
    // The router also matches `/healthz/`, which is not a route.
    req.path === "/healthz" ? ownResponse(uuidV7(deps.now(), deps.randomUuid()), "ok\n") : next(),
  );
  const runApi = run((exchange) => serveApi(exchange, false));
  app.all(API_PATTERN, runApi);
  app.all(`${CONSOLE_PATH}/*`, runApi);
  const { cors } = deps.config;
  const forward = run(serve);
  if (cors === null) app.all("*", forward);
  else app.all("*", async (context) => allowOrigin(await forward(context), context.req.raw, cors));
  return app;
}
