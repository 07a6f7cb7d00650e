/**
 * `/console`: the pages, and signing in and out. The console reads and changes records as every other client does, through the
 * API: nothing here serves a record.
 */
import { readAdminHeaders } from "../../shared/admin-headers.ts";
import { CALLBACK_PATH, SESSION_PATH, SIGN_IN_PATH } from "../../shared/console-pages.ts";
import { readTarget } from "../../shared/http/target.ts";
import { RecordsRefusal, type AnyRefusal } from "../../shared/records-refusal.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Step } from "./call.ts";
import { secured } from "./headers.ts";
import { consoleOrigin } from "./origin.ts";
import { findPage, text, type Assets } from "./pages.ts";
import type { SignIn } from "./sign-in.ts";

export type ConsoleDeps = {
  readonly origins: readonly string[];
  /** null where the Worker has no assets. */
  readonly assets: Assets | null;
  readonly signIn: SignIn;
  /** Makes the `x-interception-id` of a response. */
  readonly newId: () => string;
  /** Called once per refused request, before the response is returned. */
  readonly onRefusal: (id: string, request: Request, refusal: AnyRefusal) => void;
};

type Methods = Readonly<Record<string, Step>>;

export type ServeConsole = (request: Request) => Promise<Response>;

export function createConsole({ origins, assets, signIn, newId, onRefusal }: ConsoleDeps): ServeConsole {
  const routes: Readonly<Record<string, Methods>> = {
    [SESSION_PATH]: { GET: signIn.session, POST: signIn.withToken, DELETE: signIn.signOut },
    [SIGN_IN_PATH]: { GET: signIn.startOidc },
    [CALLBACK_PATH]: { GET: signIn.finishOidc },
  };
  return async (request) => {
    const id = newId();
    const refuse = (refusal: AnyRefusal, allow?: string): Response => {
      onRefusal(id, request, refusal);
      return secured(refusalResponse(refusal, allow), id);
    };
    const target = readTarget(request);
    if (target instanceof Refusal) return refuse(target);
    const origin = consoleOrigin(readAdminHeaders(request).session.host, origins);
    if (origin === null) return refuse(new RecordsRefusal("console_not_here"));
    const { path, search } = target;
    const methods = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (methods) {
      const handler = Object.hasOwn(methods, request.method) ? methods[request.method] : undefined;
      if (!handler) return refuse(new Refusal("method_not_allowed"), Object.keys(methods).join(", "));
      const response = await handler({ request, search, origin, id }).catch(unexpected);
      return response instanceof Refusal ? refuse(response) : secured(response, id);
    }
    if (request.method !== "GET" && request.method !== "HEAD")
      return refuse(new Refusal("method_not_allowed"), "GET, HEAD");
    const page = await findPage(path, assets);
    if (page === null) return secured(text("The console has no such page.\n", 404), id);
    const { response, cacheControl } = page;
    const shown = request.method === "HEAD" ? new Response(null, response) : response;
    return secured(shown, id, cacheControl);
  };
}

/** An error's message may quote a value; its name is a fixed word. */
const unexpected = (error: unknown): Refusal =>
  new Refusal("ledger_unavailable", { detail: error instanceof Error ? error.name : "unknown" });

function refusalResponse({ status, message, code, data }: AnyRefusal, allow?: string): Response {
  const headers = new Headers({ "x-interceptor-error": code });
  if (allow !== undefined) headers.set("allow", allow);
  if (data.retryAfterS !== undefined) headers.set("retry-after", String(data.retryAfterS));
  return Response.json({ message }, { status, headers });
}
