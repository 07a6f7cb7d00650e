/** On which host a request arrived, and which page sent it. */
import type { SessionHeaders } from "../../shared/admin-headers.ts";

/** The configured origin whose host the request names; null where it is not the console's host. */
export function consoleOrigin(host: string | null, origins: readonly string[]): string | null {
  const named = host?.toLowerCase() ?? "";
  return origins.find((origin) => new URL(origin).host === named) ?? null;
}

/**
 * Whether a page of this origin sent the request. Every current browser sends both headers with a write; a page of another
 * site can omit neither.
 */
export const isOwnPage = (
  { origin, secFetchSite }: Pick<SessionHeaders, "origin" | "secFetchSite">,
  own: string,
): boolean => origin === own && secFetchSite === "same-origin";

/** Whether a page of another origin sent the request. A neighbor under the same domain counts as one, too. */
export const isForeignPage = (
  { origin, secFetchSite }: Pick<SessionHeaders, "origin" | "secFetchSite">,
  own: string,
): boolean =>
  (origin !== null && origin !== own) ||
  (secFetchSite !== null && secFetchSite !== "same-origin" && secFetchSite !== "none");

/** `application/json`, with parameters or not. A form cannot send it without a preflight. */
export const isJson = (contentType: string | null): boolean =>
  /^application\/json *(?:;|$)/i.test(contentType ?? "");
