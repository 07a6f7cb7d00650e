/** Who is signed in, and with which scopes. */
import { createContext, type ComponentChildren, type VNode } from "preact";
import { useCallback, useContext, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError, request } from "../api/client.ts";
import { forgetResponses, onSignedOut } from "../api/use-api.ts";
import { forgetRefusal } from "./return-to.ts";
import { CSRF_HEADER } from "../../src/shared/admin-headers.ts";
import { SESSION_PATH } from "../../src/shared/console-pages.ts";

export type SignInWay = "token" | "oidc" | "access";

export type Session = {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly csrf_token: string;
  readonly expires_at: string;
  /** The ways that the server offers. */
  readonly sign_in: readonly SignInWay[];
};

export type SessionState =
  | { readonly is: "loading" }
  | { readonly is: "failed"; readonly error: ApiError }
  | {
      readonly is: "out";
      readonly ways: readonly SignInWay[];
      readonly expired: boolean;
      /** Why a person whom the identity provider knows is not let in; null where no person is known. */
      readonly refusal: string | null;
    }
  | { readonly is: "in"; readonly session: Session };

type SessionActions = {
  readonly state: SessionState;
  readonly retry: () => void;
  /** Rejects with an `ApiError`. */
  readonly signIn: (token: string) => Promise<void>;
  readonly signOut: () => Promise<void>;
};

const Context = createContext<SessionActions | null>(null);

export function useSessionState(): SessionActions {
  const actions = useContext(Context);
  if (actions === null) throw new Error("There is no session provider.");
  return actions;
}

/** The session of a page that is only shown to those who are signed in. */
export function useSession(): Session {
  const { state } = useSessionState();
  if (state.is !== "in") throw new Error("There is no session.");
  return state.session;
}

export const useScope = (scope: string): boolean => useSession().scopes.includes(scope);

/** The session, or how to sign in. Throws an `ApiError` where the server says neither. */
async function readSession(): Promise<SessionState> {
  const response = await fetch(SESSION_PATH, { credentials: "same-origin" }).catch(() => null);
  if (response === null)
    throw new ApiError("The server could not be reached. Check the connection, then retry.", { status: 0 });
  const body = (await response.json().catch(() => null)) as
    (Partial<Session> & { readonly message?: string }) | null;
  if (response.ok && body?.scopes !== undefined) return { is: "in", session: body as Session };
  const ways = body?.sign_in ?? [];
  if (response.status === 401) return { is: "out", ways, expired: false, refusal: null };
  if (response.status === 403 && body?.sign_in !== undefined)
    return { is: "out", ways, expired: false, refusal: body.message ?? "You are not let in." };
  throw new ApiError(body?.message ?? "The console's session could not be read.", {
    status: response.status,
    reason: response.headers.get("x-interceptor-error"),
  });
}

/** Rejects with an `ApiError` where the session goes on. */
async function endSession({ csrf_token }: Session): Promise<void> {
  try {
    await request(SESSION_PATH, { method: "DELETE", headers: { [CSRF_HEADER]: csrf_token } });
  } catch (error) {
    // It had ended already.
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  }
}

export function SessionProvider({ children }: { readonly children: ComponentChildren }): VNode {
  const [state, setState] = useState<SessionState>({ is: "loading" });
  const load = useCallback((expired: boolean) => {
    readSession().then(
      (read) => setState(read.is === "out" ? { ...read, expired } : read),
      (error: unknown) => {
        if (error instanceof ApiError) setState({ is: "failed", error });
      },
    );
  }, []);
  useEffect(() => load(false), [load]);
  const hasLeft = useRef(false);
  useEffect(
    () =>
      onSignedOut(() => {
        // Behind Cloudflare Access, reading the session begins one.
        if (hasLeft.current) return;
        forgetResponses();
        load(true);
      }),
    [load],
  );
  const session = state.is === "in" ? state.session : null;
  useEffect(() => {
    if (session !== null) forgetRefusal();
  }, [session]);
  const actions = useMemo<SessionActions>(
    () => ({
      state,
      retry: () => {
        setState({ is: "loading" });
        load(false);
      },
      signIn: async (token) => {
        await request(SESSION_PATH, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ token }),
        });
        setState(await readSession());
        hasLeft.current = false;
      },
      signOut: async () => {
        if (session === null) return;
        hasLeft.current = true;
        try {
          await endSession(session);
        } catch (error) {
          hasLeft.current = false;
          throw error;
        }
        forgetResponses();
        setState({ is: "out", ways: session.sign_in, expired: false, refusal: null });
      },
    }),
    [state, session, load],
  );
  return <Context.Provider value={actions}>{children}</Context.Provider>;
}
