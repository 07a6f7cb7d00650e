/** Users in Coder's form. The ledger knows their ids only, and the actor's name where its credential has one. */
import { json } from "./kit/row-mapper.ts";
import type { Value } from "./kit/sql.ts";
import * as schema from "../../shared/json-schema.ts";

export const USER = schema.object({
  id: schema.TEXT,
  username: schema.withDescription(
    schema.TEXT,
    "The actor's name where the initiator is the actor; else the id.",
  ),
  name: schema.TEXT,
  avatar_url: schema.TEXT,
});

/** `metadata` describes the actor, so another initiator does not get the name in it. */
export function toUserDto(id: string, isActor: boolean, metadata: Value | undefined): Record<string, string> {
  const name = isActor ? json(metadata)["actor_name"] : null;
  return typeof name === "string"
    ? { id, username: name, name, avatar_url: "" }
    : { id, username: id, name: "", avatar_url: "" };
}
