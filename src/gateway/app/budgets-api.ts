/**
 * `GET /budgets`, `POST /budgets/changes` and `GET /me/spend`: the gateway has the rules, and the objects have the accounts. They are the
 * API's except that `/me/spend` takes the caller's own credential.
 */
import { budgetEvent } from "../../events/compose.ts";
import type { AccountState, Allowance, Period } from "../../events/budget-service.ts";
import { sha256Hex } from "../../shared/digest.ts";
import { ROUTE_PREFIXES, type Target } from "../../shared/http/target.ts";
import { asObject, parseJson } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import { unknownFilter } from "../../shared/unknown-filter.ts";
import { readCredential } from "../identity/credential.ts";
import { identify } from "../identity/identity.ts";
import { subjectKey } from "../policy/budgets/accounts.ts";
import { periodOf } from "../policy/budgets/period.ts";
import type { Rule } from "../policy/budgets/rule.ts";
import type { Subject } from "../policy/budgets/subject.ts";
import type { Exchange } from "./exchange.ts";
import { readBody } from "./read-body.ts";
import { rejectEncodedBody } from "./request-body.ts";
import type { SpendingDeps } from "./spending.ts";

const HEADERS = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

const respond = ({ id }: Exchange, body: object): Response =>
  Response.json(body, { headers: { ...HEADERS, "x-interception-id": id } });

/** A subject with the name that the ledger has for it. */
type Named = { readonly subject: Subject; readonly name: string | null };

/** `GET /budgets`: the accounts. The caller is the admin. */
export async function serveBudgets(exchange: Exchange, { search }: Target): Promise<Response | Refusal> {
  const { request, deps } = exchange;
  if (request.method !== "GET") return new Refusal("method_not_allowed");
  const parameters = new URLSearchParams(search);
  const values = readParameters(parameters);
  if (values instanceof Refusal) return values;
  const { budget, source, id, limit, offset } = values;
  const rules = budgetRules(deps.budgets).filter(({ name }) => budget === null || name === budget);
  if (budget !== null && rules.length === 0) return invalid("budget");
  if (id !== null && source === null && rules.some(({ per }) => per === "initiator" || per === "actor"))
    return invalid("subject_source");
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

/** The budgets of the caller itself, and what its calls cost since the month began. */
export async function serveOwnSpend(exchange: Exchange, { search }: Target): Promise<Response | Refusal> {
  const { request, headers, deps } = exchange;
  if (request.method !== "GET") return new Refusal("method_not_allowed");
  const [parameter] = new URLSearchParams(search).keys();
  if (parameter !== undefined) return unknownFilter(parameter);
  const credential = await readCredential(headers, deps.config.sources);
  if (credential instanceof Refusal) return credential;
  const actor = await identify(credential, deps.config.sources);
  if (actor instanceof Refusal) return actor;
  const { source, id, name } = actor;
  // The fingerprint of a key that nothing verifies is no person's.
  if (!actor.verified) return new Refusal("invalid_credential");
  const now = deps.now();
  const { start: from } = periodOf({ kind: "calendar", unit: "month", timeZone: "UTC" }, "dollars", now);
  const spend = deps.records && (await deps.records.spendOf(source, id, from).catch(() => null));
  const subject: Subject = { kind: "principal", source, id };
  const rules = budgetRules(deps.budgets).filter(({ per }) => per === "initiator" || per === "actor");
  const budgets = await Promise.all(
    rules.map((rule) => accountOf(deps.budgets, rule, { subject, name }, now)),
  );
  return respond(exchange, {
    id,
    source,
    name,
    started_after: new Date(from).toISOString(),
    spend,
    budgets,
  });
}

const budgetRules = (budgets: SpendingDeps | null): readonly Rule[] =>
  (budgets?.rules ?? []).filter(({ kind }) => kind === "budget");

const MAX_LIMIT = 100;
const PARAMETERS = new Set(["budget", "subject_source", "subject_id", "limit", "offset"]);

function readParameters(parameters: URLSearchParams) {
  const names = [...parameters.keys()];
  const unknown = names.find((name) => !PARAMETERS.has(name));
  if (unknown !== undefined) return unknownFilter(unknown);
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
const invalidField = (param: string): Refusal => new Refusal("field_invalid", { param });

const GROUPS: Readonly<Record<string, string>> = { initiator: "initiator", actor: "actor", client: "client" };

function subjectOfRule({ per, account }: Rule, source: string | null, id: string): Subject {
  if (per === "initiator" || per === "actor") return { kind: "principal", source, id };
  return per === "all" ? { kind: "all", source: null, id: account } : { kind: per, source: null, id };
}

/** The subjects that have made calls in the period, by the ledger: those that have spent most first. */
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
  const url = `https://records.invalid${ROUTE_PREFIXES[0]}/spend?${query}`;
  const response = await deps.records.fetch(new Request(url, { headers: adminHeaders(request) }));
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

function adminHeaders({ headers }: Request): Headers {
  const names = ["authorization", "coder-session-token"];
  return new Headers(
    names.flatMap((name) => [[name, headers.get(name) ?? ""]] as const).filter(([, value]) => value),
  );
}

const claimOf = (rule: Rule, now: number): Period & Allowance => ({
  account: rule.account,
  ...periodOf(rule.period, rule.measure, now),
  limit: rule.limit,
  isHard: rule.isHard,
  warnAt: [],
});

async function accountOf(
  budgets: SpendingDeps | null,
  rule: Rule,
  { subject, name }: Named,
  now: number,
): Promise<object> {
  const object = await budgets?.nameObject(subjectKey(subject));
  const states = object === undefined ? null : await budgets?.objects?.read(object, [claimOf(rule, now)]);
  return toResult(rule, { subject, name }, states?.[0] ?? null);
}

/** Without a state where the object did not respond. */
function toResult(rule: Rule, { subject, name }: Named, state: AccountState | null): object {
  return {
    budget: rule.name,
    per: rule.per,
    measure: rule.measure,
    period: rule.period.kind === "window" ? `${rule.period.ms / 1000} s` : rule.period.unit,
    hard: rule.isHard,
    mode: rule.mode,
    subject_kind: subject.kind,
    subject_source: subject.source,
    subject_id: subject.kind === "all" ? null : subject.id,
    subject_name: name,
    limit: state?.limit ?? rule.limit,
    spent: state?.spent ?? null,
    reserved: state?.reserved ?? null,
    resets_at: state ? new Date(state.resetsAt).toISOString() : null,
  };
}

const MAX_BODY = 16 * 1024;
const FIELDS = new Set(["budget", "subject_source", "subject_id", "set_limit", "top_up"]);

/** `POST /budgets/changes`: sets a limit of an account's own (`set_limit`, null removes it), or adds to it for the period (`top_up`). */
export async function serveBudgetChange(exchange: Exchange, { search }: Target): Promise<Response | Refusal> {
  const { request, deps, id: changeId, recorder } = exchange;
  if (request.method !== "POST") return new Refusal("method_not_allowed");
  const [parameter] = new URLSearchParams(search).keys();
  if (parameter !== undefined) return unknownFilter(parameter);
  const options = { ...deps.bodies, maxBytes: MAX_BODY, holding: exchange.holding };
  const bytes = rejectEncodedBody(request.headers) ?? (await readBody(request, options));
  if (bytes instanceof Refusal) return bytes;
  const fields = asObject(parseJson(new TextDecoder().decode(bytes)));
  if (!fields) return new Refusal("body_invalid");
  const unknown = Object.keys(fields).find((name) => !FIELDS.has(name));
  if (unknown !== undefined) return invalidField("body");
  const {
    budget,
    subject_source: source = null,
    subject_id: id = null,
    set_limit: limit,
    top_up: topUp,
  } = fields;
  const rule = budgetRules(deps.budgets).find(({ name }) => name === budget);
  if (!rule) return invalidField("budget");
  if (rule.per !== "all" && typeof id !== "string") return invalidField("subject_id");
  const isPrincipal = rule.per === "initiator" || rule.per === "actor";
  if (isPrincipal !== (typeof source === "string")) return invalidField("subject_source");
  const isTopUp = topUp !== undefined;
  if (isTopUp === (limit !== undefined)) return invalidField("set_limit");
  const amount = isTopUp ? toAmount(rule, topUp) : limit === null ? null : toAmount(rule, limit);
  if (amount === undefined || (isTopUp && amount === null))
    return invalidField(isTopUp ? "top_up" : "set_limit");
  const subject = subjectOfRule(
    rule,
    typeof source === "string" ? source : null,
    typeof id === "string" ? id : "",
  );
  const { budgets } = deps;
  const object = await budgets?.nameObject(subjectKey(subject));
  const now = deps.now();
  const claim = claimOf(rule, now);
  const done =
    object === undefined
      ? null
      : await budgets?.objects?.change(
          object,
          isTopUp
            ? { kind: "top_up", period: claim, id: changeId, amount: amount ?? 0 }
            : { kind: "override", account: rule.account, limit: amount },
        );
  if (!done) return new Refusal("budget_unavailable");
  const change = isTopUp ? "top_up" : amount === null ? "no_override" : "override";
  const facts = { rule: rule.account, subject, measure: rule.measure, change } as const;
  recorder.record(
    budgetEvent(
      "budget_change",
      { id: changeId, position: 0, caller: null },
      { ...facts, ...(amount === null ? {} : { amount }), changedBy: await adminOf(request) },
      now,
    ),
  );
  return respond(exchange, await accountOf(budgets, rule, { subject, name: null }, now));
}

/** Dollars with up to six places, or a whole number. undefined where it is neither. */
function toAmount({ measure }: Rule, value: unknown): number | undefined {
  if (typeof value !== "number" || !(value >= 0)) return undefined;
  const amount = measure === "dollars" ? Math.round(value * 1e6) : value;
  return Number.isSafeInteger(amount) ? amount : undefined;
}

/** As the records Worker names the admin in its own events. */
async function adminOf({ headers }: Request): Promise<string> {
  const token =
    headers.get("coder-session-token") ?? (headers.get("authorization") ?? "").replace(/^bearer\s+/i, "");
  return `token:${(await sha256Hex(token)).slice(0, 16)}`;
}
