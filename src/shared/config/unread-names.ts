/**
 * Names in a Worker's environment that its configuration does not read. Variables, secrets and bindings share the
 * environment, and secrets are named freely. An unread name is therefore either a misspelt key, which is an issue, or a
 * leftover such as a secret after a rotation, which must not stop the gateway.
 */
import type { NamedValue } from "./environment.ts";
import { fromJson, type ReportIssue } from "./fields.ts";

/** Every variable that is not a secret, by the Worker that reads it. */
export const GATEWAY_SETTINGS: readonly string[] = [
  "PROVIDERS",
  "IDENTITY",
  "OWNER_ASSERTION",
  "DELEGATION",
  "RECORDING",
  "LIMITS",
  "PRICES",
  "BUDGETS",
  "RATE_LIMITS",
  "CORS",
  "FORWARD_API",
];
export const RECORDS_SETTINGS: readonly string[] = [
  "RETENTION_DAYS",
  "RETENTION",
  "DEAD_LETTER_QUEUE",
  "EVENT_MAC",
  "SEALS",
  "CONSOLE",
];

/** A secret without which nothing fails: under a misspelt name it would have no effect, unnoticed. */
const OPTIONAL_SECRETS = ["EVENT_MAC_KEY", "BUDGET_KEY"];

const SETTINGS: readonly string[] = [...GATEWAY_SETTINGS, ...RECORDS_SETTINGS, ...OPTIONAL_SECRETS];

/** Bindings with a fixed name. Others, such as KV namespaces, are named by the configuration. */
export const BINDINGS: readonly string[] = [
  "INTERCEPTIONS",
  "OVERRIDES",
  "EVENTS",
  "RECORDS",
  "NONCES",
  "OBJECTS",
  "BUDGET_OBJECTS",
  "LEDGER",
  "ARCHIVE",
  "ASSETS",
  "CF_VERSION_METADATA",
];

/**
 * Reports each unread name that is the other Worker's setting, or a misspelt key:
 *
 * - any value, one or two letters away from a setting;
 * - a number, a flag or a table, which no secret is, whose name begins like a setting's;
 * - a binding, one or two letters away from the name of one.
 */
export function rejectMisspelt(unread: readonly NamedValue[], report: ReportIssue): void {
  for (const [name, value] of unread) {
    // The other Worker's binding does nothing here; its setting would not apply.
    if (BINDINGS.includes(name)) continue;
    if (GATEWAY_SETTINGS.includes(name)) {
      report(name, "must be set in the gateway (wrangler.toml)");
      continue;
    }
    const meant = nearestKey(name.toUpperCase().replaceAll("-", "_"), value);
    if (meant !== undefined) report(name, `is not a known key (did you mean ${meant}?)`);
  }
}

function nearestKey(name: string, sent: unknown): string | undefined {
  const value = fromJson(sent);
  if (isBinding(value)) return BINDINGS.find((known) => isNear(name, known));
  return SETTINGS.find(
    (known) => isNear(name, known) || (typeof value !== "string" && name.startsWith(known.slice(0, 4))),
  );
}

const isBinding = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.getPrototypeOf(value) !== Object.prototype;

/** Short names differ from many words in two letters. */
const isNear = (name: string, known: string): boolean => distance(name, known) <= (known.length < 8 ? 1 : 2);

/** Levenshtein distance: how many letters to insert, remove or replace. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let at = 1; at <= from.length; at += 1) {
    const next = [at];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (row[column - 1] ?? 0) + (from[at - 1] === to[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
