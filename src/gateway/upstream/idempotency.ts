/**
 * Idempotency keys beside a central key. A provider keeps them per provider key, which many callers share: by the key of
 * another caller, one would get that caller's response.
 */
import type { Caller } from "../../events/compose.ts";
import { sha256Hex } from "../../shared/digest.ts";

/** https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header */
export const IDEMPOTENCY_KEY = "idempotency-key";

/** `Idempotency-Key` and its variants, of which `forward_headers` may name others. */
const NAME = /idempoten/;

/** The names of the client's idempotency keys among the headers to send; usually none. */
export const idempotencyNames = (names: Iterable<string>, headers: Headers): readonly string[] =>
  [...names].filter((name) => NAME.test(name) && headers.has(name));

/** Replaces each value by a hash of it and of who sends it: equal for a caller's retries, and different for any other caller. */
export async function scopeIdempotencyKeys(
  headers: Headers,
  names: readonly string[],
  { identity_source, actor_id, initiator_id }: Caller,
): Promise<void> {
  for (const name of names) {
    const sent = headers.get(name);
    headers.set(name, await sha256Hex(JSON.stringify([identity_source, actor_id, initiator_id, sent])));
  }
}

/** Replaces each value for another body of the same request: providers reject a key that they know with another body. */
export function renewIdempotencyKeys(headers: Headers, names: Iterable<string>): void {
  for (const name of new Set(names)) {
    const sent = headers.get(name);
    // The header's value may be a quoted string.
    if (sent !== null) headers.set(name, sent.replace(/"?$/, "-2$&"));
  }
}
