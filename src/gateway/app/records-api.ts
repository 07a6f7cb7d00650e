/**
 * The routes of the records API and of the console on the gateway's host: forwarded to the records Worker, except those that
 * only the gateway can serve. The records Worker decides on which hosts the console and its session count. It forwards requests for
 * the gateway's routes that arrive on a host of its own.
 */
import { readAdminHeaders } from "../../shared/admin-headers.ts";
import { OWN_ROUTES, OWN_ROUTE_SCOPES, OWN_SPEND_ROUTE, type OwnRoute } from "../../shared/api-routes.ts";
import { ROUTE_PREFIXES, type Target } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import { unknownFilter } from "../../shared/unknown-filter.ts";
import { adminOf } from "./admin-of.ts";
import { API_DIALECT } from "./api-dialect.ts";
import { serveBudgetChange } from "./budget-change.ts";
import { BUDGETS_PARAMETERS, serveBudgets } from "./budgets-api.ts";
import { serveCorrections } from "./cost-corrections.ts";
import type { Deps } from "./deps.ts";
import { findDestination } from "./destination.ts";
import { refuse, type Exchange } from "./exchange.ts";
import { serveOwnSpend } from "./own-spend.ts";
import { explain } from "./explain/explain.ts";

/** Serves a request on the gateway's host or, where `isForwarded`, one that the records Worker sent. */
export async function serveApi(exchange: Exchange, isForwarded: boolean): Promise<Response> {
  const { request, deps } = exchange;
  exchange.errorBody = API_DIALECT.errorBody;
  const destination = findDestination(request, deps);
  if (destination.kind === "not_found") return refuse(exchange, destination.refusal);
  const { target } = destination;
  const route = ownRouteOf(target.path);
  // The caller's own spend needs a credential of the gateway, which belongs on the gateway's host only.
  const isServed = isForwarded ? route !== null && route !== OWN_SPEND_ROUTE : deps.config.forwardApi;
  if (!isServed) return refuse(exchange, new Refusal("not_found"));
  if (deps.records === null) return refuse(exchange, new Refusal("records_unavailable"));
  if (route === null) return deps.records.fetch(request);
  const by = await callerOf(request, deps.records, route);
  const response = by instanceof Refusal ? by : await serveOwnRoute(exchange, route, { target, by });
  return response instanceof Refusal ? refuse(exchange, response, () => [HANDLERS[route].method]) : response;
}

/** As events name the caller, if it has the route's scope. Empty for `me/spend`, which authenticates its caller itself. */
async function callerOf(
  request: Request,
  records: NonNullable<Deps["records"]>,
  route: OwnRoute,
): Promise<string | Refusal> {
  if (route === OWN_SPEND_ROUTE) return "";
  const admitted = await records.authorize(readAdminHeaders(request), OWN_ROUTE_SCOPES[route]);
  if (admitted !== null && "code" in admitted) return new Refusal(admitted.code, admitted.data);
  // A records Worker from before the console returns no name.
  return admitted?.by ?? adminOf(request);
}

function serveOwnRoute(
  exchange: Exchange,
  route: OwnRoute,
  { target, by }: { readonly target: Target; readonly by: string },
): Promise<Response | Refusal> | Refusal {
  const { method, names, serve } = HANDLERS[route];
  if (exchange.request.method !== method) return new Refusal("method_not_allowed");
  const parameters = new URLSearchParams(target.search);
  const unknown = [...parameters.keys()].find((name) => !names.includes(name));
  return unknown === undefined ? serve(exchange, { by, parameters }) : unknownFilter(unknown);
}

type Call = {
  /** The caller, as events name it. */
  readonly by: string;
  readonly parameters: URLSearchParams;
};

type Handler = {
  readonly method: "GET" | "POST";
  /** The query parameters that the route accepts. */
  readonly names: readonly string[];
  readonly serve: (exchange: Exchange, call: Call) => Promise<Response | Refusal>;
};

const HANDLERS: Readonly<Record<OwnRoute, Handler>> = {
  explain: { method: "POST", names: [], serve: explain },
  budgets: { method: "GET", names: BUDGETS_PARAMETERS, serve: serveBudgets },
  "budgets/changes": { method: "POST", names: [], serve: serveBudgetChange },
  "spend/corrections": { method: "POST", names: [], serve: serveCorrections },
  "me/spend": { method: "GET", names: [], serve: serveOwnSpend },
};

/** The route that the gateway serves itself. Not a path below it, which the API refuses. */
const ownRouteOf = (path: string): OwnRoute | null =>
  OWN_ROUTES.find((route) => ROUTE_PREFIXES.some((prefix) => path === `${prefix}/${route}`)) ?? null;
