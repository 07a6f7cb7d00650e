/**
 * What a database or a bucket says of a failure, for a line on the console. It names tables, columns and limits, never
 * values: all statements are fixed texts.
 */
export function errorText(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message.slice(0, 200)}` : "unknown";
}
