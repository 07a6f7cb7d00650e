/** Hop-by-hop fields (RFC 9110 §7.6.1): they describe one connection and are never forwarded, in either direction. */
import type { HeaderReader } from "../../shared/http/named-headers.ts";

/** A field name (RFC 9110 §5.1). `Headers` throws on any other name. */
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;

/** The names that `Connection` makes hop-by-hop for this message, in lower case; null if it lists none. */
export function connectionHeaders(headers: HeaderReader): Set<string> | null {
  const value = headers.get("connection");
  if (!value || /^\s*(?:close|keep-alive)\s*$/i.test(value)) return null;
  const listed = value.split(",").map((name) => name.trim().toLowerCase());
  return new Set(listed.filter((name) => NAME.test(name)));
}
