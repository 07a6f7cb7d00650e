/**
 * The console's cookies. `__Host-` (RFC 6265bis §4.1.3.2): the browser accepts such a cookie only from the host itself, so that
 * no neighboring host can set it. Browsers take the loopback addresses for secure, except Safari.
 */

/** The session. A page of another site cannot have it sent: `SameSite=Strict`. */
export const SESSION_COOKIE = "__Host-console";
/** The secret of a sign-in that the identity provider has not finished. It comes back from there: `SameSite=Lax`. */
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
