/** Selects the keys that a `revoke` command names. */
import { readActorId } from "../client-key.ts";
import type { StoredKey } from "./store.ts";
import { idOf } from "./texts.ts";

const MIN_DIGITS = 8;

/** @returns the actor's keys, or the one key whose id begins with the selector; else one sentence that says why not. */
export function chooseKeys(selector: string, keys: readonly StoredKey[]): readonly StoredKey[] | string {
  const actor = readActorId(selector);
  const ofActor = "id" in actor ? keys.filter(({ about }) => about?.actor === actor.id) : [];
  const isPrefix = /^[0-9a-f]+$/.test(selector) && selector.length >= MIN_DIGITS;
  const byId = isPrefix ? keys.filter(({ sha256 }) => sha256.startsWith(selector)) : [];
  if (ofActor.length > 0 && byId.length > 0)
    return `${selector} is an actor and also the beginning of a key's id: use the whole id.`;
  if (byId.length > 1)
    return `${selector} is the beginning of several ids (${byId.map(({ sha256 }) => idOf(sha256)).join(", ")}).`;
  const chosen = [...ofActor, ...byId];
  return chosen.length > 0
    ? chosen
    : `No key has this id (of which at least ${MIN_DIGITS} digits are required) or this actor: ${selector}.`;
}
