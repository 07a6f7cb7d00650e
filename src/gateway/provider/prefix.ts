/** The prefixes under which Coder's own gateway has the same routes. */
import { ROUTE_PREFIXES } from "../../shared/http/target.ts";

/** The path without such a prefix. */
export function withoutPrefix(path: string): string {
  if (!path.startsWith("/api/")) return path;
  const prefix = ROUTE_PREFIXES.find((candidate) => path === candidate || path.startsWith(`${candidate}/`));
  return path.slice(prefix?.length ?? 0);
}
