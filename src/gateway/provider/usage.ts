/**
 * What an answer says it used. Each figure is the provider's own, as a whole number from 0 to 2^53 - 1, or null where
 * it gave none; a figure that is no such number is not taken, and `flagged` says that one was refused.
 */
import type { JsonObject } from "../../shared/json.ts";
import { truncate } from "../../shared/text.ts";

export type Usage = {
  /** Cache excluded. */
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly cache_read_input_tokens: number | null;
  readonly cache_write_input_tokens: number | null;
  readonly extras: Readonly<Record<string, number>>;
  readonly invalid: boolean;
};

/** The value as text of at most `max` characters, or null where it is not a text. */
export function asText(value: unknown, max = 256): string | null {
  // A text of its own: a slice would keep the provider's whole text alive.
  return typeof value === "string" ? structuredClone(truncate(value, max)) : null;
}

/** The same, where an empty text says nothing either: Azure's first chunk has an empty id and model. */
export function asName(value: unknown, max = 256): string | null {
  return asText(value, max) || null;
}

/** Collects figures of one usage object and remembers whether one had to be refused. */
export class UsageFigures {
  invalid = false;
  readonly extras: Record<string, number> = {};

  /** The figure under `key`, or null where it is absent, null or no count. */
  read(from: JsonObject | null, key: string): number | null {
    const value = from?.[key];
    if (value === undefined || value === null) return null;
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
    this.invalid = true;
    return null;
  }

  /** Keeps the figure under `key` as the named extra, if there is one. */
  extra(name: string, from: JsonObject | null, key: string): void {
    const value = this.read(from, key);
    if (value !== null) this.extras[name] = value;
  }

  /** `total` less its cached parts, never below 0; null where the total is unknown. */
  subtract(total: number | null, ...parts: readonly (number | null)[]): number | null {
    if (total === null) return null;
    const rest = parts.reduce<number>((left, part) => left - (part ?? 0), total);
    if (rest < 0) this.invalid = true;
    return Math.max(0, rest);
  }
}
