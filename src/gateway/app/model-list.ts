/** The provider's models as the caller sees them: only those that its policies allow. */
import { readBounded } from "../../shared/bounded-read.ts";
import { abortAfter } from "../../shared/deadline.ts";
import { contentEncoding, declaredLength, deleteBodyHeaders } from "../../shared/http/body-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { keepModels } from "../provider/model-list.ts";
import { CLIENT_DISCONNECTED } from "../upstream/forward.ts";
import { checkPolicies } from "./call-upstream.ts";
import type { Forwardable, UpstreamResult } from "./upstream-call.ts";
import type { Exchange } from "./exchange.ts";

/** The longest lists, of aggregators with hundreds of models, have half of it. */
const MAX_LIST_BYTES = 2 * 1024 * 1024;

/** Further headers about the provider's bytes: they do not describe the list that the client gets. */
const OF_WHOLE_LIST = ["transfer-encoding", "etag", "last-modified", "accept-ranges", "content-range"];

/** Whether the request is for the provider's models, of which the caller sees only some. */
export function isFiltered({ route: { provider, route } }: Pick<Forwardable, "route">): boolean {
  const listsModels = route.kind === "passthrough" && route.listsModels === true;
  return listsModels && provider.models !== null && provider.filterModels;
}

/** Refuses `model_not_found` where the path names a model that the caller may not use. */
export function checkNamedModel(exchange: Exchange, forwardable: Forwardable): Refusal | null {
  const { route, upstreamPath } = forwardable.route;
  if (!isFiltered(forwardable) || upstreamPath === route.path) return null;
  // The path has been validated: each escape in it is of an ASCII character.
  const model = decodeURIComponent(upstreamPath.slice(route.path.length + 1));
  return isAllowed(exchange, forwardable, model) ? null : new Refusal("model_not_found");
}

const isAllowed = (exchange: Exchange, forwardable: Forwardable, model: string): boolean =>
  checkPolicies(exchange, forwardable, model, true)?.code !== "model_not_allowed";

/**
 * The provider's response without the models that the caller may not use. An error stays as it is. Refuses
 * `models_not_filtered` where the response is not a list that can be read, so that no complete list gets out.
 */
export async function filterModels(
  exchange: Exchange,
  forwardable: Forwardable,
  response: UpstreamResult["response"],
  abort: AbortController,
): Promise<UpstreamResult["response"]> {
  const isList = isFiltered(forwardable) && forwardable.route.upstreamPath === forwardable.route.route.path;
  if (!isList || !(response instanceof Response)) return response;
  if (response.body === null) return withBody(response, null);
  const bytes = await readList(exchange, response, response.body, abort);
  if (!(bytes instanceof Uint8Array)) return bytes;
  const text = decode(bytes);
  const kept = text && keepModels(text, (model) => isAllowed(exchange, forwardable, model));
  if (kept) return withBody(response, new TextEncoder().encode(kept));
  return response.status >= 400
    ? withBody(response, bytes)
    : notFiltered(`status ${response.status}, no list`);
}

const notFiltered = (detail: string): Refusal => new Refusal("models_not_filtered", { detail });

async function readList(
  { connection, deps }: Exchange,
  { headers }: Response,
  body: ReadableStream<Uint8Array>,
  abort: AbortController,
): Promise<Uint8Array | Refusal | typeof CLIENT_DISCONNECTED> {
  if (contentEncoding(headers) === "encoded") {
    abort.abort();
    return notFiltered("in an unsupported encoding");
  }
  const deadline = abortAfter(deps.config.limits.idleMs, abort);
  try {
    const bytes = await readBounded(body, MAX_LIST_BYTES);
    if (bytes === null) return notFiltered(`over ${MAX_LIST_BYTES} bytes`);
    const length = contentEncoding(headers) === "plain" ? declaredLength(headers) : null;
    return length === null || length === bytes.byteLength ? bytes : brokeOff();
  } catch {
    return connection.isGone() ? CLIENT_DISCONNECTED : brokeOff();
  } finally {
    deadline.clear();
  }
}

const brokeOff = (): Refusal => new Refusal("upstream_unreachable", { detail: "a list of models broke off" });

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function withBody({ status, statusText, headers: received }: Response, body: Uint8Array | null): Response {
  const headers = new Headers(received);
  deleteBodyHeaders(headers);
  for (const name of OF_WHOLE_LIST) headers.delete(name);
  if (body) headers.set("content-length", String(body.byteLength));
  return new Response(body, { status, statusText, headers });
}
