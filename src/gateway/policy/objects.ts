/**
 * Policy: who may read, change and delete the objects that the provider stores. A central key has those of all its callers,
 * and the provider cannot tell them apart.
 */
import { hasClaim } from "../../shared/claims.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Actor } from "../identity/identity.ts";
import type { ObjectAction, ObjectRule, Provider } from "../provider/provider.ts";
import type { Route } from "../provider/route.ts";
import type { Decision } from "../initiator/decision.ts";

export type ObjectRequest = {
  readonly method: string;
  readonly actor: Actor;
  readonly credential: { readonly kind: "centralized" | "byok" };
  /** The owner decision; absent where the request cannot name an owner. */
  readonly decision?: Pick<Decision, "acceptedOwner" | "rejection">;
};

/** Refuses `objects_not_allowed` (403). */
export function checkObjects(named: Route, request: ObjectRequest): Refusal | null {
  const { provider } = named;
  const { method, actor, credential } = request;
  const action = objectAction(named, method);
  if (action === null) return null;
  if (provider.objects.owners) {
    // Lists, and other requests about more than one object, are for the callers that may use all objects.
    const isAllowed =
      provider.objects[action] !== "off" && (isCreation(named, method) || namedObject(named) !== null);
    return isAllowed || usesAll(named, request, action) ? null : notAllowed(action);
  }
  const rules =
    provider.objects[action] ?? (credential.kind === "centralized" ? defaultRules(action, named) : "on");
  const isAllowed = typeof rules === "string" ? rules === "on" : rules.some((rule) => matches(rule, actor));
  return isAllowed ? null : notAllowed(action);
}

/**
 * Refuses `objects_not_allowed` (403) to a model call whose response the provider stores, or which continues from stored ones,
 * where the provider's configuration denies the caller that. Owners of objects are checked elsewhere.
 */
export function checkUses(
  { objects }: Provider,
  actor: Actor,
  uses: readonly ObjectAction[],
): Refusal | null {
  const isDenied = (action: ObjectAction): boolean => {
    const rules = objects[action];
    if (rules === null || rules === "on") return false;
    return rules === "off" || (!objects.owners && !rules.some((rule) => matches(rule, actor)));
  };
  const denied = uses.find(isDenied);
  return denied ? notAllowed(denied) : null;
}

const notAllowed = (action: ObjectAction): Refusal =>
  new Refusal("objects_not_allowed", { detail: `objects.${action}` });

/**
 * Whether the caller may use all objects of a provider with `owners = "check"`: the list of rules for the action has the
 * actor. A request that names an owner is one of that owner, whose objects alone it uses, whether or not it was accepted.
 */
export function usesAll(
  { provider }: Pick<Route, "provider">,
  { actor, decision }: Pick<ObjectRequest, "actor" | "decision">,
  action: ObjectAction,
): boolean {
  const rules = provider.objects[action];
  const namesOwner = decision !== undefined && (decision.acceptedOwner ?? decision.rejection) !== null;
  return Array.isArray(rules) && !namesOwner && rules.some((rule: ObjectRule) => matches(rule, actor));
}

const SERVICES: readonly ObjectRule[] = [{ source: null, kind: "service", actor: null, claim: null }];

/**
 * Of a central key nothing is deleted, and services alone use what every caller could list. An object that is found only by
 * an id that cannot be guessed is its creator's, as long as the creator keeps the id.
 */
function defaultRules(action: ObjectAction, { route }: Route): "on" | "off" | readonly ObjectRule[] {
  if (action === "delete") return "off";
  return route.kind === "passthrough" && route.objects === "listed" ? SERVICES : "on";
}

/** The action on stored objects; null for any other request. Lists of models have a rule of their own (`filter_models`). */
export function objectAction({ route }: Pick<Route, "route">, method: string): ObjectAction | null {
  if (route.kind !== "passthrough" || !route.objects) return null;
  if (method === "GET" || method === "HEAD") return route.listsModels ? null : "read";
  return method === "DELETE" ? "delete" : "write";
}

/** Whether the request creates an object: its response names it. */
export function isCreation({ route, upstreamPath }: Route, method: string): boolean {
  if (method !== "POST" || route.kind !== "passthrough" || upstreamPath !== route.path) return false;
  return route.objects !== undefined;
}

/** The id of the object that the path names; null where it names none. The path has been validated: its escapes are of ASCII. */
export function namedObject({ route: { path }, upstreamPath }: Route): string | null {
  const root = path.replace(/\*$/, "");
  const [id] = upstreamPath
    .slice(root.length)
    .split("/", root.endsWith("/") ? 1 : 2)
    .slice(-1);
  return id ? decodeURIComponent(id) : null;
}

/**
 * The ids of stored objects in the path: of the object, and of one within it (`/conversations/{id}/items/{id}`). A model's id
 * may have slashes.
 */
export function idsInPath({ route, upstreamPath }: Route): readonly string[] {
  if (route.kind !== "passthrough" || !route.objects) return [];
  const segments = upstreamPath
    .slice(route.path.replace(/\*$/, "").length)
    .split("/")
    .filter((segment) => segment !== "");
  const ids = route.listsModels ? [segments.join("/")] : segments.filter((_, at) => at % 2 === 0);
  return ids.filter((id) => id !== "").map(decodeURIComponent);
}

/** A rule without a source matches verified actors only: any caller could make up an unverified id. */
function matches({ source, kind, actor: id, claim }: ObjectRule, actor: Actor): boolean {
  if (source === null ? !actor.verified : source !== actor.source) return false;
  if ((kind !== null && kind !== actor.kind) || (id !== null && id !== actor.id)) return false;
  return claim === null || hasClaim(actor.claims ?? {}, ...claim);
}
