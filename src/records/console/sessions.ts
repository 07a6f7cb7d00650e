/** Sessions of the console: how one begins, when it counts for a request, and how it ends. */
import type { AdminHeaders, SessionHeaders } from "../../shared/admin-headers.ts";
import { isSameDigest, keyedHash, sha256Hex } from "../../shared/digest.ts";
import { errorName } from "../../shared/operator-log.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Scopes } from "../../shared/scopes.ts";
import type { VerifyAccess } from "./access.ts";
import { readCookie, SESSION_COOKIE, setCookie } from "./cookies.ts";
import { scopesOf, type Identified } from "./grant.ts";
import { checkOwnPage, consoleOrigin, csrfRejected, isForeignPage, isJson } from "./origin.ts";
import type { Reader } from "./reader.ts";
import type { Session, SessionStore } from "./session-store.ts";
import type { ConsoleSettings } from "./settings.ts";

export type SessionDeps = {
  readonly settings: ConsoleSettings;
  /** null where the Worker has no database. */
  readonly store: SessionStore | null;
  readonly verifyAccess: VerifyAccess;
  readonly now: () => number;
  /** 256 random bits, as base64url. */
  readonly newSecret: () => string;
};

export type OpenSession = { readonly session: Session; readonly id: string };

export type Sessions = {
  /** The session that a request of the console's own host has; null where it has none. It may not write. */
  readonly find: (headers: SessionHeaders) => Promise<OpenSession | null>;
  /** The same for the API: of a write, the page, the content type and the CSRF token are checked. */
  readonly authenticate: (headers: AdminHeaders) => Promise<Reader | Refusal | null>;
  /** Refuses `csrf_rejected` unless the console's own page sent the request, with the session's token. */
  readonly checkWrite: (headers: SessionHeaders, id: string) => Promise<Refusal | null>;
  /** Begins a session under a new id. */
  readonly begin: (who: Identified & { readonly scopes: Scopes }) => Promise<OpenSession>;
  readonly end: (open: OpenSession) => Promise<void>;
  /** Ends the session of the request's cookie, whichever page sent the request: another one takes its place. */
  readonly endSent: (headers: SessionHeaders) => Promise<void>;
};

const isWrite = (method: string): boolean => method !== "GET" && method !== "HEAD";

/** A text that only the holder of the session's id can compute, and that does not reveal it. */
export const csrfTokenOf = (id: string): Promise<string> => keyedHash(id)("csrf");

/** The cookie of a session. The browser drops it when the session ends at the latest. */
export const sessionCookie = (id: string, { maxMs }: ConsoleSettings): string =>
  setCookie(SESSION_COOKIE, id, Math.floor(maxMs / 1000));
export const noSessionCookie = (): string => setCookie(SESSION_COOKIE, "", 0);

export function createSessions({ settings, store, verifyAccess, now, newSecret }: SessionDeps): Sessions {
  const sentId = (host: string | null, cookie: string | null): string | null =>
    consoleOrigin(host, settings.origins) === null ? null : readCookie(cookie, SESSION_COOKIE);

  const find: Sessions["find"] = async ({ host, cookie, accessToken, origin, secFetchSite }) => {
    const own = consoleOrigin(host, settings.origins);
    const id = sentId(host, cookie);
    if (store === null || own === null || id === null) return null;
    if (isForeignPage({ origin, secFetchSite }, own)) return null;
    const session = await store.find(id, now());
    if (session === null) return null;
    if (!(await isGranted(session, accessToken, { settings, verifyAccess }))) {
      await store.end(session.idSha256);
      return null;
    }
    await store.touch(session, now());
    return { session, id };
  };

  const checkWrite: Sessions["checkWrite"] = async ({ host, csrfToken, ...page }, id) => {
    const own = consoleOrigin(host, settings.origins);
    const refusal = own === null ? csrfRejected("the host is not the console's") : checkOwnPage(page, own);
    if (refusal) return refusal;
    return isSameDigest(csrfToken ?? "", await csrfTokenOf(id))
      ? null
      : csrfRejected("the CSRF token is missing or differs");
  };

  return {
    find,
    checkWrite,
    authenticate: ({ session }) => authenticate(session, { find, checkWrite }),
    begin: async (who) => {
      if (store === null) throw new Error("LEDGER is not bound");
      const id = newSecret();
      return { session: await store.create(id, who, now()), id };
    },
    end: async ({ session }) => {
      await store?.end(session.idSha256);
    },
    endSent: async ({ host, cookie }) => {
      const id = sentId(host, cookie);
      if (id !== null) await store?.end(await sha256Hex(id));
    },
  };
}

/** Whether the session still has what it was granted: the same token or person, with the same scopes. */
async function isGranted(
  session: Session,
  accessToken: string | null,
  { settings, verifyAccess }: Pick<SessionDeps, "settings" | "verifyAccess">,
): Promise<boolean> {
  const isSame = (scopes: Scopes): boolean =>
    scopes.length > 0 && scopes.join(" ") === session.scopes.join(" ");
  if (!isSame(scopesOf(session, settings))) return false;
  if (session.way !== "access") return true;
  // Without the token Access has ended its own session; with another person's token the browser has changed hands.
  const person = accessToken === null ? null : await verifyAccess(accessToken);
  if (person === null || person instanceof Refusal) return false;
  return person.subject === session.subject && isSame(scopesOf(person, settings));
}

async function authenticate(
  headers: SessionHeaders | undefined,
  { find, checkWrite }: Pick<Sessions, "find" | "checkWrite">,
): Promise<Reader | Refusal | null> {
  if (headers === undefined) return null;
  try {
    const open = await find(headers);
    if (open === null) return null;
    const { session, id } = open;
    const isChange = isWrite(headers.method);
    if (isChange && !isJson(headers.contentType)) return csrfRejected("the body is not JSON");
    const refusal = isChange ? await checkWrite(headers, id) : null;
    return refusal ?? { by: byOf(session), scopes: session.scopes };
  } catch (error) {
    return new Refusal("ledger_unavailable", { detail: `console_sessions: ${errorName(error)}` });
  }
}

/** As events name the session. */
export const byOf = ({ name }: Pick<Session, "name">): string => `console:${name}`;
