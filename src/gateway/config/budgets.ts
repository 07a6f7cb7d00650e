/** The config's `BUDGETS` and `RATE_LIMITS`, validated. */
import { ATTRIBUTION_WORDS } from "../../events/attribution-strength.ts";
import type { Attribution } from "../../events/vocabulary.ts";
import { asTable, Fields, type ReportIssue } from "../../shared/config/fields.ts";
import type {
  CalendarUnit,
  Measure,
  Rule,
  RuleFilter,
  RulePeriod,
  SubjectKind,
} from "../policy/budgets/rule.ts";

/** A rate limit that the platform counts, approximately. */
export type PlatformLimit = {
  readonly name: string;
  readonly per: SubjectKind;
  readonly filter: RuleFilter;
  readonly minAttribution: Attribution;
  /** The name of the binding. */
  readonly binding: string;
};

const SUBJECTS: readonly SubjectKind[] = ["initiator", "actor", "client", "workspace", "all"];
const CALENDAR_UNITS: readonly CalendarUnit[] = ["day", "week", "month"];
const NAME = /^[a-z0-9]+(?:[-_][a-z0-9]+)*$/;

type TableReader = (name: string, fields: Fields) => readonly Rule[];

function readTable(value: unknown, key: string, report: ReportIssue, read: TableReader): readonly Rule[] {
  const table = asTable(value, key, report) ?? {};
  return Object.entries(table).flatMap(([name, entry]) => {
    const path = `${key}.${name}`;
    if (!NAME.test(name) || name.length > 64) report(path, `must match ${NAME.source}`);
    const settings = asTable(entry, path, report);
    if (settings === null) return [];
    const fields = new Fields(settings, path, report);
    const rules = read(name, fields);
    fields.rejectUnknown();
    return rules;
  });
}

/** `value`: of `BUDGETS`. */
export const readBudgets = (value: unknown, providers: ProviderNames, report: ReportIssue): readonly Rule[] =>
  readTable(value, "BUDGETS", report, (name, fields) => [readBudget(name, fields, providers)]);

const DEFAULT_WARNINGS = [80];
const MAX_DOLLARS = 1_000_000_000;

function readBudget(name: string, fields: Fields, providers: ProviderNames): Rule {
  const per = fields.oneOf("per", SUBJECTS, "initiator");
  const { measure, limit } = readAmount(fields);
  const isHard = fields.flag("hard", true);
  const mode = fields.oneOf("mode", ["strict", "soft"], per === "all" ? "soft" : "strict");
  return {
    account: `budget:${name}`,
    kind: "budget",
    name,
    per,
    filter: readFilter(fields, providers),
    measure,
    limit,
    period: readPeriod(fields),
    warnAt: readWarnings(fields),
    isHard,
    mode,
    ...readEvidence(fields),
    onUnavailable: fields.oneOf(
      "on_unavailable",
      ["open", "closed"],
      isHard && mode === "strict" ? "closed" : "open",
    ),
    unpriced: fields.oneOf("unpriced", ["refuse", "allow"], "refuse"),
    ownKeys: fields.flag("own_keys", false),
    status: readStatus(fields),
  };
}

function readStatus(fields: Fields): number {
  const status = fields.count("status", 403, 429, 403);
  if (status !== 403 && status !== 429) fields.reject("status", "must be 403 or 429");
  return status;
}

const AMOUNTS = ["dollars", "tokens", "requests"] as const;

/** Exactly one of the three. */
function readAmount(fields: Fields): { readonly measure: Measure; readonly limit: number } {
  const amounts = AMOUNTS.flatMap((measure) => {
    const limit =
      measure === "dollars"
        ? fields.number(measure, 0, MAX_DOLLARS, ABSENT)
        : fields.count(measure, 0, Number.MAX_SAFE_INTEGER, ABSENT);
    return limit === ABSENT
      ? []
      : [{ measure, limit: measure === "dollars" ? Math.round(limit * 1e6) : limit }];
  });
  const [amount, second] = amounts;
  const isAbsent = AMOUNTS.every((name) => !Object.hasOwn(fields.table, name));
  if (isAbsent) fields.reject("dollars", "is required, or `tokens`, or `requests`");
  if (second) fields.reject(second.measure, "does not apply beside another amount: write a rule for each");
  return amount ?? { measure: "requests", limit: 0 };
}

const ABSENT = -1;
const MIN_WINDOW_S = 60;
const MAX_WINDOW_S = 366 * 86_400;

function readPeriod(fields: Fields): RulePeriod {
  const seconds = fields.count("window_s", MIN_WINDOW_S, MAX_WINDOW_S, ABSENT);
  const unit = fields.oneOf("period", CALENDAR_UNITS, "month");
  const timeZone = fields.text("time_zone") ?? "UTC";
  if (seconds !== ABSENT) {
    for (const key of ["period", "time_zone"])
      if (Object.hasOwn(fields.table, key)) fields.reject(key, "does not apply beside window_s");
    return { kind: "window", ms: seconds * 1000 };
  }
  if (!isTimeZone(timeZone)) {
    fields.reject("time_zone", "must be the name of a time zone, such as Europe/Berlin");
    return { kind: "calendar", unit, timeZone: "UTC" };
  }
  return { kind: "calendar", unit, timeZone };
}

const isPercent = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1000;

/** Whether the runtime knows the time zone. */
function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

function readWarnings(fields: Fields): readonly number[] {
  const values = fields.list("warn_at");
  if (!Object.hasOwn(fields.table, "warn_at")) return DEFAULT_WARNINGS;
  if (!Array.isArray(fields.table["warn_at"]) || !values.every(isPercent)) {
    fields.reject("warn_at", "must be a list of whole percentages from 1 to 1000");
    return [];
  }
  return [...new Set(values as readonly number[])].toSorted((one, other) => one - other);
}

/** The names of `PROVIDERS`. */
type ProviderNames = { readonly has: (name: string) => boolean };

/** A misspelt provider would silently leave its calls without a limit. */
function readFilter(fields: Fields, known: ProviderNames): RuleFilter {
  const claim = fields.text("claim");
  const [name, value] = splitAt(claim ?? "", "=");
  if (claim !== null && (name === "" || value === "")) fields.reject("claim", 'must be "name=value"');
  const models = fields.texts("models");
  const providers = fields.texts("providers");
  if (providers?.some((provider) => !known.has(provider)))
    fields.reject("providers", "must be names of PROVIDERS");
  return {
    providers,
    models: models && models.map((model) => model.toLowerCase()),
    clients: fields.texts("clients"),
    claim: claim === null ? null : [name, value],
  };
}

function splitAt(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

const readMinAttribution = (fields: Fields): Attribution =>
  fields.oneOf("min_attribution", ATTRIBUTION_WORDS, "asserted");

const readEvidence = (fields: Fields): Pick<Rule, "minAttribution" | "below"> => ({
  minAttribution: readMinAttribution(fields),
  below: fields.oneOf("below", ["actor", "refuse"], "actor"),
});

const MINUTE_MS = 60_000;
const RATES = ["requests", "tokens", "concurrent"] as const;
const RATE_SUBJECTS: readonly SubjectKind[] = ["initiator", "actor", "key", "all"];

export type RateLimits = { readonly rules: readonly Rule[]; readonly platform: readonly PlatformLimit[] };

/** `value`: of `RATE_LIMITS`. */
export function readRateLimits(value: unknown, providers: ProviderNames, report: ReportIssue): RateLimits {
  const platform: PlatformLimit[] = [];
  const rules = readTable(value, "RATE_LIMITS", report, (name, fields) => {
    const per = fields.oneOf("per", RATE_SUBJECTS, "initiator");
    const binding = fields.text("binding");
    if (binding !== null) {
      platform.push({
        name,
        per,
        filter: readFilter(fields, providers),
        minAttribution: readMinAttribution(fields),
        binding,
      });
      for (const key of RATES)
        if (Object.hasOwn(fields.table, key))
          fields.reject(key, "does not apply beside binding, whose limit stands in wrangler.toml");
      return [];
    }
    return readRates(name, per, fields, providers);
  });
  return { rules, platform };
}

function readRates(
  name: string,
  per: Rule["per"],
  fields: Fields,
  providers: ProviderNames,
): readonly Rule[] {
  const shared = {
    kind: "rate_limit" as const,
    name,
    per,
    filter: readFilter(fields, providers),
    period: { kind: "window" as const, ms: MINUTE_MS },
    warnAt: [],
    isHard: true,
    mode: "strict" as const,
    ...readEvidence(fields),
    onUnavailable: fields.oneOf("on_unavailable", ["open", "closed"], "open"),
    unpriced: "allow" as const,
    ownKeys: fields.flag("own_keys", true),
    status: 429,
  };
  const rules = RATES.flatMap((measure): Rule[] => {
    const limit = fields.count(measure, 1, Number.MAX_SAFE_INTEGER, ABSENT);
    return limit === ABSENT ? [] : [{ ...shared, account: `rate:${name}:${measure}`, measure, limit }];
  });
  if (rules.length === 0) fields.reject("requests", "is required, or `tokens`, `concurrent` or `binding`");
  return rules;
}
