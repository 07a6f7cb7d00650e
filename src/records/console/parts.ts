/** Puts the console's parts together, and the decision who may read the API. */
import type { AnyRefusal } from "../../shared/records-refusal.ts";
import { createVerifyAccess } from "./access.ts";
import { createAttempts } from "./attempts.ts";
import type { SignInEvent } from "./begin.ts";
import { createConsole, type ServeConsole } from "./console.ts";
import { createOidc } from "./oidc.ts";
import type { Assets } from "./pages.ts";
import { createAdmit, type Admit } from "./reader.ts";
import { createSessionStore } from "./session-store.ts";
import { createSessions } from "./sessions.ts";
import type { ConsoleSettings } from "./settings.ts";
import { createSignIn } from "./sign-in.ts";
import { authorizeToken } from "./token-auth.ts";

export type ConsoleParts = { readonly admit: Admit; readonly serveConsole: ServeConsole };

export type ConsoleConfig = {
  readonly console: ConsoleSettings;
  readonly assets: Assets | null;
  readonly database: D1Database | null;
};

export type ConsolePartsDeps = {
  readonly fetch: typeof fetch;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Makes the `x-interception-id` of a response. */
  readonly newId: () => string;
  /** 256 random bits, as base64url. */
  readonly newSecret: () => string;
  readonly onEvent: (request: Request, event: SignInEvent) => void;
  /** Called once per refused request, before the response is returned. */
  readonly onRefusal: (id: string, request: Request, refusal: AnyRefusal) => void;
};

export function createConsoleParts(
  { console: settings, assets, database }: ConsoleConfig,
  deps: ConsolePartsDeps,
): ConsoleParts {
  const verifyAccess = createVerifyAccess(settings.access, deps);
  const store = database && createSessionStore(database, settings);
  const sessions = createSessions({ ...deps, settings, store, verifyAccess });
  const signIn = createSignIn({
    ...deps,
    settings,
    sessions,
    verifyAccess,
    oidc: settings.oidc && createOidc(settings.oidc, deps),
    attempts: database && createAttempts(database),
  });
  return {
    admit: createAdmit({
      authorizeToken: (headers) => authorizeToken(headers, settings.tokens),
      authenticateSession: sessions.authenticate,
    }),
    serveConsole: createConsole({ ...deps, origins: settings.origins, assets, signIn }),
  };
}
