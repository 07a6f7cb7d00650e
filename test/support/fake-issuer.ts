/**
 * An issuer of signed tokens on 127.0.0.1: publishes its keys at `/keys`, and at `/cdn-cgi/access/certs` as Cloudflare
 * Access does.
 *
 *     const issuer = await startFakeIssuer();
 *     const token = await issuer.token({ sub: "alice" });
 */
import { startBackend, type Backend } from "./backend.ts";
import { createIssuer, type Claims, type Issuer, type SignOptions } from "./issuer-tokens.ts";

export type FakeIssuer = Backend &
  Issuer & {
    /** A token of this issuer for `AUDIENCE`, of an hour from now, with these claims besides. */
    token(over?: Claims, options?: SignOptions): Promise<string>;
    /** Its claims, for tokens made by hand. */
    claims(over?: Claims): Claims;
  };

export const AUDIENCE = "ai-gateway-of-the-test";

export async function startFakeIssuer(name?: string): Promise<FakeIssuer> {
  const issuer = await createIssuer(name);
  const backend = await startBackend(({ path }) => {
    if (path === "/keys") return [200, issuer.jwks()];
    const certificates = { public_cert: null, public_certs: [] };
    if (path === "/cdn-cgi/access/certs") return [200, { ...issuer.jwks(), ...certificates }];
    return [404, { message: "Not found" }];
  });
  const claims = (over: Claims = {}): Claims => {
    const now = Math.floor(Date.now() / 1000);
    return { iss: backend.url, aud: AUDIENCE, sub: "alice", iat: now, exp: now + 3600, ...over };
  };
  return { ...backend, ...issuer, claims, token: (over, options) => issuer.sign(claims(over), options) };
}
