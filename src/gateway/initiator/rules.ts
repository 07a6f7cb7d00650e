/**
 * The owner decision, step 2 of 4: permission. `OWNER_ASSERTION` as the gateway applies it: which actors may assert an
 * owner, and which further checks (signature, directory, replay cache) an owner must pass.
 */
import type { AssertionRule } from "../../events/vocabulary.ts";
import type { Actor } from "../identity/identity.ts";

export type AssertionRules = {
  /** The source of owners' ids: the identity source that knows the same people under the same ids. */
  readonly source: string;
  readonly allow: "any" | "service" | "listed" | "off";
  /** The actors that `listed` allows. */
  readonly actors: readonly ListedActor[];
  /**
   * `ignore`: an owner that is not accepted is only recorded, except that under `signature = "require"` a defect of the
   * signature refuses the request. `reject`: the request is refused too.
   */
  readonly onInvalid: "ignore" | "reject";
  /** `accept`: a signature that is sent must be valid. `require`: a valid one must be sent. */
  readonly signature: "off" | "accept" | "require";
  /** Whether each signature is accepted only once (the replay cache). */
  readonly once: boolean;
  /** Whether owners are looked up, and whether an owner is accepted or rejected while the directory is down. */
  readonly directory: "off" | "reject" | "accept";
};

export type ListedActor = {
  readonly id: string;
  /** The identity source that must have verified the actor; null for any source that verifies. */
  readonly source: string | null;
};

/**
 * Decides whether the actor may assert an owner. The credential's own `mayAssert` restricts `any` and `service`, and
 * counts as an entry of the list. Nothing overrides `off`. A gateway with a valid delegation key counts as
 * `mayAssert: true`, and its rule is `delegation`.
 *
 * | allow     | mayAssert: false | null              | true              |
 * | --------- | ---------------- | ----------------- | ----------------- |
 * | `any`     | no               | yes               | yes               |
 * | `service` | no               | verified services | verified services |
 * | `listed`  | no               | listed actors     | yes               |
 * | `off`     | no               | no                | no                |
 */
export function checkPermission(
  actor: Actor,
  isDelegating: boolean,
  { allow, actors }: AssertionRules,
): { readonly permitted: boolean; readonly rule: AssertionRule } {
  if (allow === "off") return { permitted: false, rule: "off" };
  if (actor.mayAssert === false) return { permitted: false, rule: "credential" };
  if (isDelegating) return { permitted: true, rule: "delegation" };
  switch (allow) {
    case "any":
      return { permitted: true, rule: "any" };
    case "service":
      return { permitted: actor.verified && actor.kind === "service", rule: "service" };
    case "listed":
      if (actor.mayAssert === true) return { permitted: true, rule: "credential" };
      return { permitted: actors.some((listed) => isListed(actor, listed)), rule: "listed" };
  }
}

/** An entry without a source matches verified actors only: any caller could make up an unverified id. */
function isListed(actor: Actor, { id, source }: ListedActor): boolean {
  return id === actor.id && (source === null ? actor.verified : source === actor.source);
}
