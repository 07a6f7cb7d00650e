/** `GET /console/api/sign-in` and `GET /console/api/callback`: the way to the identity provider and back. */
import { Refusal } from "../../shared/refusal.ts";
import { CALLBACK_PATH, CONSOLE_PATH } from "../../shared/console-pages.ts";
import { sessionHeaders, type Begin, type BeginDeps } from "./begin.ts";
import type { Step } from "./call.ts";
import { readCookie, setCookie, SIGN_IN_COOKIE } from "./cookies.ts";
import { SIGN_IN_S, type Oidc } from "./oidc.ts";
import { csrfRejected, isForeignPage } from "./origin.ts";
import { byOf, noSessionCookie, sessionCookie } from "./sessions.ts";

export type OidcDeps = BeginDeps & {
  /** null where it is not configured. */
  readonly oidc: Oidc | null;
  /** 256 random bits, as base64url. */
  readonly newSecret: () => string;
  /** Called where the response to a refusal is a redirect. */
  readonly onRefusal: (id: string, request: Request, refusal: Refusal) => void;
};

export const startOidc =
  ({ oidc, newSecret, sessions, onEvent }: OidcDeps): Step =>
  async ({ request, origin, id }) => {
    if (oidc === null) return new Refusal("not_found");
    const headers = sessionHeaders(request);
    // A link of another site could sign a person in, or replace a session, unasked.
    if (isForeignPage(headers, origin)) return csrfRejected("another page sent the request");
    // The browser does not send the session's cookie to the callback, because the provider's page leads there (SameSite=Strict).
    const before = await sessions.find(headers);
    if (before) {
      await sessions.end(before);
      onEvent(request, { id, action: "sign_out", by: byOf(before.session), way: before.session.way });
    }
    const secret = newSecret();
    const location = await oidc.start(secret, callbackOf(origin));
    const cookies = [setCookie(SIGN_IN_COOKIE, secret, SIGN_IN_S), ...(before ? [noSessionCookie()] : [])];
    return redirect(location, cookies);
  };

export const finishOidc =
  ({ settings, oidc, onRefusal }: OidcDeps, { admit }: Begin): Step =>
  async (call) => {
    if (oidc === null) return new Refusal("not_found");
    const { request, search, origin, id } = call;
    const secret = readCookie(request.headers.get("cookie"), SIGN_IN_COOKIE);
    const used = setCookie(SIGN_IN_COOKIE, "", 0);
    const person = await oidc.finish({ search, secret, redirectUri: callbackOf(origin) });
    const open = person instanceof Refusal ? null : await admit(person, call);
    if (open) return redirect(CONSOLE_PATH, [sessionCookie(open.id, settings), used]);
    // Any caller can open this URL: a failure becomes a log line, not an event of the ledger.
    if (person instanceof Refusal) onRefusal(id, request, person);
    const code = person instanceof Refusal ? person.code : "scope_missing";
    return redirect(`${CONSOLE_PATH}?sign_in=${code}`, [used]);
  };

const callbackOf = (origin: string): string => `${origin}${CALLBACK_PATH}`;

/** To the identity provider, or to the console's own page: never to a place that the request names. */
function redirect(location: string, cookies: readonly string[]): Response {
  const headers = new Headers({ location });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}
