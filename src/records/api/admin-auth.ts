/** Authorizes the holder of the admin token. Every failure gets the same response, so that it reveals nothing. */
import { isSameDigest, keyIdOf, sha256Hex } from "../../shared/digest.ts";
import { Refusal } from "../../shared/refusal.ts";

const BEARER = /^bearer +([\x21-\x7e]+)$/i;
const TOKEN = /^[\x21-\x7e]+$/;
const SHA256 = /^[0-9a-f]{64}(?: [0-9a-f]{64})?$/i;

/**
 * Compares the token in `Authorization` (Bearer) or `Coder-Session-Token` with the configured digest. Fails closed.
 * `adminTokenSha256`: 64 hex digits, during a rotation two times with a space between, or null where no token is configured.
 * @returns the id of the token (`keyIdOf`) where the request is authorized; else the refusal `admin_only`.
 */
export async function authorizeAdmin(
  headers: Headers,
  adminTokenSha256: string | null,
): Promise<Refusal | string> {
  if (adminTokenSha256 === null) return reject("ADMIN_TOKEN is not set");
  if (!SHA256.test(adminTokenSha256)) return reject("ADMIN_TOKEN is not a SHA-256 digest");
  const token = readToken(headers);
  if (token === null) return reject("the request has no admin token, or more than one");
  // Comparing digests in constant time leaks neither the token's length nor its characters.
  const digest = await sha256Hex(token);
  const matches = adminTokenSha256.split(" ").filter((expected) => isSameDigest(digest, expected));
  return matches.length > 0 ? keyIdOf(digest) : reject("the admin token differs");
}

const reject = (detail: string): Refusal => new Refusal("admin_only", { detail });

/** The token that the request presents; null where there is none, one is malformed, or two differ. */
function readToken(headers: Headers): string | null {
  const authorization = headers.get("authorization");
  const session = headers.get("coder-session-token");
  const tokens = [
    authorization === null ? null : (BEARER.exec(authorization.trim())?.[1] ?? ""),
    session === null ? null : (TOKEN.exec(session.trim())?.[0] ?? ""),
  ].filter((token) => token !== null);
  const [first = ""] = tokens;
  return first !== "" && tokens.every((token) => token === first) ? first : null;
}
