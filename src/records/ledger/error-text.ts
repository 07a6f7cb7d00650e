import { truncate } from "../../shared/text.ts";

/**
 * The failure of a database or a bucket, for an operator log line. The message names tables, columns and limits, never
 * values: every statement is a fixed text with bound parameters.
 */
export function errorText(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${truncate(error.message, 200)}` : "unknown";
}
