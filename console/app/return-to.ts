/**
 * The page that a person wanted before going to the identity provider. It is in the tab's session storage, which only the
 * console's own origin can write. An address in a parameter could be another site's: a link to the sign-in of a trusted host that
 * ends on an attacker's page. Storage can be switched off: then a sign-in returns to the overview.
 */
import { BASE } from "./location.ts";

const KEY = "aei-return-to";
const OWN_PAGE = /^\/console(?:[/?]|$)/;

/** Keeps the present address. That of a refused sign-in is no page: the one from before it stays. */
export function rememberPage(): void {
  const { pathname, search } = location;
  if (new URLSearchParams(search).has("sign_in")) return;
  try {
    sessionStorage.setItem(KEY, `${pathname}${search}`);
  } catch {
    return;
  }
}

/** Puts the kept address in place of the one to which a sign-in returns, and forgets it. */
export function restorePage(): void {
  if (`${location.pathname}${location.search}` !== BASE) return;
  const kept = takeKept();
  if (kept !== null && OWN_PAGE.test(kept)) history.replaceState(null, "", kept);
}

function takeKept(): string | null {
  try {
    const kept = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return kept;
  } catch {
    return null;
  }
}
