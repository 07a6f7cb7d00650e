/** `GET /budgets`: the accounts of budgets. The gateway has the rules. The ledger has the principals and clients that made calls. */
import { onlyAdminHeaders } from "../../shared/admin-headers.ts";
import { ROUTE_PREFIXES } from "../../shared/http/target.ts";
import { asObject, parseJson } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import { periodOf } from "../policy/budgets/period.ts";
import type { Rule } from "../policy/budgets/rule.ts";
import { respond } from "./api-response.ts";
import { accountOf, budgetRules, isOfPrincipals, subjectOfRule, type Named } from "./budget-account.ts";
import type { Exchange } from "./exchange.ts";

/** The caller may read. */
export async function serveBudgets(
  exchange: Exchange,
  { parameters }: { readonly parameters: URLSearchParams },
): Promise<Response | Refusal> {
  const { deps } = exchange;
  const values = readParameters(parameters);
  if (values instanceof Refusal) return values;
  const { budget, source, id, limit, offset } = values;
  const rules = budgetRules(deps.budgets).filter(({ name }) => budget === null || name === budget);
  if (budget !== null && rules.length === 0) return invalid("budget");
  if (id !== null && source === null && rules.some(isOfPrincipals)) return invalid("subject_source");
  const results: object[] = [];
  let isCapped = false;
  for (const rule of rules) {
    const given = id === null ? null : { subject: subjectOfRule(rule, source, id), name: null };
    const found = given ? [given] : await subjectsOf(exchange, rule, { limit: limit + 1, offset });
    if (found instanceof Refusal) return found;
    isCapped ||= found.length > limit;
    const states = await Promise.all(
      found.slice(0, limit).map((named) => accountOf(deps.budgets, rule, named, deps.now())),
    );
    results.push(...states);
  }
  return respond(exchange, { count: results.length, results, results_are_capped: isCapped });
}

const MAX_LIMIT = 100;
export const BUDGETS_PARAMETERS = ["budget", "subject_source", "subject_id", "limit", "offset"] as const;

function readParameters(parameters: URLSearchParams) {
  const names = [...parameters.keys()];
  const repeated = names.find((name, at) => names.indexOf(name) !== at);
  if (repeated !== undefined) return invalid(repeated);
  const limit = readCount(parameters.get("limit"), 50);
  const offset = readCount(parameters.get("offset"), 0);
  if (limit === null || limit < 1 || limit > MAX_LIMIT) return invalid("limit");
  if (offset === null) return invalid("offset");
  return {
    budget: parameters.get("budget"),
    source: parameters.get("subject_source"),
    id: parameters.get("subject_id"),
    limit,
    offset,
  };
}

function readCount(text: string | null, otherwise: number): number | null {
  if (text === null) return otherwise;
  return /^\d{1,7}$/.test(text) ? Number(text) : null;
}

const invalid = (param: string): Refusal => new Refusal("filter_invalid", { param });
const GROUPS: Readonly<Record<string, string>> = { initiator: "initiator", actor: "actor", client: "client" };

/** The subjects that have made calls in the period, from the ledger, in descending order of their cost. */
async function subjectsOf(
  { request, deps }: Exchange,
  rule: Rule,
  { limit, offset }: { readonly limit: number; readonly offset: number },
): Promise<readonly Named[] | Refusal> {
  if (rule.per === "all") return offset > 0 ? [] : [{ subject: subjectOfRule(rule, null, ""), name: null }];
  const group = GROUPS[rule.per];
  if (group === undefined || deps.records === null) return [];
  const { since } = periodOf(rule.period, rule.measure, deps.now());
  const query = new URLSearchParams({
    group_by: group,
    started_after: new Date(since).toISOString(),
    limit: String(limit),
    offset: String(offset),
  });
  // On the request's own host, because a session of the console counts there only.
  const url = new URL(`${ROUTE_PREFIXES[0]}/spend?${query}`, request.url);
  const response = await deps.records.fetch(new Request(url, { headers: onlyAdminHeaders(request.headers) }));
  const body = asObject(parseJson(await response.text()));
  const results = body?.["results"];
  if (!response.ok || !Array.isArray(results)) return new Refusal("ledger_unavailable");
  return results.flatMap((value: unknown): Named[] => {
    const { key, source, name } = asObject(value) ?? {};
    return typeof key === "string"
      ? [{ subject: subjectOfRule(rule, textOrNull(source), key), name: textOrNull(name) }]
      : [];
  });
}

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);
