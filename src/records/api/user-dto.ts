/** Users in Coder's form, and the names that the ledger knows: the actor's of its credential, the owner's of the directory. */
import type { Row } from "./kit/query-ledger.ts";
import { json } from "./kit/row-mapper.ts";
import type { Value } from "./kit/sql.ts";
import * as schema from "../../shared/json-schema.ts";

export const USER = schema.object({
  id: schema.TEXT,
  username: schema.withDescription(
    schema.TEXT,
    "The owner's user name where the directory or the token has one; the actor's name where the initiator is the actor; else the id.",
  ),
  name: schema.TEXT,
  avatar_url: schema.TEXT,
});

export const ACTOR_NAME = schema.withDescription(
  schema.orNull(schema.TEXT),
  "The actor's name, where its credential has one.",
);

/** `metadata`: the column of an interception, which describes its actor. */
export function actorName(metadata: Value | undefined): string | null {
  const name = json(metadata)["actor_name"];
  return typeof name === "string" ? name : null;
}

/** An initiator, as the ledger has it. */
type Initiator = {
  readonly id: string;
  /** The column `initiator_name`: an owner's user name in the directory. */
  readonly ownerName: string | null;
  readonly isActor: boolean;
  readonly metadata: Value | undefined;
};

/** Whether the initiator is the actor: the same id from the same source. Rows of earlier versions name no source. */
export const isActorRow = (row: Row): boolean =>
  row["actor_id"] === row["initiator_id"] &&
  (row["initiator_source"] ?? row["identity_source"]) === row["identity_source"];

/** Metadata describes the actor, so another initiator does not get the name in it. */
export function initiatorName({ ownerName, isActor, metadata }: Omit<Initiator, "id">): string | null {
  return ownerName ?? (isActor ? actorName(metadata) : null);
}

export function toUserDto(initiator: Initiator): Record<string, string> {
  const { id } = initiator;
  const name = initiatorName(initiator);
  return { id, username: name ?? id, name: name ?? "", avatar_url: "" };
}
