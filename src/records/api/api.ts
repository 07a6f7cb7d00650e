/**
 * The HTTP API over the ledger: a Hono app that serves every endpoint under both of Coder's prefixes. Each endpoint declares the
 * scope that it needs. A request is authenticated before its path and parameters are read, so that only readers learn which exist.
 */
import { Hono, type Context } from "hono";
import { readAdminHeaders } from "../../shared/admin-headers.ts";
import { databaseFailure } from "../../shared/database-error.ts";
import { readTarget, routablePath, ROUTE_PREFIXES } from "../../shared/http/target.ts";
import type { AnyRefusal } from "../../shared/records-refusal.ts";
import { Refusal, TableRefusal } from "../../shared/refusal.ts";
import type { Admit, Reader } from "../console/reader.ts";
import type { LedgerRead } from "../ledger/write/record-read.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { errorBody } from "./error-body.ts";
import { forwardToGateway, isForwarded, type Gateway } from "./forward.ts";
import { methodsOf, type Endpoint, type EndpointRequest, type EndpointResponse } from "./kit/endpoint.ts";
import { createQueryLedger } from "./kit/query-ledger.ts";
import type { SealReader } from "./kit/seal-reader.ts";

export type ApiDeps = {
  /** The ledger; null where the Worker has none. */
  readonly database: D1Database | null;
  /** Serves its own routes; null where it is not bound, which leaves them to the gateway's host. */
  readonly gateway: Gateway | null;
  /** Authenticates the caller, and checks its scope. */
  readonly admit: Admit;
  /** Proofs from the log of seals. */
  readonly seals: SealReader;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Makes the `x-interception-id` of a response. */
  readonly newId: () => string;
  /** Called once per refused request, before the response is returned. `id` is the response's `x-interception-id`. */
  readonly onRefusal: (id: string, request: Request, refusal: AnyRefusal) => void;
  /** Called once per response with records of the ledger, before it is returned. */
  readonly onRead: (request: Request, read: LedgerRead) => void;
};

/** Seconds. A database that was reset is back sooner; one that is overloaded needs a pause. */
const RETRY_AFTER_S = "10";
const RETRYABLE: ReadonlySet<string> = new Set(["ledger_unavailable", "gateway_unavailable"]);

/** On the console's host, a response that is opened as a page must run nothing, and no other page may embed it. */
const HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

type ApiEnv = { readonly Variables: { interceptionId: string; reader: Reader } };

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
    for (const [name, value] of Object.entries(HEADERS)) context.res.headers.set(name, value);
    context.res.headers.set("x-interception-id", context.var.interceptionId);
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
      const reader = await deps.admit(readAdminHeaders(context.req.raw), "read");
      if (reader instanceof Refusal) return refuse(context, deps, reader);
      context.set("reader", reader);
      return next();
    });
    for (const endpoint of ENDPOINTS) {
      const path = endpoint.path.replace(/\{(\w+)\}/, ":$1");
      const methods = methodsOf(endpoint);
      routes.on([...methods], path, async (context) => {
        // Hono dispatches HEAD as GET and drops the body.
        if (!methods.includes(context.req.method)) return refuseMethod(context, deps, methods);
        const at = deps.now();
        const { interceptionId: id, reader } = context.var;
        if (!reader.scopes.includes(endpoint.scope))
          return refuse(context, deps, new Refusal("scope_missing", { detail: endpoint.scope }));
        if (deps.gateway !== null && isForwarded(endpoint.path))
          return forward(context, deps, endpoint.path, deps.gateway);
        const readsContent = reader.scopes.includes("content");
        const found = await respond(endpoint, context.req.raw, {
          query,
          seals: deps.seals,
          now: at,
          readsContent,
        });
        if (found instanceof TableRefusal) return refuse(context, deps, found);
        const { response, read, target } = found;
        if (read) deps.onRead(context.req.raw, toRead(read, { id, by: reader.by, target, at }));
        return response;
      });
      routes.all(path, (context) => refuseMethod(context, deps, methods));
    }
  }
  return app;
}

function refuseMethod(context: Context<ApiEnv>, deps: ApiDeps, allowed: readonly string[]): Response {
  const response = refuse(context, deps, new Refusal("method_not_allowed"));
  response.headers.set("allow", allowed.join(", "));
  return response;
}

const toRead = (
  { content, ...read }: NonNullable<EndpointResponse["read"]>,
  who: Pick<LedgerRead, "id" | "by" | "target" | "at">,
): LedgerRead => ({ ...who, ...read, action: content ? "read_content" : "read" });

/** Records name the gateway's request by its own id, which the response keeps. */
async function forward(
  context: Context<ApiEnv>,
  deps: ApiDeps,
  path: string,
  gateway: Gateway,
): Promise<Response> {
  const response = await forwardToGateway(context.req.raw, path, gateway);
  if (response instanceof TableRefusal) return refuse(context, deps, response);
  context.set("interceptionId", response.headers.get("x-interception-id") ?? context.var.interceptionId);
  return response;
}

/** The response in Coder's error form. Reports the refusal to the caller of `createApi`. */
function refuse(context: Context<ApiEnv>, { onRefusal }: ApiDeps, refusal: AnyRefusal): Response {
  onRefusal(context.get("interceptionId"), context.req.raw, refusal);
  return Response.json(errorBody(refusal), {
    status: refusal.status,
    headers: {
      "x-interceptor-error": refusal.code,
      ...(RETRYABLE.has(refusal.code) && !refusal.isFinal && { "retry-after": RETRY_AFTER_S }),
    },
  });
}

async function respond(
  endpoint: Endpoint,
  request: Request,
  deps: Pick<EndpointRequest, "query" | "seals" | "now" | "readsContent">,
): Promise<(EndpointResponse & { readonly target: string }) | AnyRefusal> {
  const target = readTarget(request);
  if (target instanceof Refusal) return target;
  const id = decodeVariable(endpoint.path, target.path);
  if (id === null) return new Refusal("not_found", { detail: "the path's escapes are not UTF-8" });
  const accept = request.headers.get("accept") ?? "";
  const response = await endpoint.respond({ search: target.search, id, accept, ...deps });
  if (response instanceof TableRefusal) return response;
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
