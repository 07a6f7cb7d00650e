/**
 * Policy: who may read, change and delete the objects that the provider stores. A central key has those of all its callers,
 * and the provider cannot tell them apart.
 */
import { Refusal } from "../../shared/refusal.ts";
import type { Actor } from "../identity/identity.ts";
import type { ObjectAction, ObjectRule } from "../provider/provider.ts";
import type { Route } from "../provider/route.ts";

export type ObjectRequest = {
  readonly method: string;
  readonly actor: Actor;
  readonly credential: { readonly kind: "centralized" | "byok" };
};

/** Refuses `objects_not_allowed` (403). */
export function checkObjects(
  { provider, route }: Route,
  { method, actor, credential }: ObjectRequest,
): Refusal | null {
  if (route.kind !== "passthrough" || !route.objects) return null;
  const action = actionOf(method);
  // Lists of models have a rule of their own (`filter_models`).
  if (action === "read" && route.listsModels) return null;
  const rules =
    provider.objects[action] ??
    (credential.kind === "centralized" ? defaultRules(action, route.objects) : "on");
  const isAllowed = typeof rules === "string" ? rules === "on" : rules.some((rule) => matches(rule, actor));
  return isAllowed ? null : new Refusal("objects_not_allowed", { detail: `objects.${action}` });
}

const SERVICES: readonly ObjectRule[] = [{ source: null, kind: "service", actor: null, claim: null }];

/**
 * Of a central key nothing is deleted, and services alone use what every caller could list. An object that is found only by
 * an id that cannot be guessed is its creator's, as long as the creator keeps the id.
 */
function defaultRules(
  action: ObjectAction,
  objects: "listed" | "by_id",
): "on" | "off" | readonly ObjectRule[] {
  if (action === "delete") return "off";
  return objects === "listed" ? SERVICES : "on";
}

function actionOf(method: string): ObjectAction {
  if (method === "GET" || method === "HEAD") return "read";
  return method === "DELETE" ? "delete" : "write";
}

/** A rule without a source matches verified actors only: any caller could make up an unverified id. */
function matches({ source, kind, actor: id, claim }: ObjectRule, actor: Actor): boolean {
  if (source === null ? !actor.verified : source !== actor.source) return false;
  if ((kind !== null && kind !== actor.kind) || (id !== null && id !== actor.id)) return false;
  return claim === null || holds(actor.claims ?? {}, claim);
}

function holds(
  claims: Readonly<Record<string, unknown>>,
  [name, values]: NonNullable<ObjectRule["claim"]>,
): boolean {
  const claim = Object.hasOwn(claims, name) ? claims[name] : undefined;
  const held: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  return values.some((value) => held.includes(value));
}
