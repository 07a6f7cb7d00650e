/** Where a request goes: the provider's configured base URL and a path out of a fixed table. Nothing else can move it. */
import type { Route } from "../provider/route.ts";

/** `search` is the caller's query, verbatim: the provider's business, and behind the `?` it names no place. */
export function targetUrl({ provider, upstreamPath }: Route, search: string): string {
  return `${provider.baseUrl}${upstreamPath}${search}`;
}
