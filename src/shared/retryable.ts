/**
 * A transient failure of the platform. A retry makes an overloaded object's state worse.
 * https://developers.cloudflare.com/durable-objects/best-practices/error-handling/
 */
export function isRetryable(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { retryable, overloaded } = error as { readonly retryable?: unknown; readonly overloaded?: unknown };
  return retryable === true && overloaded !== true;
}
