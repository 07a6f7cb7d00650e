/** A rule of `BUDGETS` or `RATE_LIMITS`: whose calls, how much, and for how long. */
import type { Attribution } from "../../../events/vocabulary.ts";

/** `key` is of rate limits alone. */
export type SubjectKind = "initiator" | "actor" | "client" | "workspace" | "all" | "key";

export type CalendarUnit = "day" | "week" | "month";

/** Concurrent calls count from their start to their end, the other measures in the period of their start. */
export type Measure = "dollars" | "tokens" | "requests" | "concurrent";

export type RulePeriod =
  | { readonly kind: "calendar"; readonly unit: CalendarUnit; readonly timeZone: string }
  | { readonly kind: "window"; readonly ms: number };

/** The calls that a rule is about. An absent list matches all. */
export type RuleFilter = {
  readonly providers: readonly string[] | null;
  /** Names in lower case, or their beginning and a `*`. A call whose model is not known matches. */
  readonly models: readonly string[] | null;
  readonly clients: readonly string[] | null;
  /** A claim of the actor's verified token, and its value. */
  readonly claim: readonly [name: string, value: string] | null;
};

export type Rule = {
  /** The account's name: unique among all rules. */
  readonly account: string;
  readonly kind: "budget" | "rate_limit";
  /** As configured. */
  readonly name: string;
  readonly per: SubjectKind;
  readonly filter: RuleFilter;
  readonly measure: Measure;
  /** In micro-dollars, tokens, requests or calls. */
  readonly limit: number;
  readonly period: RulePeriod;
  /** Percent of the limit, in ascending order. */
  readonly warnAt: readonly number[];
  /** Whether a call is refused that might exceed the limit. */
  readonly isHard: boolean;
  /** `strict` reserves before the provider is called; `soft` decides by what this isolate knows, and charges afterwards. */
  readonly mode: "strict" | "soft";
  /** The weakest evidence by which an initiator is charged. */
  readonly minAttribution: Attribution;
  /** With weaker evidence, the actor is charged, or the call is refused. */
  readonly below: "actor" | "refuse";
  /** What happens while the object cannot be reached. */
  readonly onUnavailable: "open" | "closed";
  /** What happens to a call whose cost has no known limit. */
  readonly unpriced: "refuse" | "allow";
  /** Whether calls with the caller's own provider key count. */
  readonly ownKeys: boolean;
  /** Of a refusal. */
  readonly status: number;
};
