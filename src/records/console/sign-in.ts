/** The routes below `/console/api`: who is signed in, signing in by each way, and signing out. */
import { Refusal } from "../../shared/refusal.ts";
import type { VerifyAccess } from "./access.ts";
import { createBegin, sessionHeaders, type Begin, type BeginDeps } from "./begin.ts";
import type { Step } from "./call.ts";
import { isForeignPage } from "./origin.ts";
import { byOf, noSessionCookie } from "./sessions.ts";
import { finishOidc, startOidc, type OidcDeps } from "./sign-in-oidc.ts";
import { signInWithToken, type TokenSignInDeps } from "./sign-in-token.ts";

export type SignInDeps = TokenSignInDeps & OidcDeps & { readonly verifyAccess: VerifyAccess };

export type SignIn = {
  readonly session: Step;
  readonly withToken: Step;
  readonly signOut: Step;
  readonly startOidc: Step;
  readonly finishOidc: Step;
};

export function createSignIn(deps: SignInDeps): SignIn {
  const begin = createBegin(deps);
  return {
    session: readSession(deps, begin),
    withToken: signInWithToken(deps, begin),
    signOut: signOut(deps, begin),
    startOidc: startOidc(deps),
    finishOidc: finishOidc(deps, begin),
  };
}

const NOT_SIGNED_IN = "You are not signed in.";
const NO_ROLE = "You are signed in, but have no role here. The gateway's administrator can give you one.";

/** Begins a session without a form where Cloudflare Access vouches for a person. */
const readSession =
  (
    { settings, sessions, verifyAccess }: Pick<SignInDeps, "settings" | "sessions" | "verifyAccess">,
    { respond, refused, admit }: Begin,
  ): Step =>
  async (call) => {
    const headers = sessionHeaders(call.request);
    const open = await sessions.find(headers);
    if (open) return respond(open, false);
    // A page of another site must not begin sessions by the login at Access.
    const token = isForeignPage(headers, call.origin) ? null : headers.accessToken;
    if (settings.access === null || token === null) return refused(NOT_SIGNED_IN);
    const person = await verifyAccess(token);
    if (person instanceof Refusal)
      return person.code === "identity_unavailable" ? person : refused(NOT_SIGNED_IN);
    const begun = await admit(person, call);
    return begun ? respond(begun, true) : refused(NO_ROLE, 403);
  };

const signOut =
  ({ sessions, onEvent }: BeginDeps, { refused }: Begin): Step =>
  async ({ request, id }) => {
    const headers = sessionHeaders(request);
    const open = await sessions.find(headers);
    if (open === null) return refused(NOT_SIGNED_IN);
    const refusal = await sessions.checkWrite(headers, open.id);
    if (refusal) return refusal;
    await sessions.end(open);
    onEvent(request, { id, action: "sign_out", by: byOf(open.session), way: open.session.way });
    return new Response(null, { status: 204, headers: { "set-cookie": noSessionCookie() } });
  };
