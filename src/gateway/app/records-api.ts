/** The routes of the records API on the gateway's host: forwarded to the records Worker, except `explain`. */
import { EXPLAIN_RULES } from "../../events/explanation.ts";
import { EXPLAIN_ROUTE } from "../../shared/api-routes.ts";
import { readTarget, ROUTE_PREFIXES } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Dialect } from "../provider/provider.ts";
import { hasLooped } from "../upstream/request-headers.ts";
import { refuse, type Exchange } from "./exchange.ts";
import { explain } from "./explain/explain.ts";

export async function serveApi(exchange: Exchange): Promise<Response> {
  const { request, deps } = exchange;
  exchange.errorBody = apiErrorBody;
  if (hasLooped(request.headers)) return refuse(exchange, new Refusal("loop"));
  if (!deps.config.forwardApi) return refuse(exchange, new Refusal("not_found"));
  if (deps.records === null) return refuse(exchange, new Refusal("records_unavailable"));
  const target = readTarget(request);
  if (target instanceof Refusal) return refuse(exchange, target);
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

/** Coder's API error: `message`, and `validations` where a field is at fault. */
const apiErrorBody: Dialect["errorBody"] = ({ message, code, param }) => {
  if (param === null) return { message };
  const detail = code === "filter_unknown" ? NO_PARAMETERS : (EXPLAIN_RULES[param] ?? "");
  return { message, validations: [{ field: param, detail }] };
};

const NO_PARAMETERS = "explain has no query parameters";
