/** Which keys are meant by what was given to revoke. */
import { readActorId } from "../client-key.ts";
import type { StoredKey } from "./store.ts";
import { idOf } from "./texts.ts";

const LEAST_DIGITS = 8;

/** The keys of that actor, or the one key whose id begins so; else a sentence on why it is not clear which. */
export function chooseKeys(what: string, keys: readonly StoredKey[]): readonly StoredKey[] | string {
  const actor = readActorId(what);
  const ofActor = "id" in actor ? keys.filter(({ about }) => about?.actor === actor.id) : [];
  const isPrefix = /^[0-9a-f]+$/.test(what) && what.length >= LEAST_DIGITS;
  const byId = isPrefix ? keys.filter(({ sha256 }) => sha256.startsWith(what)) : [];
  if (ofActor.length > 0 && byId.length > 0)
    return `${what} is an actor and begins a key's id: give all of the id.`;
  if (byId.length > 1)
    return `${what} begins several ids (${byId.map(({ sha256 }) => idOf(sha256)).join(", ")}).`;
  const chosen = [...ofActor, ...byId];
  return chosen.length > 0
    ? chosen
    : `No key has that id (at least ${LEAST_DIGITS} digits of it) or that actor: ${what}.`;
}
