/** The methods that a route accepts, and the refusal of others and of WebSocket upgrades. */
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { DialectRoute } from "./provider.ts";

/**
 * The methods that a route accepts: POST for a model call, and those of management requests for a passthrough. Models are
 * read and deleted. A POST below them runs one at some servers (`/models/{model}:generateContent`, `/models/{model}/predictions`),
 * and would pass as a management request.
 */
export function methodsOf(route: DialectRoute): readonly string[] {
  if (route.kind === "intercept") return ["POST"];
  return route.listsModels ? ["GET", "HEAD", "DELETE"] : ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
}

/** A refusal for a WebSocket upgrade or a method that the route does not accept; otherwise null. */
export function checkMethod(
  route: DialectRoute,
  { method, headers }: { readonly method: string; readonly headers: HeaderReader },
): Refusal | null {
  // On 426, Codex falls back to HTTP immediately; any other status costs it seven attempts.
  if (/\bwebsocket\b/i.test(headers.get("upgrade") ?? "")) return new Refusal("websocket_unsupported");
  return methodsOf(route).includes(method) ? null : new Refusal("method_not_allowed");
}
