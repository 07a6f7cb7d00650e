/**
 * Which messages of a batch are processed in this run, in which order, and how many together.
 *
 * A run that exceeds its memory or time leaves no result: its acknowledgements are lost, and the whole batch is delivered
 * again with `attempts` raised. So a later run must not repeat the earlier one:
 *
 * - Messages in their first two deliveries go first and together. Their rows stay, even if the run is ended later.
 * - A message in a later delivery is a suspect. About half of the suspects take part in a run, others in each; the rest is
 *   postponed. If the message that ends the runs is among the postponed ones, all others of the run are acknowledged. So it
 *   is left alone after some deliveries.
 * - Suspects are processed one alone, then two, four … together: the database has most of them before a run is ended, and an
 *   outage that has passed is caught up with quickly. The more deliveries, the smaller the groups, down to single messages:
 *   the runs may have been ended by the number of messages together.
 */

/**
 * Bound of the characters that are stored together; one message may exceed it. A hundred of the largest messages, parsed
 * and serialized again for database and archive, would take most of the isolate's memory from concurrent requests.
 */
export const MAX_BATCH_CHARACTERS = 2_000_000;
/** After two deliveries without a result. */
export const SUSPECT_FROM_ATTEMPT = 3;
/**
 * Bound of the suspects in one run. Stored one by one they take up to 23 statements each, of the 1,000 that an invocation has:
 * https://developers.cloudflare.com/d1/platform/limits/
 */
const MAX_SUSPECTS = 42;
/** The largest group, by the attempts of the oldest suspect. */
const maxTogether = (attempts: number): number => (attempts < 10 ? 16 : attempts < 20 ? 4 : 1);

export type BatchPlan = {
  /** In the order in which they are to be processed, each after the one before it. */
  readonly groups: readonly (readonly Message[])[];
  /** For a later delivery. */
  readonly postponed: readonly Message[];
};

export function planBatch(messages: readonly Message[]): BatchPlan {
  const fresh = messages.filter(({ attempts }) => attempts < SUSPECT_FROM_ATTEMPT);
  const suspects = messages
    .filter(({ attempts }) => attempts >= SUSPECT_FROM_ATTEMPT)
    .map((message) => ({ message, draw: drawOf(message) }))
    .toSorted((a, b) => a.draw - b.draw);
  const drawn = suspects.filter(({ draw }) => draw % 2 === 0);
  const others = suspects.filter(({ draw }) => draw % 2 !== 0);
  const ordered = [...drawn, ...others].map(({ message }) => message);
  // Without any fresh message at least one suspect is processed.
  const chosen = Math.min(Math.max(drawn.length, fresh.length > 0 ? 0 : 1), MAX_SUSPECTS);
  const most = maxTogether(Math.max(0, ...ordered.map(({ attempts }) => attempts)));
  const doubling = (group: number): number => Math.min(2 ** group, most);
  return {
    groups: [...toGroups(fresh, () => Infinity), ...toGroups(ordered.slice(0, chosen), doubling)],
    postponed: ordered.slice(chosen),
  };
}

/** Neighbors in groups of at most `sizeOf(index)` messages and `MAX_BATCH_CHARACTERS` characters. */
function toGroups(messages: readonly Message[], sizeOf: (group: number) => number): Message[][] {
  const groups: Message[][] = [];
  let characters = 0;
  for (const message of messages) {
    const length = lengthOf(message);
    const open = groups.at(-1);
    const fits = characters + length <= MAX_BATCH_CHARACTERS;
    if (open && fits && open.length < sizeOf(groups.length - 1)) {
      open.push(message);
      characters += length;
    } else {
      groups.push([message]);
      characters = length;
    }
  }
  return groups;
}

export const lengthOf = ({ body }: Message): number => (typeof body === "string" ? body.length : 0);

/** A number that differs from delivery to delivery without a source of randomness: FNV-1a, mixed as in MurmurHash3. */
function drawOf({ id, attempts }: Message): number {
  let hash = 0x811c9dc5;
  for (const char of `${id}:${attempts}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
