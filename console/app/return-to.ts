/**
 * The page that a person wanted before going to the identity provider. It is in the tab's session storage, which only the
 * console's own origin can write. An address in a parameter could be another site's: a link to the sign-in of a trusted host that
 * ends on an attacker's page. Storage can be switched off: then a sign-in returns to the overview.
 */
import { BASE } from "./location.ts";

const KEY = "aei-return-to";
const OWN_PAGE = /^\/console(?:[/?]|$)/;

/** Keeps the present address. */
export function rememberPage(): void {
  try {
    sessionStorage.setItem(KEY, `${location.pathname}${location.search}`);
  } catch {
    return;
  }
}

const REASON = "sign_in";
let refusedFor: string | null = null;

/** The reason for which the server refused the last sign-in; null where it refused none, or one succeeded since. */
export const refusalReason = (): string | null => refusedFor;
export const forgetRefusal = (): void => {
  refusedFor = null;
};

/**
 * Puts the kept address in place of the one to which a sign-in returns, and forgets it. Takes the reason of a refusal out of the
 * address, so that it is not shown again by a reload or after a later sign-in.
 */
export function restorePage(): void {
  const url = new URL(location.href);
  refusedFor = url.searchParams.get(REASON);
  url.searchParams.delete(REASON);
  const address =
    refusedFor === null ? `${location.pathname}${location.search}` : `${url.pathname}${url.search}`;
  const kept = address === BASE ? takeKept() : null;
  const shown = kept !== null && OWN_PAGE.test(kept) ? kept : address;
  if (shown !== `${location.pathname}${location.search}`) history.replaceState(null, "", shown);
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
