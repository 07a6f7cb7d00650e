/**
 * Refuses requests of a local run that name another host than this machine.
 *
 * A web page that the developer visits can point its own host name at 127.0.0.1 (DNS rebinding). The browser then treats
 * the local gateway as the page's own origin: the page could read the local records, and spend the provider keys. The
 * browser still sends the page's host name in `Host`. Vite's `server.allowedHosts` is the same defense.
 *
 * `Origin` is checked for the same names: a page of another site cannot read responses, but its requests would be executed.
 * A scheme other than http belongs to an installed program, such as an editor or an extension, and is accepted.
 */

/** The response to a request that is not allowed; null where it is. */
export function hostRefusal(headers: Headers, allowed: readonly string[]): Response | null {
  // Not the request's URL: wrangler's own headers can rewrite that.
  const host = hostName(`http://${headers.get("host") ?? ""}`);
  if (host === null || !allowed.includes(host)) return refuse("host", host);
  const origin = headers.get("origin");
  if (origin === null || /^(?!https?:)[a-z][a-z\d+.-]*:/i.test(origin)) return null;
  const from = hostName(origin);
  return from !== null && allowed.includes(from) ? null : refuse("origin", from);
}

/**
 * Whether a page of another origin may have sent the request, as an `<img>` or a form does, which have no `Origin` for a GET. For
 * requests that change the local run.
 */
export function isOfOtherPage(headers: Headers): boolean {
  const site = headers.get("sec-fetch-site");
  return site !== null && site !== "same-origin";
}

/** The host's canonical form, which has no characters that a terminal or JSON would act on. */
function hostName(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname || null : null;
}

function refuse(what: "host" | "origin", name: string | null): Response {
  const named = name ?? "(none)";
  const restart = name === null ? null : `npm start -- --allow-host ${name}`;
  const message =
    `This local run does not accept the ${what} ${named}: a web page could use it to read local records. ` +
    `Call http://127.0.0.1 or http://localhost${restart === null ? "" : `, or start it with: ${restart}`}`;
  console.warn(
    `Refused a request with the ${what} ${named}.${restart === null ? "" : ` To accept it: ${restart}`}`,
  );
  const code = `${what}_not_allowed`;
  const error = { message, type: "invalid_request_error", param: null, code };
  return Response.json({ error }, { status: 403, headers: { "x-interceptor-error": code } });
}
