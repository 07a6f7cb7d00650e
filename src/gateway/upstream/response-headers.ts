/** The provider's headers as the client may see them. A deny-list: a header that is not listed is forwarded verbatim. */
import { deleteBodyHeaders } from "../../shared/http/body-headers.ts";
import { HOP_BY_HOP } from "../../shared/http/reserved-headers.ts";
import { connectionHeaders } from "./hop-by-hop.ts";

/**
 * Only the gateway decides which web pages may read a response (`CORS`), and only its refusals have `x-interceptor-error`.
 * `x-coder-ai-gateway-error` makes a delegating Coder treat a provider's 401 as the gateway's, and retry.
 */
const DROPPED_HEADERS = [
  ...HOP_BY_HOP,
  "set-cookie",
  "set-cookie2",
  "x-interceptor-error",
  "x-coder-ai-gateway-error",
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "access-control-allow-private-network",
  "access-control-expose-headers",
  "access-control-max-age",
];

/**
 * Changes a copy of the provider's headers into the client's: removes hop-by-hop fields and cookies, and adds the
 * interception's id. `isModified`: the client's body is not the one that the length, encoding and digest headers
 * describe (it was decoded, or an event was removed).
 */
export function toClientHeaders(headers: Headers, interceptionId: string, isModified: boolean): void {
  const listed = connectionHeaders(headers);
  for (const name of DROPPED_HEADERS) headers.delete(name);
  if (listed) for (const name of listed) headers.delete(name);
  if (isModified) deleteBodyHeaders(headers);
  headers.set("x-interception-id", interceptionId);
}
