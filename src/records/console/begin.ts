/** Begins a session, and responds with one: the parts that all ways of signing in share. */
import { readAdminHeaders, type SessionHeaders } from "../../shared/admin-headers.ts";
import type { ConsoleCall } from "./call.ts";
import { offeredWays, scopesOf, type Identified, type SignInWay } from "./grant.ts";
import { byOf, csrfTokenOf, sessionCookie, type OpenSession, type Sessions } from "./sessions.ts";
import type { ConsoleSettings } from "./settings.ts";

/** The facts of an event about a session. */
export type SignInEvent = {
  readonly id: string;
  readonly action: "sign_in" | "sign_in_failed" | "sign_out";
  readonly by: string;
  readonly way: SignInWay;
};

export type BeginDeps = {
  readonly settings: ConsoleSettings;
  readonly sessions: Sessions;
  readonly now: () => number;
  readonly onEvent: (request: Request, event: SignInEvent) => void;
};

export type Begin = {
  /** The response with the session, for the page. `isNew`: with its cookie. */
  readonly respond: (open: OpenSession, isNew: boolean) => Promise<Response>;
  /** The response to a request without a session. `status`: 401 by default. */
  readonly refused: (message: string, status?: number) => Response;
  /**
   * Begins a session for a person or token, ends the one that the browser has, and records that. Where no scope is granted, records
   * the failure and returns null.
   */
  readonly admit: (who: Identified, call: ConsoleCall) => Promise<OpenSession | null>;
};

export const sessionHeaders = (request: Request): SessionHeaders => readAdminHeaders(request).session;

export function createBegin({ settings, sessions, now, onEvent }: BeginDeps): Begin {
  const signIn = offeredWays(settings);
  return {
    respond: async ({ session, id }, isNew) => {
      const ends = Math.min(session.createdAt + settings.maxMs, now() + settings.idleMs);
      const body = {
        name: session.name,
        scopes: session.scopes,
        csrf_token: await csrfTokenOf(id),
        expires_at: new Date(ends).toISOString(),
        sign_in: signIn,
      };
      return Response.json(body, isNew ? { headers: { "set-cookie": sessionCookie(id, settings) } } : {});
    },
    refused: (message, status = 401) => Response.json({ message, sign_in: signIn }, { status }),
    admit: async (who, { request, id }) => {
      const scopes = scopesOf(who, settings);
      if (scopes.length === 0) {
        onEvent(request, { id, action: "sign_in_failed", by: byOf(who), way: who.way });
        return null;
      }
      await sessions.endSent(sessionHeaders(request));
      const open = await sessions.begin({ ...who, scopes });
      onEvent(request, { id, action: "sign_in", by: byOf(open.session), way: who.way });
      return open;
    },
  };
}
