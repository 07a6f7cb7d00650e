/** Authorizes the holder of an admin token. Every failure gets the same response, so that it reveals nothing. */
import type { AdminHeaders } from "../../shared/admin-headers.ts";
import { isSameDigest, keyIdOf, sha256Hex } from "../../shared/digest.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Reader } from "./reader.ts";
import type { NamedToken } from "./settings.ts";

const BEARER = /^bearer +([\x21-\x7e]+)$/i;
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * Compares the token in `Authorization` (Bearer) or `Coder-Session-Token` with the configured digests. Fails closed.
 * @returns who it is; else the refusal `admin_only`.
 */
export async function authorizeToken(
  { authorization, coderSessionToken }: Pick<AdminHeaders, "authorization" | "coderSessionToken">,
  tokens: readonly NamedToken[],
): Promise<Reader | Refusal> {
  if (tokens.length === 0) return reject("ADMIN_TOKEN is not set");
  const token = readToken(authorization, coderSessionToken);
  if (token === null) return reject("the request has no admin token, or more than one");
  const found = await findToken(token, tokens);
  return found === null
    ? reject("the admin token differs")
    : { by: `token:${keyIdOf(found.sha256)}`, scopes: found.scopes };
}

/** Comparing the digests of all tokens, in constant time, leaks neither a token's length nor its characters. */
export async function findToken(token: string, tokens: readonly NamedToken[]): Promise<NamedToken | null> {
  const digest = await sha256Hex(token);
  const matches = tokens.filter(({ sha256 }) => isSameDigest(digest, sha256));
  return matches.at(0) ?? null;
}

const reject = (detail: string): Refusal => new Refusal("admin_only", { detail });

/** The token that the request presents; null where there is none, one is malformed, or two differ. */
function readToken(authorization: string | null, session: string | null): string | null {
  const sent = [
    authorization === null ? null : (BEARER.exec(authorization.trim())?.[1] ?? ""),
    session === null ? null : (TOKEN.exec(session.trim())?.[0] ?? ""),
  ].filter((token) => token !== null);
  const [first = ""] = sent;
  return first !== "" && sent.every((token) => token === first) ? first : null;
}
