/** `POST /budgets/changes`: an account gets a limit of its own, or an amount beside its limit. */
import { budgetEvent } from "../../events/compose.ts";
import type { AccountChange } from "../../events/budget-service.ts";
import { asObject } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import { uuidTime } from "../../shared/uuid.ts";
import { subjectKey } from "../policy/budgets/accounts.ts";
import type { Rule } from "../policy/budgets/rule.ts";
import type { Subject } from "../policy/budgets/subject.ts";
import { respond } from "./api-response.ts";
import { accountOf, budgetRules, claimOf, isOfPrincipals, subjectOfRule } from "./budget-account.ts";
import type { Exchange } from "./exchange.ts";
import { readJson } from "./read-json.ts";

const MAX_BODY = 16 * 1024;

/** The caller may change budgets. `by`: as events name the caller. */
export async function serveBudgetChange(
  exchange: Exchange,
  { by: changedBy }: { readonly by: string },
): Promise<Response | Refusal> {
  const { deps, id, recorder } = exchange;
  const body = await readJson(exchange, MAX_BODY);
  if (body instanceof Refusal) return body;
  const input = readInput(body.value, budgetRules(deps.budgets));
  if (input instanceof Refusal) return input;
  const { rule, subject, change, amount } = input;
  const now = deps.now();
  const object = await deps.budgets?.nameObject(subjectKey(subject));
  const made =
    object === undefined ? null : await deps.budgets?.objects?.change(object, toChange(input, id, now));
  if (!made) return new Refusal("budget_unavailable");
  const { topUp } = made;
  if (topUp && topUp.amount !== amount) return invalid("change_id");
  const facts = { rule: rule.account, subject, measure: rule.measure, change, changedBy };
  // A retried top-up is the event of the first one again, with its id and time, in case that one was lost: it counts once.
  const occasion = { id: topUp?.requestId ?? id, position: 0, caller: null };
  recorder.record(
    budgetEvent(
      "budget_change",
      occasion,
      { ...facts, ...(amount === null ? {} : { amount }) },
      uuidTime(occasion.id),
    ),
  );
  return respond(exchange, await accountOf(deps.budgets, rule, { subject, name: null }, now));
}

type ChangeInput = {
  readonly rule: Rule;
  readonly subject: Subject;
  readonly change: "override" | "no_override" | "top_up";
  /** In the rule's unit; null where the override is removed. */
  readonly amount: number | null;
  /** The caller's own id of the change, by which a retry is recognized. */
  readonly changeId: string | null;
};

const FIELDS = new Set(["budget", "subject_source", "subject_id", "set_limit", "top_up", "change_id"]);
const CHANGE_ID = /^[\x21-\x7e]{1,128}$/;

const invalid = (param: string): Refusal => new Refusal("field_invalid", { param });

/** Refuses `field_invalid` (400). */
function readInput(value: unknown, rules: readonly Rule[]): ChangeInput | Refusal {
  const fields = asObject(value);
  if (!fields || Object.keys(fields).some((name) => !FIELDS.has(name))) return invalid("body");
  const { budget, subject_source: source = null, subject_id: id = null } = fields;
  const rule = rules.find(({ name }) => name === budget);
  if (!rule) return invalid("budget");
  const isNamed = typeof id === "string";
  if (rule.per !== "all" && !isNamed) return invalid("subject_id");
  const hasSource = typeof source === "string";
  if (isOfPrincipals(rule) !== hasSource) return invalid("subject_source");
  const subject = subjectOfRule(rule, hasSource ? source : null, isNamed ? id : "");
  const { set_limit: limit, top_up: topUp } = fields;
  if ((limit === undefined) === (topUp === undefined)) return invalid("set_limit");
  const { change_id: changeId = null } = fields;
  if (changeId !== null && !(typeof changeId === "string" && CHANGE_ID.test(changeId)))
    return invalid("change_id");
  if (limit === null) return { rule, subject, change: "no_override", amount: null, changeId };
  const amount = toAmount(rule, limit ?? topUp);
  if (amount === null) return invalid(limit === undefined ? "top_up" : "set_limit");
  return { rule, subject, change: limit === undefined ? "top_up" : "override", amount, changeId };
}

/** Dollars with up to six places, or a whole number. null where it is neither. */
function toAmount({ measure }: Rule, value: unknown): number | null {
  if (typeof value !== "number" || !(value >= 0)) return null;
  const amount = measure === "dollars" ? Math.round(value * 1e6) : value;
  return Number.isSafeInteger(amount) ? amount : null;
}

/** `id`: of the request. */
const toChange = ({ rule, change, amount, changeId }: ChangeInput, id: string, now: number): AccountChange =>
  change === "top_up"
    ? {
        kind: "top_up",
        period: claimOf(rule, now),
        id: changeId === null ? id : JSON.stringify([rule.account, changeId]),
        amount: amount ?? 0,
        requestId: id,
      }
    : { kind: "override", account: rule.account, limit: amount };
