/** `GET /console/api/sign-in` and `GET /console/api/callback`: the way to the identity provider and back. */
import { Refusal } from "../../shared/refusal.ts";
import type { Begin, Step } from "./begin.ts";
import { readCookie, setCookie, SIGN_IN_COOKIE } from "./cookies.ts";
import { SIGN_IN_S, type Oidc } from "./oidc.ts";
import { sessionCookie } from "./sessions.ts";
import type { ConsoleSettings } from "./settings.ts";

export type OidcDeps = {
  readonly settings: ConsoleSettings;
  /** null where it is not configured. */
  readonly oidc: Oidc | null;
  /** 256 random bits, as base64url. */
  readonly newSecret: () => string;
  /** Called where the response to a refusal is a redirect. */
  readonly onRefusal: (id: string, request: Request, refusal: Refusal) => void;
};

export const startOidc =
  ({ oidc, newSecret }: OidcDeps): Step =>
  async ({ origin }) => {
    if (oidc === null) return new Refusal("not_found");
    const secret = newSecret();
    const location = await oidc.start(secret, callbackOf(origin));
    return redirect(location, [setCookie(SIGN_IN_COOKIE, secret, SIGN_IN_S)]);
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
    if (open) return redirect("/console", [sessionCookie(open.id, settings), used]);
    // Any caller can open this URL: a failure becomes a log line, not an event of the ledger.
    if (person instanceof Refusal) onRefusal(id, request, person);
    const code = person instanceof Refusal ? person.code : "scope_missing";
    return redirect(`/console?sign_in=${code}`, [used]);
  };

const callbackOf = (origin: string): string => `${origin}/console/api/callback`;

/** To the identity provider, or to the console's own page: never to a place that the request names. */
function redirect(location: string, cookies: readonly string[]): Response {
  const headers = new Headers({ location });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}
