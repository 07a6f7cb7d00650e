/**
 * The console's cookies. The browser accepts a cookie with the prefix `__Host-` only with `Secure`, from the host itself
 * (RFC 6265bis §4.1.3.2), so that no neighboring host can set it. Browsers except Safari treat loopback addresses as secure.
 */

/** The session's id. `SameSite=Strict`: the browser does not send it with a request that another site started. */
export const SESSION_COOKIE = "__Host-console";
/** The secret of a pending sign-in. `SameSite=Lax`: the browser sends it when the identity provider redirects back. */
export const SIGN_IN_COOKIE = "__Host-console-sign-in";

const SAME_SITE = { [SESSION_COOKIE]: "Strict", [SIGN_IN_COOKIE]: "Lax" } as const;
type CookieName = keyof typeof SAME_SITE;

/** The cookie's value; null where it is absent or sent twice. */
export function readCookie(header: string | null, name: CookieName): string | null {
  const values = (header ?? "").split(";").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at >= 0 && pair.slice(0, at).trim() === name ? [pair.slice(at + 1).trim()] : [];
  });
  const [value = ""] = values;
  return values.length === 1 && value !== "" ? value : null;
}

/** The value of `Set-Cookie`. `maxAgeS`: 0 removes the cookie. */
export const setCookie = (name: CookieName, value: string, maxAgeS: number): string =>
  `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=${SAME_SITE[name]}; Max-Age=${maxAgeS}`;
