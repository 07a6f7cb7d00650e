/** Who may ask: whoever presents the one admin token. Fails closed; says the same to everyone else. */
import { Refusal } from "../../shared/refusal.ts";

const BEARER = /^bearer +([\x21-\x7e]+)$/i;
const TOKEN = /^[\x21-\x7e]+$/;

/** null: admitted. `adminTokenSha256` is 64 hex digits, or null where no token is set and nobody is. */
export async function authorizeAdmin(
  headers: Headers,
  adminTokenSha256: string | null,
): Promise<Refusal | null> {
  if (adminTokenSha256 === null) return reject("ADMIN_TOKEN is not set");
  const token = readToken(headers);
  if (token === null) return reject("no token, or not exactly one");
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  const wanted = fromHex(adminTokenSha256);
  // Digests, so that neither the comparison's time nor its length tells of the token.
  if (wanted.byteLength !== digest.byteLength || !crypto.subtle.timingSafeEqual(digest, wanted))
    return reject("another token");
  return null;
}

const reject = (detail: string): Refusal => new Refusal("admin_only", { detail });

/** The one token that is presented; null where there is none, several that differ, or something that is none. */
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

function fromHex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
}
