/**
 * The client of the store of object owners: which initiator created an object of a provider? The store is a Durable Object
 * (`object-owners-shard.ts`): of two concurrent claims of one object, exactly one must win. KV is eventually consistent:
 * both could.
 */
import type { Caller } from "../../events/compose.ts";
import { sha256Hex } from "../../shared/digest.ts";
import type { LogOperatorEvent } from "../../shared/operator-log.ts";
import { queryShard } from "./query-shard.ts";

/** The provider's name, and its ids of the objects. */
export type ObjectNames = { readonly provider: string; readonly ids: readonly string[] };

/**
 * Whether all the objects are the owner's. `claim` makes those without an owner the owner's first. An object that is not
 * known is another's. Never rejects.
 */
export type ObjectOwners = (
  query: "claim" | "check",
  objects: ObjectNames,
  owner: string,
) => Promise<"own" | "other" | "down">;

/** The status codes of the shard's responses. */
export const OWN = 200;
export const OTHER = 409;

/** Shards by the first byte of an object's hash: 256 shards with equal load, one query to each. */
export function createObjectOwners(
  namespace: DurableObjectNamespace,
  logError: LogOperatorEvent,
): ObjectOwners {
  return async (query, { provider, ids }, owner) => {
    const [ownerHash, ...hashes] = await Promise.all(
      [owner, ...ids.map((id) => JSON.stringify([provider, id]))].map(sha256Hex),
    );
    const shards = Map.groupBy(hashes, (hash) => hash.slice(0, 2));
    const statuses = await Promise.all(
      Array.from(shards, ([shard, objects]) =>
        queryShard(
          namespace,
          shard,
          `https://objects.invalid/${query}?owner=${ownerHash}&objects=${objects.join()}`,
        ),
      ),
    );
    const failed = statuses.find((status) => status !== OWN && status !== OTHER);
    if (failed === undefined) return statuses.includes(OTHER) ? "other" : "own";
    logError({
      event: "object_owners_failed",
      reason: typeof failed === "string" ? failed : `status ${failed}`,
    });
    return "down";
  };
}

/**
 * The initiator as the owner of objects. Where another only names the initiator, or the caller is not verified, the key has the
 * attribution and the actor too, as the key of a session has: it never equals that of the initiator itself.
 */
export function ownerKey(caller: Caller): string {
  const { initiator_source, initiator_id, attribution, identity_source, actor_id } = caller;
  const isProven = attribution === "authenticated" || attribution === "signed";
  return JSON.stringify([
    initiator_source,
    initiator_id,
    ...(isProven ? [] : [attribution, identity_source, actor_id]),
  ]);
}
