/** `POST /console/api/session`: exchanges an admin token for a session. */
import { readBounded } from "../../shared/bounded-read.ts";
import { asObject, parseJson } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Attempts } from "./attempts.ts";
import { sessionHeaders, type Begin, type BeginDeps } from "./begin.ts";
import type { Step } from "./call.ts";
import { offeredWays, type Identified } from "./grant.ts";
import { checkOwnPage, csrfRejected, isJson } from "./origin.ts";
import { findToken } from "./token-auth.ts";

/** `attempts`: null where the Worker has no database. */
export type TokenSignInDeps = BeginDeps & { readonly attempts: Attempts | null };

const MAX_BODY = 4096;
const BUSY_S = 60;
const WRONG_TOKEN = "The token is not valid.";

export function signInWithToken(
  { settings, attempts, now, onEvent }: TokenSignInDeps,
  { admit, respond, refused }: Begin,
): Step {
  return async (call) => {
    const { request, origin, id } = call;
    const headers = sessionHeaders(request);
    // A page of another site could sign the browser in under a name of its choice.
    const refusal = checkOwnPage(headers, origin);
    if (refusal) return refusal;
    if (!isJson(headers.contentType)) return csrfRejected("the body is not JSON");
    if (!offeredWays(settings).includes("token") || attempts === null) return refused(WRONG_TOKEN);
    const token = await readToken(request);
    if (token === null) return new Refusal("field_invalid");
    const address = request.headers.get("cf-connecting-ip") ?? "";
    if (!(await attempts.begin(address, now())))
      return new Refusal("rate_limited", { retryAfterS: BUSY_S, detail: "sign-in" });
    const found = await findToken(token, settings.tokens);
    if (found === null) {
      if (await attempts.fail(now()))
        onEvent(request, { id, action: "sign_in_failed", by: "console", way: "token" });
      return refused(WRONG_TOKEN);
    }
    await attempts.succeed(address, now());
    const who: Identified = { way: "token", name: found.name, subject: found.sha256, roles: [] };
    const open = await admit(who, call);
    return open ? respond(open, true) : refused(WRONG_TOKEN);
  };
}

/** `{"token": "…"}` */
async function readToken({ body }: Request): Promise<string | null> {
  const bytes = body && (await readBounded(body, MAX_BODY));
  const token = bytes && asObject(parseJson(new TextDecoder().decode(bytes)))?.["token"];
  return typeof token === "string" && token !== "" ? token : null;
}
