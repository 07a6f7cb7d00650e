/**
 * Calls from web pages (https://fetch.spec.whatwg.org/#http-cors-protocol), for the origins that `CORS` lists. A page sends
 * its own credential in a header: `access-control-allow-credentials` is never sent, so cookies do not count.
 */
import type { CorsRules } from "../config/cors.ts";
import { methodsOf } from "../provider/method.ts";
import type { Route } from "../provider/route.ts";
import type { Exchange } from "./exchange.ts";

/** A field name (RFC 9110 §5.1). */
const NAME = /^[\w!#$%&'*+.^`|~-]{1,128}$/;
const MAX_NAMES = 64;

/** The response to a preflight request of a listed origin, which browsers send without a credential; null for others. */
export function preflightResponse(
  { id, request, deps: { config } }: Exchange,
  { route }: Route,
): Response | null {
  const { method, headers } = request;
  const isPreflight = method === "OPTIONS" && headers.has("access-control-request-method");
  if (!isPreflight || config.cors === null || !isListed(headers, config.cors)) return null;
  const allowed = allowedNames(headers.get("access-control-request-headers") ?? "");
  return new Response(null, {
    status: 204,
    headers: {
      "x-interception-id": id,
      "access-control-allow-methods": methodsOf(route).join(", "),
      ...(allowed !== "" && { "access-control-allow-headers": allowed }),
      "access-control-max-age": String(config.cors.maxAgeS),
    },
  });
}

function allowedNames(requested: string): string {
  const names = requested.split(",").map((name) => name.trim().toLowerCase());
  return names
    .filter((name) => NAME.test(name) && name !== "*")
    .slice(0, MAX_NAMES)
    .join(", ");
}

function isListed(headers: Headers, { origins }: CorsRules): boolean {
  return origins.has(headers.get("origin") ?? "");
}

/** The headers that clients read and that a page sees only if they are named. */
const EXPOSED = [
  "x-interception-id",
  "x-interceptor-error",
  "x-should-retry",
  "retry-after",
  "retry-after-ms",
  "request-id",
  "x-request-id",
];
const RATE_LIMITS = /^(?:x|anthropic)-ratelimit-/;

/** Lets a page of a listed origin read the response. The headers differ by origin, which a cache must know. */
export function allowOrigin(response: Response, request: Request, cors: CorsRules): Response {
  const { headers } = response;
  headers.append("vary", "origin");
  if (!isListed(request.headers, cors)) return response;
  headers.set("access-control-allow-origin", request.headers.get("origin") ?? "");
  const limits = [...headers.keys()].filter((name) => RATE_LIMITS.test(name));
  headers.set("access-control-expose-headers", [...EXPOSED, ...limits].join(", "));
  return response;
}
