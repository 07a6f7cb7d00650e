/** The routes of the records API on the gateway's host: forwarded to the records Worker, except those that only the gateway can serve. */
import { OWN_ROUTES, OWN_SPEND_ROUTE, type OwnRoute } from "../../shared/api-routes.ts";
import { ROUTE_PREFIXES } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import { API_DIALECT } from "./api-dialect.ts";
import { serveBudgetChange } from "./budget-change.ts";
import { serveBudgets } from "./budgets-api.ts";
import { serveCorrections } from "./cost-corrections.ts";
import { findDestination } from "./destination.ts";
import { refuse, type Exchange } from "./exchange.ts";
import { serveOwnSpend } from "./own-spend.ts";
import { explain } from "./explain/explain.ts";

export async function serveApi(exchange: Exchange): Promise<Response> {
  const { request, deps } = exchange;
  exchange.errorBody = API_DIALECT.errorBody;
  const destination = findDestination(request, deps);
  if (destination.kind === "not_found") return refuse(exchange, destination.refusal);
  const { target } = destination;
  if (!deps.config.forwardApi) return refuse(exchange, new Refusal("not_found"));
  if (deps.records === null) return refuse(exchange, new Refusal("records_unavailable"));
  const route = ownRouteOf(target.path);
  if (route === null) return deps.records.fetch(request);
  const allow = () => [METHODS[route]];
  if (route === OWN_SPEND_ROUTE) {
    const response = await serveOwnSpend(exchange, target);
    return response instanceof Refusal ? refuse(exchange, response, allow) : response;
  }
  const { headers } = request;
  const denied = await deps.records.authorize({
    authorization: headers.get("authorization"),
    coderSessionToken: headers.get("coder-session-token"),
  });
  if (denied) return refuse(exchange, new Refusal(denied.code, denied.data));
  const response = await HANDLERS[route](exchange, target);
  return response instanceof Refusal ? refuse(exchange, response, allow) : response;
}

const METHODS: Readonly<Record<OwnRoute, "GET" | "POST">> = {
  explain: "POST",
  budgets: "GET",
  "budgets/changes": "POST",
  "spend/corrections": "POST",
  "me/spend": "GET",
};

/** For the admin. */
const HANDLERS = {
  explain,
  budgets: serveBudgets,
  "budgets/changes": serveBudgetChange,
  "spend/corrections": serveCorrections,
} as const;

/** The route that the gateway serves itself. Not a path below it, which the API refuses. */
const ownRouteOf = (path: string): OwnRoute | null =>
  OWN_ROUTES.find((route) => ROUTE_PREFIXES.some((prefix) => path === `${prefix}/${route}`)) ?? null;
