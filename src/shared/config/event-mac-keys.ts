/** Reads `EVENT_MAC_KEY`, which both Workers have: one key or, during a rotation, two with a space between. */
import type { Environment } from "./environment.ts";

export const EVENT_MAC_KEY = "EVENT_MAC_KEY";

const MIN_BYTES = 32;
/** A repeated word is long and easy to guess. */
const MIN_DISTINCT = 8;

/** The keys, of which the first signs; none where the secret is absent, or after reporting its issue. */
export function readEventMacKeys({ has, secret, report }: Environment): readonly string[] {
  if (!has(EVENT_MAC_KEY)) return [];
  const value = secret(EVENT_MAC_KEY);
  if (value === null) return [];
  const keys = value.split(" ");
  const issue = issueOf(keys);
  if (issue === null) return keys;
  report(EVENT_MAC_KEY, issue);
  return [];
}

function issueOf(keys: readonly string[]): string | null {
  if (keys.length > 2) return "must be one key, or two with one space between (npm run keys -- mac)";
  if (!keys.every((key) => /^[\x21-\x7e]+$/.test(key))) return "must be visible ASCII";
  if (keys.some((key) => key.length < MIN_BYTES)) return `must have at least ${MIN_BYTES} bytes in each key`;
  if (keys.some((key) => new Set(key).size < MIN_DISTINCT))
    return "must be random: it has too few different characters";
  return new Set(keys).size < keys.length ? "must not have the same key twice" : null;
}
