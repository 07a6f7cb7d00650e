/**
 * The request that sets the demonstration's clock: `POST ?age_ms=…`, how far in the past both Workers are from then on.
 *
 * A web page that is open in the developer's browser can send requests here too, such as that of an `<img>`. Its host is this
 * machine's own, and a GET has no `Origin`. The browser says in `Sec-Fetch-Site` that another site sent it.
 */

/** Milliseconds; null where the request is not valid, or was sent by a page of another origin. */
export function readAge({ method, headers, url }: Request): number | null {
  const site = headers.get("sec-fetch-site");
  if (method !== "POST" || (site !== null && site !== "same-origin")) return null;
  // Number("") is 0.
  const text = new URL(url).searchParams.get("age_ms");
  const age = text ? Number(text) : Number.NaN;
  return Number.isFinite(age) && age >= 0 ? age : null;
}
