/** `RETENTION_DAYS` and the table `RETENTION`. */
import type { Environment } from "../../shared/config/environment.ts";
import type { Retention, RetentionDays } from "../ledger/maintain/retention.ts";

/** 500 developers with 227 calls a day fill 7.2 GB in it: docs/deploy.md. */
const DEFAULT_DAYS = 30;
const DEFAULT_MAX_GB = 8;
/** D1's own limit: https://developers.cloudflare.com/d1/platform/limits/ */
const D1_MAX_GB = 10;
const GB = 1_000_000_000;
const MAX_DAYS = 36_500;

/** The parts of an interception, which are deleted at the latest with it. */
const PARTS = ["prompts", "thoughts", "tools"] as const;

export function readRetention({ days, fields }: Environment): Retention {
  const all = days("RETENTION_DAYS", DEFAULT_DAYS);
  const table = fields("RETENTION");
  const period = (group: keyof RetentionDays, otherwise: number): number =>
    table.count(group, 0, MAX_DAYS, otherwise);
  const read: RetentionDays = {
    prompts: period("prompts", all),
    thoughts: period("thoughts", all),
    tools: period("tools", all),
    overrides: period("overrides", all),
    passthroughs: period("passthroughs", all),
    refusals: period("refusals", all),
    interceptions: all,
    anomalies: period("anomalies", all),
    budgets: period("budgets", 400),
    accesses: period("accesses", 400),
    totals: period("totals", 0),
    unauthenticated: period("unauthenticated", all),
  };
  for (const group of PARTS)
    if (all > 0 && (read[group] === 0 || read[group] > all))
      table.reject(group, "must not exceed RETENTION_DAYS: it goes with its interception");
  const maxBytes = table.count("max_gb", 0, D1_MAX_GB, DEFAULT_MAX_GB) * GB;
  table.rejectUnknown();
  return { days: read, maxBytes };
}
