/** The page of those who are not signed in. The address stays, so that a link leads to its page after signing in. */
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { SIGN_IN_PATH } from "../../src/shared/console-pages.ts";
import { ApiError } from "../api/client.ts";
import { useSessionState, type SessionState } from "./session.tsx";
import { Brand, ThemeSwitch } from "./brand.tsx";
import { refusalReason, rememberPage } from "./return-to.ts";

/** Of Access itself, on every host that it protects. Without it, the next load of a page signs the person in again. */
const ACCESS_LOGOUT = "/cdn-cgi/access/logout";

type SignInProps = Omit<Extract<SessionState, { readonly is: "out" }>, "is">;

/** The reasons for which the server refuses a sign-in by the identity provider. */
const OIDC_REASONS: Readonly<Record<string, string>> = {
  scope_missing:
    "You are signed in at your organization, but have no role here. The gateway's administrator can give you one.",
  identity_unavailable: "The identity provider could not be reached. Try again.",
};

function oidcRefusal(): string | null {
  const reason = refusalReason();
  return reason === null
    ? null
    : (OIDC_REASONS[reason] ?? "Signing in at your organization failed. Try again.");
}

export function SignIn({ ways, expired, refusal }: SignInProps): VNode {
  const reason = refusal ?? oidcRefusal();
  useEffect(() => {
    document.title = "Sign in · AI Edge Interceptor";
  }, []);
  return (
    <div class="sign-in">
      <header>
        <Brand />
        <ThemeSwitch />
      </header>
      <main id="main" class="card">
        <h1>Sign in</h1>
        {expired && <p role="status">Your session has ended. Sign in again to continue on this page.</p>}
        {reason !== null && (
          <p class="error-text" role="alert">
            {reason}
          </p>
        )}
        {ways.includes("oidc") && (
          <p>
            <a class="button primary" href={SIGN_IN_PATH} onClick={rememberPage}>
              Sign in with your organization
            </a>
          </p>
        )}
        {ways.includes("access") && (
          <p>
            This host is behind Cloudflare Access. <a href={location.href}>Reload the page</a> to sign in
            there, or <a href={ACCESS_LOGOUT}>sign out of Access</a>, too.
          </p>
        )}
        {ways.includes("token") && <TokenForm />}
        {ways.length === 0 && (
          <p>
            No way to sign in is configured. Create a token with <code>npm run -s keys -- admin</code> and
            store its hash as <code>ADMIN_TOKEN</code>, or set <code>CONSOLE</code>.
          </p>
        )}
      </main>
    </div>
  );
}

function TokenForm(): VNode {
  const { signIn } = useSessionState();
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setIsBusy(true);
    setError(null);
    try {
      await signIn(input.current?.value.trim() ?? "");
    } catch (caught) {
      setError(caught instanceof ApiError ? caught.message : String(caught));
      setIsBusy(false);
      input.current?.focus();
    }
  };
  return (
    <form onSubmit={submit}>
      <label for="token">API token</label>
      <input
        id="token"
        name="token"
        ref={input}
        type="password"
        autocomplete="current-password"
        required
        aria-describedby="token-help token-error"
        aria-invalid={error !== null}
      />
      <p id="token-help" class="muted">
        The token of the records API. It is exchanged for a cookie of this host, and not kept in the page.
      </p>
      <p id="token-error" class="error-text" role="alert">
        {error}
      </p>
      <button type="submit" class="primary" disabled={isBusy}>
        {isBusy ? "Signing in …" : "Sign in"}
      </button>
    </form>
  );
}
