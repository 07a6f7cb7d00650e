/**
 * The owners of stored objects, where a provider's `objects.owners` is on: what a request names must be the caller's, and
 * what a response creates becomes the caller's before the client gets its id.
 */
import { Refusal } from "../../shared/refusal.ts";
import { ownerKey } from "../initiator/object-owners-client.ts";
import { isCreation, namedObject, objectAction, usesAll } from "../policy/objects.ts";
import { readJsonBody, type JsonBody } from "../provider/json-body.ts";
import { JsonSource } from "../provider/json-source.ts";
import { KnownKeys } from "../provider/known-keys.ts";
import { addItemReferences, namedObjects } from "../provider/object-ids.ts";
import type { ObjectAction } from "../provider/provider.ts";
import { interceptedApi, type Route } from "../provider/route.ts";
import { CLIENT_DISCONNECTED } from "../upstream/forward.ts";
import { callUpstream } from "./call-upstream.ts";
import type { Forwardable, Outgoing, UpstreamResult } from "./upstream-call.ts";
import { readCreated } from "./created-objects.ts";
import type { RequestDecision } from "./decide.ts";
import type { Deps } from "./deps.ts";
import type { Exchange } from "./exchange.ts";
import type { OnSha256 } from "./forward-body.ts";
import { rejectOtherText, type RequestBody } from "./request-body.ts";

/** The caller's part in the objects of a provider that checks owners. */
export type Ownership = {
  /** Whether the caller may use the objects of all: only then does an object need no check. */
  readonly usesAll: (action: ObjectAction) => boolean;
};

/** null where the provider does not check owners. */
export function ownershipOf(route: Route, decided: RequestDecision): Ownership | null {
  if (!route.provider.objects.owners) return null;
  return { usesAll: (action) => usesAll(route, decided, action) };
}

/** Refuses `object_not_yours` (404) where the path names an object that is not the caller's. */
export async function checkNamedObject(
  { request, deps }: Exchange,
  forwardable: Forwardable,
): Promise<Refusal | null> {
  const { route } = forwardable;
  const action = objectAction(route, request.method);
  const id = action && namedObject(route);
  return action && id ? checkOwn(deps, forwardable, [id], action) : null;
}

/** Objects that one request may name. Each is a query, and a request has few connections. */
const MAX_NAMED = 64;

/** Refuses `object_not_yours` (404) where one of the objects is not the caller's, `objects_unavailable` (503) where it is not known. */
export async function checkOwn(
  { owners }: Deps,
  { ownership, route, caller }: Forwardable,
  ids: readonly string[],
  action: ObjectAction,
): Promise<Refusal | null> {
  if (ownership === null || ids.length === 0 || ownership.usesAll(action)) return null;
  if (ids.length > MAX_NAMED) return new Refusal("object_not_yours", { detail: `over ${MAX_NAMED} ids` });
  const objects = { provider: route.provider.name, ids };
  const found = owners ? await owners("check", objects, ownerKey(caller)) : "down";
  if (found === "own") return null;
  return new Refusal(found === "other" ? "object_not_yours" : "objects_unavailable");
}

/** The lists whose elements may only refer to an item that the provider has stored. */
const ITEM_LISTS = new KnownKeys(["input", "items"]);

/** The ids that a request's body names; none where the provider does not check owners. */
export function idsInBody(
  { ownership, route }: Pick<Forwardable, "ownership" | "route">,
  { source, members }: JsonBody,
): readonly string[] {
  if (ownership === null) return [];
  return namedIds({ source, members }, route.provider.dialect.toolArguments);
}

export function namedIds({ source, members }: JsonBody, toolArguments?: KnownKeys): readonly string[] {
  const ids = namedObjects(source, toolArguments);
  for (const name of ITEM_LISTS.names) {
    const list = members.get(name);
    if (list) addItemReferences(ids, source, list);
  }
  return [...ids];
}

/** Gets facts about a body for the record, also where the request is then refused. */
export type OnBody = {
  readonly body: OnSha256;
  /** Gets the ids of the objects that it names. */
  readonly objects?: (ids: readonly string[]) => void;
};

/** The whole body, once each object that it names is the caller's. Refuses `body_invalid` (400) where it is no JSON. */
export async function takeOwnBody(
  { headers, deps }: Exchange,
  forwardable: Forwardable,
  body: RequestBody,
  found: OnBody,
): Promise<Uint8Array | Refusal> {
  const otherText = rejectOtherText(headers);
  if (otherText) return otherText;
  const bytes = await body.take();
  if (bytes instanceof Refusal) return bytes;
  found.body(await body.hash(bytes));
  if (bytes.byteLength === 0 || forwardable.ownership === null) return bytes;
  const json = readJsonBody(new JsonSource(bytes), ITEM_LISTS);
  if (json instanceof Refusal) return json;
  const ids = idsInBody(forwardable, json);
  found.objects?.(ids);
  return (await checkOwn(deps, forwardable, ids, "read")) ?? bytes;
}

/** `callUpstream`, and the objects that the response creates or names are the caller's from then on. */
export async function callOwned(
  exchange: Exchange,
  forwardable: Forwardable,
  outgoing: Outgoing,
  abort: AbortController,
): Promise<UpstreamResult> {
  const result = await callUpstream(exchange, forwardable, outgoing, abort);
  const named = namesInResponse(exchange, forwardable);
  const { response } = result;
  if (named === null || !(response instanceof Response) || !response.ok) return result;
  return { ...result, ...(await claim(exchange, forwardable, { ...named, response, abort })) };
}

type Named = {
  /** The members of the response that hold ids. */
  readonly names: readonly string[];
  /** Whether the response creates an object. */
  readonly isNew: boolean;
};

/** The members of the response that name objects of the caller; null where there are none. */
function namesInResponse({ request: { method } }: Exchange, { ownership, route }: Forwardable): Named | null {
  if (ownership === null || method === "HEAD") return null;
  const names = route.route.kind === "passthrough" ? (route.route.objectNames ?? []) : [];
  if (interceptedApi(route, method)?.createsObject || isCreation(route, method))
    return { names: ["id", ...names], isNew: true };
  const action = objectAction(route, method);
  // A caller that uses all objects need not be the owner of this one.
  const isOwn = action !== null && namedObject(route) !== null && !ownership.usesAll(action);
  return isOwn && names.length > 0 ? { names, isNew: false } : null;
}

async function claim(
  { deps: { owners, config }, connection }: Exchange,
  { route, caller }: Forwardable,
  {
    response: received,
    names,
    isNew,
    abort,
  }: Named & { readonly response: Response; readonly abort: AbortController },
): Promise<Pick<UpstreamResult, "response" | "objectIds">> {
  try {
    const { ids, response } = await readCreated(received, names, abort, config.limits.idleMs);
    if (ids.length === 0) return { response };
    const objects = { provider: route.provider.name, ids };
    const claimed = owners ? await owners("claim", objects, ownerKey(caller)) : "down";
    // Files of results keep the owner that they have. A new object has none.
    if (claimed === "own" || (claimed === "other" && !isNew)) return { response, objectIds: ids };
    response.body?.cancel().catch(() => undefined);
    abort.abort();
    // The provider has created it: each retry would create another one. A new id with another owner is the provider's fault.
    const refusal = new Refusal("objects_unavailable", { detail: claimed, ...(isNew && { isFinal: true }) });
    return { response: refusal, objectIds: ids };
  } catch {
    abort.abort();
    if (connection.isGone()) return { response: CLIENT_DISCONNECTED };
    return { response: new Refusal("upstream_unreachable", { detail: "a new object's response broke off" }) };
  }
}
