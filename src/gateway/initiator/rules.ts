/**
 * `OWNER_ASSERTION` as it is applied: who may name an owner, and what else is asked before one counts.
 */
import type { Actor } from "../identity/identity.ts";

export type AssertionRules = {
  readonly allow: "any" | "service" | "listed" | "off";
  /** Who counts as listed. */
  readonly actors: readonly ListedActor[];
  /** `reject`: a request whose owner does not count is refused as well. */
  readonly onInvalid: "ignore" | "reject";
  /** `accept`: a signature that is sent must be good. `require`: one must be sent. */
  readonly signature: "off" | "accept" | "require";
  /** Each signature counts once. */
  readonly once: boolean;
  /** Whether owners are looked up, and whether they count where the directory is down. */
  readonly directory: "off" | "reject" | "accept";
};

export type ListedActor = {
  readonly id: string;
  /** The only source that can vouch for it; null: any that verifies. */
  readonly source: string | null;
};

/** What gave the right to name an owner, or denied it. */
export type Rule = "any" | "service" | "listed" | "credential" | "delegation" | "off";

/**
 * What a credential says of itself (`mayAssert`) narrows `any` and `service`, and counts as listed; nothing widens
 * `off`. A gateway that has shown its key is such a credential.
 *
 * | allow     | says no | says nothing             | says yes                 |
 * | --------- | ------- | ------------------------ | ------------------------ |
 * | `any`     | no      | yes                      | yes                      |
 * | `service` | no      | verified services        | verified services        |
 * | `listed`  | no      | those listed             | yes                      |
 * | `off`     | no      | no                       | no                       |
 */
export function checkPermission(
  actor: Actor,
  isDelegating: boolean,
  { allow, actors }: AssertionRules,
): { readonly permitted: boolean; readonly rule: Rule } {
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

/** An id that no source has verified is listed only with its source: anybody could have made it up. */
function isListed(actor: Actor, { id, source }: ListedActor): boolean {
  return id === actor.id && (source === null ? actor.verified : source === actor.source);
}
