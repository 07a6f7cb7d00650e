/**
 * The HTTP API over the ledger: a Hono app that serves every endpoint under both of Coder's prefixes. Authorization
 * precedes every other check, so that only the holder of the admin token learns which paths and parameters exist.
 */
import { Hono, type Context } from "hono";
import { databaseFailure } from "../../shared/database-error.ts";
import { readTarget, routablePath, ROUTE_PREFIXES } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { LedgerRead } from "../ledger/write/record-read.ts";
import { authorizeAdmin } from "./admin-auth.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { errorBody } from "./error-body.ts";
import { methodsOf, type Endpoint, type EndpointRequest, type EndpointResponse } from "./kit/endpoint.ts";
import { createQueryLedger } from "./kit/query-ledger.ts";
import type { SealReader } from "./kit/seal-reader.ts";

export type ApiDeps = {
  /** The ledger; null where the Worker has none. */
  readonly database: D1Database | null;
  /** The admin token's SHA-256, 64 hex digits; null where no token is configured and every request is refused. */
  readonly adminTokenSha256: string | null;
  /** Proofs from the log of seals. */
  readonly seals: SealReader;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Makes the `x-interception-id` of a response. */
  readonly newId: () => string;
  /** Called once per refused request, before the response is returned. `id` is the response's `x-interception-id`. */
  readonly onRefusal: (id: string, request: Request, refusal: Refusal) => void;
  /** Called once per response with records of the ledger, before it is returned. */
  readonly onRead: (request: Request, read: LedgerRead) => void;
};

/** A database that was reset is back within seconds; one that is overloaded needs a pause. */
const RETRY_AFTER_S = "10";

type ApiEnv = { readonly Variables: { interceptionId: string; tokenId: string } };

/** The app is called by `fetch`. It cannot be mounted in another Hono app, which would replace its `getPath`. */
export type ApiApp = Hono<ApiEnv>;

export function createApi(deps: ApiDeps): ApiApp {
  const query = createQueryLedger(deps.database);
  // Hono's own path comes from `request.url`, which believes the Host header, and decodes escapes.
  const app: ApiApp = new Hono<ApiEnv>({ getPath: routablePath });
  app.use(async (context, next) => {
    const id = deps.newId();
    context.set("interceptionId", id);
    await next();
    const { headers } = context.res;
    headers.set("x-interception-id", id);
    headers.set("cache-control", "no-store");
    headers.set("x-content-type-options", "nosniff");
  });
  app.notFound((context) => {
    const target = readTarget(context.req.raw);
    return refuse(context, deps, target instanceof Refusal ? target : new Refusal("not_found"));
  });
  // An error's message may quote a value; its name is a fixed word.
  app.onError((error, context) => {
    const code = databaseFailure(error) === null ? "internal" : "ledger_unavailable";
    return refuse(context, deps, new Refusal(code, { detail: error.name }));
  });
  for (const prefix of ROUTE_PREFIXES) {
    const routes = app.basePath(prefix);
    routes.use(async (context, next) => {
      const token = await authorizeAdmin(context.req.raw.headers, deps.adminTokenSha256);
      if (token instanceof Refusal) return refuse(context, deps, token);
      context.set("tokenId", token);
      return next();
    });
    for (const endpoint of ENDPOINTS) {
      const path = endpoint.path.replace(/\{(\w+)\}/, ":$1");
      const methods = methodsOf(endpoint);
      // Hono dispatches HEAD as GET and drops the body.
      routes.on([...methods], path, async (context) => {
        const at = deps.now();
        const found = await respond(endpoint, context.req.raw, { query, seals: deps.seals, now: at });
        if (found instanceof Refusal) return refuse(context, deps, found);
        const { response, read, target } = found;
        const { interceptionId: id, tokenId } = context.var;
        if (read) deps.onRead(context.req.raw, { id, tokenId, target, ...read, at });
        return response;
      });
      routes.all(path, (context) => {
        const response = refuse(context, deps, new Refusal("method_not_allowed"));
        response.headers.set("allow", methods.join(", "));
        return response;
      });
    }
  }
  return app;
}

/** The response in Coder's error form. Reports the refusal to the caller of `createApi`. */
function refuse(context: Context<ApiEnv>, { onRefusal }: ApiDeps, refusal: Refusal): Response {
  onRefusal(context.get("interceptionId"), context.req.raw, refusal);
  return Response.json(errorBody(refusal), {
    status: refusal.status,
    headers: {
      "x-interceptor-error": refusal.code,
      ...(refusal.code === "ledger_unavailable" && { "retry-after": RETRY_AFTER_S }),
    },
  });
}

async function respond(
  endpoint: Endpoint,
  request: Request,
  deps: Pick<EndpointRequest, "query" | "seals" | "now">,
): Promise<(EndpointResponse & { readonly target: string }) | Refusal> {
  const target = readTarget(request);
  if (target instanceof Refusal) return target;
  const id = decodeVariable(endpoint.path, target.path);
  if (id === null) return new Refusal("not_found", { detail: "the path's escapes are not UTF-8" });
  const accept = request.headers.get("accept") ?? "";
  const response = await endpoint.respond({ search: target.search, id, accept, ...deps });
  if (response instanceof Refusal) return response;
  return { ...response, target: endpoint.path.replace(/\{\w+\}/, id) };
}

/**
 * The path's variable segment, decoded; "" where the endpoint has none, null where its escapes are not UTF-8. Hono's own
 * parameters are not used: they keep invalid escapes as they are.
 */
function decodeVariable(pattern: string, path: string): string | null {
  const segments = pattern.split("/");
  const at = segments.findIndex((segment) => segment.startsWith("{"));
  if (at < 0) return "";
  try {
    // Counted from the end: the path begins with the API's prefix.
    return decodeURIComponent(path.split("/").at(at - segments.length) ?? "");
  } catch {
    return null;
  }
}
