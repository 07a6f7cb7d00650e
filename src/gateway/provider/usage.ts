/**
 * Token usage that a response reports. Each figure is the provider's own: an integer from 0 to 2^53 - 1, or null if it is
 * absent. Any other value is dropped, and `invalid` is set.
 */
import type { JsonObject } from "../../shared/json.ts";
import { toJson } from "./bounded-text.ts";
import { truncate } from "../../shared/text.ts";

export type Usage = {
  /** Without cached tokens. */
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly cache_read_input_tokens: number | null;
  readonly cache_write_input_tokens: number | null;
  readonly extras: Readonly<Record<string, number>>;
  readonly invalid: boolean;
  /** The provider's usage object as JSON; null where it is too long. */
  readonly raw: string | null;
};

const MAX_RAW = 2048;

/** The provider's usage object as JSON; null if it has more than 2,048 characters. */
export function rawUsage(from: JsonObject): string | null {
  const json = toJson(from);
  return json !== null && json.length <= MAX_RAW ? json : null;
}

/** The value truncated to `max` UTF-16 units, or null if it is not a string. */
export function asText(value: unknown, max = 256): string | null {
  // The result is a copy: a slice would keep the provider's whole text in memory.
  return typeof value === "string" ? structuredClone(truncate(value, max)) : null;
}

/** As `asText`, but null for an empty string too: the id and model of Azure's first chunk are empty. */
export function asName(value: unknown, max = 256): string | null {
  return asText(value, max) || null;
}

/** Reads the figures of one usage object and records whether one was invalid. */
export class UsageFigures {
  invalid = false;
  readonly extras: Record<string, number> = {};

  /** The figure under `key`, or null if it is absent, null or invalid. */
  read(from: JsonObject | null, key: string): number | null {
    const value = from?.[key];
    if (value === undefined || value === null) return null;
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
    this.invalid = true;
    return null;
  }

  /** Adds the figure under `key` to the extras as `name`, unless it is absent or invalid. */
  extra(name: string, from: JsonObject | null, key: string): void {
    const value = this.read(from, key);
    if (value !== null) this.extras[name] = value;
  }

  /** `total` minus its cached parts, at least 0; null if the total is unknown. */
  subtract(total: number | null, ...parts: readonly (number | null)[]): number | null {
    if (total === null) return null;
    const rest = parts.reduce<number>((sum, part) => sum - (part ?? 0), total);
    if (rest < 0) this.invalid = true;
    return Math.max(0, rest);
  }
}
