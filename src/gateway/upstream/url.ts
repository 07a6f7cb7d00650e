/** The upstream URL: the provider's configured base URL and a path from a fixed table. The client cannot change either. */
import type { Route } from "../provider/route.ts";

/** `search` is the client's query, verbatim. The provider interprets it; after the `?` it cannot change the path. */
export function targetUrl({ provider, upstreamPath }: Route, search: string): string {
  return `${provider.baseUrl}${upstreamPath}${search}`;
}
