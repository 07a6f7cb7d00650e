/**
 * An issuer of signed tokens on 127.0.0.1. It publishes its keys at `/keys` and, like Cloudflare Access, at
 * `/cdn-cgi/access/certs`. `/login?email=…` returns a token for any address, whereas Access authenticates the user first.
 *
 *     const issuer = await startFakeIssuer();
 *     const token = await issuer.token({ sub: "alice" });
 */
import { createHash } from "node:crypto";
import { startBackend, type Backend } from "./backend.ts";
import { createIssuer, type Claims, type Issuer, type SignOptions } from "./issuer-tokens.ts";

export type FakeIssuer = Backend &
  Issuer & {
    /** A token of this issuer for `AUDIENCE`, valid for one hour. `over` replaces or adds claims. */
    token(over?: Claims, options?: SignOptions): Promise<string>;
    /** The claims of such a token, for handcrafted JWTs. */
    claims(over?: Claims): Claims;
  };

export const AUDIENCE = "ai-gateway-of-the-test";

export async function startFakeIssuer(name?: string, port?: number): Promise<FakeIssuer> {
  const issuer = await createIssuer(name);
  const backend: Backend = await startBackend(async ({ path }) => {
    if (path === "/keys") return [200, issuer.jwks()];
    const certificates = { public_cert: null, public_certs: [] };
    if (path === "/cdn-cgi/access/certs") return [200, { ...issuer.jwks(), ...certificates }];
    const email = new URL(path, backend.url).searchParams.get("email");
    if (path.startsWith("/login?") && email) return [200, await issuer.sign(claims(userOf(email)))];
    return [404, { message: "Not found" }];
  }, port);
  const claims = (over: Claims = {}): Claims => {
    const now = Math.floor(Date.now() / 1000);
    return { iss: backend.url, aud: AUDIENCE, sub: "alice", iat: now, exp: now + 3600, ...over };
  };
  return { ...backend, ...issuer, claims, token: (over, options) => issuer.sign(claims(over), options) };
}

/** The same UUID for each login of an address. */
function userOf(email: string): Claims {
  const hash = createHash("sha256").update(email).digest("hex");
  return {
    email,
    sub: `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`,
  };
}
