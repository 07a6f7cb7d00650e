/** Proofs from the log: that an event is in the tree of the last checkpoint, and that one checkpoint continues an earlier one. */
import { isUuid } from "../../../shared/uuid.ts";
import { equalBytes, toBase64, utf8 } from "./bytes.ts";
import { checkpointIn } from "./checkpoint.ts";
import { eventIdBytes } from "./entry.ts";
import { loadOwnEntries, rebuiltEntry } from "./load-entries.ts";
import { factsAt } from "./log-entry.ts";
import { consistencyRanges, inclusionRanges, leafHash, type Hash } from "./merkle.ts";
import { loadEvents, type Query } from "./rebuild.ts";
import { isSealedType, typeOfEvent } from "./schema.ts";
import { hashesOf, TILE_COLUMNS, TILE_WIDTH, toTile } from "./tiles.ts";
import type { StoredCheckpoint } from "./seal-state.ts";

export type EventProof = {
  readonly event_id: string;
  readonly leaf_index: number;
  /** In base64. */
  readonly leaf_hash: string;
  readonly tree_size: number;
  readonly inclusion_proof: readonly string[];
  readonly checkpoint: string;
  /** The text whose leaf hash is in the tree; null where the row no longer has it. */
  readonly entry: string | null;
  /** Whether the row is what was sealed. */
  readonly is_intact: boolean;
  /** The erased fields, with the time of each. */
  readonly erased: Readonly<Record<string, string>>;
};

/** Why there is no proof: no such event; stored before the log began, or of a type without a seal; not sealed yet. */
export type NoProof = "unknown" | "unsealed" | "pending";

export async function proveEvent(query: Query, eventId: string): Promise<EventProof | NoProof> {
  const type = isUuid(eventId) ? typeOfEvent(eventId) : null;
  const event = type && (await loadEvents(query, [eventId])).get(eventId);
  if (type === null || !event) return "unknown";
  if (event === "unsealed" || !isSealedType(type)) return "unsealed";
  const checkpoint = await lastCheckpoint(query);
  const storedAt = typeof event === "object" ? event.facts.storedAt : null;
  const leaf = storedAt === null ? null : await findLeaf(query, eventId, storedAt);
  const own = await loadOwnEntries(query);
  if (!checkpoint || !leaf || leaf.index >= checkpoint.size) {
    const begin = own.parsed.find((entry) => entry.kind === "begin");
    return begin && !leaf && (storedAt ?? 0) < begin.at && !(await isInJournal(query, eventId))
      ? "unsealed"
      : "pending";
  }
  const { index } = leaf;
  const hashes = await hashesOf(query, inclusionRanges(index, { from: 0, to: checkpoint.size }));
  const { schema } = factsAt(own.facts, index);
  const entry = rebuiltEntry(event, eventId, { index, schema: schema ?? 0 });
  const isIntact = entry !== null && equalBytes(leafHash(utf8(entry)), leaf.hash);
  const erased = typeof event === "object" ? Object.entries(event.facts.erased) : [];
  return {
    event_id: eventId,
    leaf_index: index,
    leaf_hash: toBase64(leaf.hash),
    tree_size: checkpoint.size,
    inclusion_proof: hashes.map(toBase64),
    checkpoint: checkpoint.note,
    entry: isIntact ? entry : null,
    is_intact: isIntact,
    erased: Object.fromEntries(erased.map(([name, { at }]) => [name, new Date(at).toISOString()])),
  };
}

async function isInJournal(query: Query, eventId: string): Promise<boolean> {
  const sql = "SELECT 1 FROM journal WHERE INSTR(event_ids, ?1) > 0 LIMIT 1";
  return (await query(sql, eventId)).length > 0;
}

export async function lastCheckpoint(query: Query): Promise<StoredCheckpoint | null> {
  const [row] = await query(
    "SELECT tree_size, note, signed_at FROM seal_checkpoints ORDER BY tree_size DESC LIMIT 1",
  );
  return row
    ? { size: Number(row["tree_size"]), note: String(row["note"]), signedAt: Number(row["signed_at"]) }
    : null;
}

const TILES_PER_QUERY = 4;
const FIND_SQL = `SELECT ${TILE_COLUMNS} FROM seal_tiles
WHERE stored_to >= ?1 AND stored_from <= ?1 AND hex(event_ids) LIKE '%' || ?2 || '%'
ORDER BY stored_to LIMIT ${TILES_PER_QUERY}`;

/** Leaves are in the order of storing, so the time of storing leads to a few tiles: those of one moment. */
async function findLeaf(
  query: Query,
  eventId: string,
  storedAt: number,
): Promise<{ readonly index: number; readonly hash: Hash } | null> {
  const wanted = eventIdBytes(eventId);
  for (const row of await query(FIND_SQL, storedAt, eventId.replaceAll("-", "").toUpperCase())) {
    const tile = toTile(row);
    const at = tile.eventIds.findIndex((id) => equalBytes(id, wanted));
    const hash = tile.hashes[at];
    if (hash) return { index: tile.index * TILE_WIDTH + at, hash };
  }
  return null;
}

export type CheckpointProof = {
  readonly checkpoint: string;
  readonly tree_size: number;
  readonly signed_at: string;
  /** Proves that the tree begins with the earlier one; null without an earlier size, and where that is larger. */
  readonly consistency_proof: readonly string[] | null;
};

/** `earlier`: the size of a checkpoint that the reader has; 0 for none. null: there is no checkpoint yet. */
export async function proveCheckpoint(query: Query, earlier: number): Promise<CheckpointProof | null> {
  const checkpoint = await lastCheckpoint(query);
  const tree = checkpoint && checkpointIn(checkpoint.note);
  if (!tree) return null;
  const hasProof = earlier > 0 && earlier <= tree.size;
  const proof = hasProof ? await hashesOf(query, consistencyRanges(earlier, tree.size)) : null;
  return {
    checkpoint: checkpoint.note,
    tree_size: tree.size,
    signed_at: new Date(checkpoint.signedAt).toISOString(),
    consistency_proof: proof && proof.map(toBase64),
  };
}
