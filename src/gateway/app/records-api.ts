/** The routes of the records API on the gateway's host: forwarded to the records Worker, except `explain`. */
import { EXPLAIN_ROUTE } from "../../shared/api-routes.ts";
import { ROUTE_PREFIXES } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import { API_DIALECT } from "./api-dialect.ts";
import { findDestination } from "./destination.ts";
import { refuse, type Exchange } from "./exchange.ts";
import { explain } from "./explain/explain.ts";

export async function serveApi(exchange: Exchange): Promise<Response> {
  const { request, deps } = exchange;
  exchange.errorBody = API_DIALECT.errorBody;
  const destination = findDestination(request, deps);
  if (destination.kind === "not_found") return refuse(exchange, destination.refusal);
  const { target } = destination;
  if (!deps.config.forwardApi) return refuse(exchange, new Refusal("not_found"));
  if (deps.records === null) return refuse(exchange, new Refusal("records_unavailable"));
  if (!isExplain(target.path)) return deps.records.fetch(request);
  const { headers } = request;
  const denied = await deps.records.authorize({
    authorization: headers.get("authorization"),
    coderSessionToken: headers.get("coder-session-token"),
  });
  if (denied) return refuse(exchange, new Refusal(denied.code, denied.data));
  const response = await explain(exchange, target);
  return response instanceof Refusal ? refuse(exchange, response, () => ["POST"]) : response;
}

/** Not a path below it, which the API refuses. */
const isExplain = (path: string): boolean =>
  ROUTE_PREFIXES.some((prefix) => path === `${prefix}/${EXPLAIN_ROUTE}`);
