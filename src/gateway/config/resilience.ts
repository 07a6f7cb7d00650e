/** A provider's settings for the case that it fails: retries, circuit breaker, concurrency, fallbacks. All are off by default. */
import { Fields, type ReportIssue } from "../../shared/config/fields.ts";
import type {
  BreakerRules,
  ConcurrencyRules,
  DialectRoute,
  Provider,
  RetryRules,
} from "../provider/provider.ts";

type Resilience = Pick<
  Provider,
  "retries" | "headersMs" | "breaker" | "concurrency" | "fallbacks" | "modelIds"
>;

export function readResilience(fields: Fields): Resilience {
  return {
    retries: readRetries(fields),
    headersMs: fields.count("headers_ms", 1, 3_600_000, 0) || null,
    breaker: readBreaker(fields),
    concurrency: readConcurrency(fields),
    fallbacks: fields.texts("fallbacks") ?? [],
    modelIds: readModelIds(fields),
  };
}

const MAX_ATTEMPTS = 5;

/** Off by default: clients retry failed requests by themselves. */
function readRetries(parent: Fields): RetryRules {
  const fields = parent.nested("retries") ?? new Fields({}, `${parent.path}.retries`, parent.report);
  const attempts = fields.count("attempts", 1, MAX_ATTEMPTS, 1);
  const rules: RetryRules = {
    attempts,
    deadlineMs: fields.count("deadline_ms", 1, 600_000, 30_000),
    waitMs: fields.count("wait_ms", 0, 30_000, 500),
    retryOn: fields.oneOf("retry_on", ["not_run", "idempotent", "any"], "not_run"),
  };
  if (attempts === 1 && rules.retryOn !== "not_run")
    fields.reject("retry_on", "applies only with attempts of 2 or more");
  fields.rejectUnknown();
  return rules;
}

function readBreaker(parent: Fields): BreakerRules | null {
  const fields = parent.nested("breaker");
  if (fields === null) return null;
  const rules: BreakerRules = {
    failures: fields.count("failures", 1, 1000, 5),
    intervalMs: fields.count("interval_ms", 1, 3_600_000, 10_000),
    openMs: fields.count("open_ms", 1, 3_600_000, 30_000),
    trials: fields.count("trials", 1, 100, 3),
  };
  fields.rejectUnknown();
  return rules;
}

function readConcurrency(parent: Fields): ConcurrencyRules | null {
  const fields = parent.nested("concurrency");
  if (fields === null) return null;
  const max = fields.count("max", 1, 10_000, 0);
  const rules: ConcurrencyRules = { max, waitMs: fields.count("wait_ms", 0, 60_000, 1000) };
  if (max === 0) fields.reject("max", "is required");
  fields.rejectUnknown();
  return rules;
}

const MAX_MODEL_IDS = 1000;

function readModelIds(parent: Fields): ReadonlyMap<string, string> {
  const fields = parent.nested("model_ids");
  if (fields === null) return new Map();
  const names = Object.keys(fields.table);
  if (names.length > MAX_MODEL_IDS) parent.reject("model_ids", `must not have over ${MAX_MODEL_IDS} names`);
  return new Map(
    names.flatMap((name) => {
      const id = fields.required(name);
      return id === null ? [] : [[name, id] as const];
    }),
  );
}

/**
 * Whether each provider can take the requests of those that name it, with a key of the gateway. `keyed`: the providers whose
 * settings name one. A check before a deployment has no secrets.
 */
export function checkFallbacks(
  providers: ReadonlyMap<string, Provider>,
  keyed: ReadonlySet<string>,
  report: ReportIssue,
): void {
  for (const provider of providers.values()) {
    for (const [at, name] of provider.fallbacks.entries()) {
      const earlier = provider.fallbacks.slice(0, at);
      const issue = earlier.includes(name)
        ? "must not be named twice"
        : fallbackIssue(provider, providers.get(name), keyed);
      if (issue !== null) report(`PROVIDERS.${provider.name}.fallbacks[${at}]`, issue);
    }
  }
}

function fallbackIssue(
  provider: Provider,
  fallback: Provider | undefined,
  keyed: ReadonlySet<string>,
): string | null {
  if (fallback === undefined) return "must be the name of another provider in PROVIDERS";
  if (fallback === provider) return "must not be the provider itself";
  // The client's own key is for one provider: another one never gets it.
  if (!keyed.has(provider.name)) return "requires keys: a client's own key is not sent to another provider";
  if (!keyed.has(fallback.name)) return "must be a provider with keys";
  const apis = new Set(apisOf(provider));
  return apisOf(fallback).some((api) => apis.has(api)) ? null : "must be a provider that speaks the same API";
}

const apisOf = ({ dialect }: Provider): readonly unknown[] => dialect.routes.flatMap(apiOf);
const apiOf = (route: DialectRoute): readonly unknown[] => (route.kind === "intercept" ? [route.api] : []);
