/**
 * The type of a body that Cloudflare Access vouches for. Access adds the user's token to each request of the user's browser,
 * and any page can make it send a text, a form or a body without a type (https://fetch.spec.whatwg.org/#simple-header).
 */
import { declaredLength } from "../../shared/http/body-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Actor } from "../identity/identity.ts";
import { interceptedApi, type Route } from "../provider/route.ts";
import type { SentHead } from "./decide.ts";

const PAGE_TYPES: ReadonlySet<string> = new Set(["text/plain", "application/x-www-form-urlencoded"]);

/**
 * Refuses `json_required` for an actor from Access: on a route for JSON any other type, elsewhere what a page can send.
 * Forms are checked by their origin alone (`identity/credential.ts`), because no other type can carry a file.
 */
export function checkAmbientBody(
  { method, headers }: SentHead,
  { source }: Actor,
  route: Route,
): Refusal | null {
  if (source !== "access" || method === "GET" || method === "HEAD") return null;
  const api = interceptedApi(route, method);
  // Two Content-Type headers arrive joined by a comma, and are neither type.
  const type = (headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === "application/json") return null;
  if (type === "multipart/form-data" && (api === null || api.acceptsForms)) return null;
  const isEmpty = !headers.has("transfer-encoding") && (declaredLength(headers) ?? 0) === 0;
  const isPages = PAGE_TYPES.has(type) || (type === "" && !isEmpty) || type.includes(",");
  return api !== null || isPages ? new Refusal("json_required") : null;
}
