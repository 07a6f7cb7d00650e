/** On which host a request arrived, and which page sent it. */
import type { SessionHeaders } from "../../shared/admin-headers.ts";
import { Refusal } from "../../shared/refusal.ts";

/** The configured origin whose host the request names; null where it is not the console's host. */
export function consoleOrigin(host: string | null, origins: readonly string[]): string | null {
  const named = host?.toLowerCase() ?? "";
  return origins.find((origin) => new URL(origin).host === named) ?? null;
}

type Page = Pick<SessionHeaders, "origin" | "secFetchSite">;

export const csrfRejected = (detail: string): Refusal => new Refusal("csrf_rejected", { detail });

/**
 * Refuses a write that no page of this origin sent. Every current browser sends both headers with a write; a page of another site
 * can omit neither.
 */
export const checkOwnPage = ({ origin, secFetchSite }: Page, own: string): Refusal | null =>
  origin === own && secFetchSite === "same-origin" ? null : csrfRejected("another page sent the request");

/** Whether a page of another origin sent the request. A neighbor under the same domain counts as one, too. */
export const isForeignPage = ({ origin, secFetchSite }: Page, own: string): boolean =>
  (origin !== null && origin !== own) ||
  (secFetchSite !== null && secFetchSite !== "same-origin" && secFetchSite !== "none");

/** `application/json`, with parameters or not. A form cannot send it without a preflight. */
export const isJson = (contentType: string | null): boolean =>
  /^application\/json *(?:;|$)/i.test(contentType ?? "");
