/** The token that Cloudflare Access adds to a request in `Cf-Access-Jwt-Assertion`. */
import type { TokenOptions } from "./signed-token.ts";

/** Access signs with RS256 only. */
const FIXED_OPTIONS = {
  algorithms: ["RS256"],
  maxAgeS: null,
  // Access bounds the session: at most a month.
  maxRemainingS: null,
  toleranceS: 30,
  cooldownMs: 30_000,
  timeoutMs: 5000,
} as const;

/** `team`: the origin of the team's domain. `audience`: the applications' AUD tags. */
export const accessTokenOptions = (team: string, audience: readonly string[]): TokenOptions => ({
  ...FIXED_OPTIONS,
  issuer: team,
  jwksUrl: `${team}/cdn-cgi/access/certs`,
  audience,
});
