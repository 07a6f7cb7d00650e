/**
 * The routes of the records API and of the console on the gateway's host: forwarded to the records Worker, except those that
 * only the gateway can serve. The records Worker decides on which hosts the console and its session count. It forwards requests for
 * the gateway's routes that arrive on a host of its own.
 */
import { readAdminHeaders } from "../../shared/admin-headers.ts";
import { OWN_ROUTES, OWN_ROUTE_SCOPES, OWN_SPEND_ROUTE, type OwnRoute } from "../../shared/api-routes.ts";
import { ROUTE_PREFIXES, type Target } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import { adminOf } from "./admin-of.ts";
import { API_DIALECT } from "./api-dialect.ts";
import { serveBudgetChange } from "./budget-change.ts";
import { serveBudgets } from "./budgets-api.ts";
import { serveCorrections } from "./cost-corrections.ts";
import { findDestination } from "./destination.ts";
import { refuse, type Exchange } from "./exchange.ts";
import { serveOwnSpend } from "./own-spend.ts";
import { explain } from "./explain/explain.ts";

/** Serves a request on the gateway's host or, where `isForwarded`, one that the records Worker sent. */
export async function serveApi(exchange: Exchange, isForwarded = false): Promise<Response> {
  const { request, deps } = exchange;
  exchange.errorBody = API_DIALECT.errorBody;
  const destination = findDestination(request, deps);
  if (destination.kind === "not_found") return refuse(exchange, destination.refusal);
  const { target } = destination;
  if (!isForwarded && !deps.config.forwardApi) return refuse(exchange, new Refusal("not_found"));
  if (deps.records === null) return refuse(exchange, new Refusal("records_unavailable"));
  const route = ownRouteOf(target.path);
  // The caller's own spend needs a credential of the gateway, which belongs on the gateway's host only.
  if (isForwarded && (route === null || route === OWN_SPEND_ROUTE))
    return refuse(exchange, new Refusal("not_found"));
  if (route === null) return deps.records.fetch(request);
  const allow = () => [METHODS[route]];
  if (route === OWN_SPEND_ROUTE) {
    const response = await serveOwnSpend(exchange, target);
    return response instanceof Refusal ? refuse(exchange, response, allow) : response;
  }
  const admitted = await deps.records.authorize(readAdminHeaders(request), OWN_ROUTE_SCOPES[route]);
  if (admitted !== null && "code" in admitted)
    return refuse(exchange, new Refusal(admitted.code, admitted.data));
  // A records Worker from before the console returns no name.
  const by = admitted?.by ?? (await adminOf(request));
  const response = await HANDLERS[route](exchange, target, by);
  return response instanceof Refusal ? refuse(exchange, response, allow) : response;
}

const METHODS: Readonly<Record<OwnRoute, "GET" | "POST">> = {
  explain: "POST",
  budgets: "GET",
  "budgets/changes": "POST",
  "spend/corrections": "POST",
  "me/spend": "GET",
};

type Handler = (exchange: Exchange, target: Target, by: string) => Promise<Response | Refusal>;

/** For those who have the route's scope. `by` is as events name them. */
const HANDLERS: Readonly<Record<keyof typeof OWN_ROUTE_SCOPES, Handler>> = {
  explain,
  budgets: serveBudgets,
  "budgets/changes": serveBudgetChange,
  "spend/corrections": serveCorrections,
};

/** The route that the gateway serves itself. Not a path below it, which the API refuses. */
const ownRouteOf = (path: string): OwnRoute | null =>
  OWN_ROUTES.find((route) => ROUTE_PREFIXES.some((prefix) => path === `${prefix}/${route}`)) ?? null;
