/** Compares every leaf of the log with the row of its event, and the tree with its checkpoints. */
import { equalBytes, utf8 } from "./bytes.ts";
import { absentEntry, eventEntry, eventIdBytes, isEventId, type StoredEvent } from "./entry.ts";
import type { AddFinding } from "./finding.ts";
import type { StoredLogEntry } from "./log-entry.ts";
import type { LogTimes } from "./log-times.ts";
import { IdSet } from "./id-set.ts";
import { loadLeaves, loadLeafTiles, type LoadedLeaf, type OwnEntries } from "./load-entries.ts";
import { GrowingRoot, leafHash, type Hash } from "./merkle.ts";
import type { Query } from "./rebuild.ts";
import { subtreeRoot, TILE_WIDTH, type LeafTile } from "./tiles.ts";

/** A leaf that is not that of the event's row. */
type Mismatch = LoadedLeaf & { readonly eventId: string };

export type LeafPass = {
  readonly ids: IdSet;
  readonly size: number;
  readonly events: number;
  readonly erasedEvents: number;
  readonly purgedEvents: number;
  readonly unmarkedEvents: number;
  /** The roots of the complete leaf tiles. */
  readonly tileRoots: readonly Hash[];
};

export type LeafPassOptions = {
  readonly query: Query;
  readonly own: OwnEntries;
  readonly add: AddFinding;
  /** Whether an event's row may be gone, because a deletion is on record that deleted it. */
  readonly isPurged: (eventId: string) => boolean;
  /** Whether an erasure on record explains the erased fields of an event. */
  readonly isErased: (event: StoredEvent) => boolean;
  /** Called with each event whose row is gone for that reason. */
  readonly onPurged: (eventId: string) => void;
  /** Called after each leaf with the size of the tree so far. */
  readonly onSize: (size: number, root: () => Hash) => Promise<void>;
  readonly times: LogTimes;
};

const TILES_PER_PAGE = 4;

/** One pass over the leaf tiles, in order. */
export async function passLeaves(options: LeafPassOptions, treeSize: number): Promise<LeafPass> {
  const tree = new GrowingRoot();
  const pass = new Pass(options);
  const tileRoots: Hash[] = [];
  const tiles = Math.ceil(treeSize / TILE_WIDTH);
  for (let from = 0; from < tiles; from += TILES_PER_PAGE) {
    const page = await loadLeafTiles(options.query, from, Math.min(from + TILES_PER_PAGE, tiles));
    for (const tile of page) {
      const expected = Math.min(TILE_WIDTH, treeSize - tree.size);
      if (tile.index * TILE_WIDTH !== tree.size || tile.hashes.length !== expected)
        options.add("tile_altered", {
          index: tree.size,
          detail: `leaf tile ${tile.index} is not in its place`,
        });
      await pass.check(tile);
      if (tile.hashes.length === TILE_WIDTH) tileRoots.push(subtreeRoot(tile.hashes));
      for (const hash of tile.hashes) {
        tree.append(hash);
        await options.onSize(tree.size, () => tree.root);
      }
    }
  }
  pass.finish();
  return { ...pass.counts, ids: pass.ids, size: tree.size, tileRoots };
}

class Pass {
  readonly ids = new IdSet();
  readonly counts = { events: 0, erasedEvents: 0, purgedEvents: 0, unmarkedEvents: 0 };
  readonly #options: LeafPassOptions;
  readonly #ownAt: Map<number, StoredLogEntry>;
  #ownSeen = 0;
  #mismatches: Mismatch[] = [];
  /** Leaves of deleted events that are no longer those of their row: the event may have been stored and sealed again. */
  readonly #deleted = new Map<string, Mismatch[]>();

  constructor(options: LeafPassOptions) {
    this.#options = options;
    this.#ownAt = new Map(options.own.parsed.map((entry) => [entry.index, entry]));
  }

  async check(tile: LeafTile): Promise<void> {
    const { query, own } = this.#options;
    for (const leaf of await loadLeaves(query, tile, own)) {
      if (leaf.eventId === null) this.#checkOwn(leaf);
      else this.#checkEvent({ ...leaf, eventId: leaf.eventId });
    }
  }

  /** An event's entry must not pass for one of the log's own: its leaf would then need no row. */
  #checkOwn({ index, entry, hash }: LoadedLeaf): void {
    const { add, own, times } = this.#options;
    const parsed = this.#ownAt.get(index);
    this.#ownAt.delete(index);
    const isSealed = entry !== null && equalBytes(leafHash(utf8(entry)), hash);
    if (!isSealed || !parsed) add("entry_altered", { index });
    else times.addOwn(parsed.at, index, parsed.kind);
    if (own.texts.has(index)) this.#ownSeen += 1;
  }

  /** Entries that are no leaf say nothing. */
  finish(): void {
    const { add, own } = this.#options;
    if (this.#ownSeen !== own.texts.size)
      add("entry_altered", {
        detail: `${own.texts.size - this.#ownSeen} entries of the log's own are no leaves`,
      });
    this.#classify();
  }

  #checkEvent(leaf: Mismatch): void {
    const { add, isPurged, times } = this.#options;
    const { index, eventId, event, entry, hash } = leaf;
    this.counts.events += 1;
    if (!isEventId(eventId)) {
      add("tile_altered", { index, detail: "the id of an event was cut" });
      return;
    }
    const isNew = this.ids.add(eventIdBytes(eventId));
    const mayBeGone = isPurged(eventId);
    if (!isNew && !mayBeGone) add("duplicate", { eventId, index });
    const isSealed = entry !== null && equalBytes(leafHash(utf8(entry)), hash);
    if (event === undefined) {
      if (mayBeGone) this.#countPurged(leaf, isSealed);
      // Its entry says so: the row was gone before.
      else if (isSealed) add("absent", { eventId, index });
      else add("missing", { eventId, index });
      return;
    }
    const earlier = this.#deleted.get(eventId) ?? [];
    if (isSealed && this.#deleted.delete(eventId)) {
      // It was delivered again after it was deleted.
      for (const one of earlier) this.#countPurged(one, false);
    }
    if (!isSealed && mayBeGone) this.#deleted.set(eventId, [...earlier, leaf]);
    else if (!isSealed) this.#mismatches.push(leaf);
    else if (typeof event === "object" && event !== null) {
      const { storedAt, erased, macKeyId, via } = event.facts;
      times.addEvent(storedAt, eventId, index);
      if (Object.keys(erased).length > 0) {
        this.counts.erasedEvents += 1;
        if (!this.#options.isErased(event)) add("erased_unrecorded", { eventId, index });
      }
      if (macKeyId === null && via !== "m") this.counts.unmarkedEvents += 1;
    }
  }

  /** `wasAbsent`: its row was gone before it was sealed. */
  #countPurged({ eventId }: Mismatch, wasAbsent: boolean): void {
    this.counts.purgedEvents += 1;
    if (!wasAbsent) this.#options.onPurged(eventId);
  }

  /** Tells leaves in another place from altered rows: an entry names its own index. */
  #classify(): void {
    const { add } = this.#options;
    this.#mismatches = [...this.#mismatches, ...[...this.#deleted.values()].flat()].toSorted(
      (a, b) => a.index - b.index,
    );
    const places = new Map<number, { readonly leaf: Mismatch; readonly sealedAt: number }>();
    const shifts = new Set<number>([1, -1]);
    const indices = this.#mismatches.map(({ index }) => index);
    for (const leaf of this.#mismatches) {
      const sealedAt = placeOf(leaf, candidatesOf(leaf.index, shifts, indices));
      if (sealedAt === null) {
        add(isAbsentLeaf(leaf) ? "absent" : "altered", { eventId: leaf.eventId, index: leaf.index });
        continue;
      }
      shifts.add(sealedAt - leaf.index);
      places.set(leaf.index, { leaf, sealedAt });
      add("reordered", { eventId: leaf.eventId, index: leaf.index, detail: `sealed at ${sealedAt}` });
    }
    this.#nameIntruders(places);
  }

  /** A leaf in its place that another one was sealed for was inserted. A place that no leaf was sealed for has lost its own. */
  #nameIntruders(places: ReadonlyMap<number, { readonly leaf: Mismatch; readonly sealedAt: number }>): void {
    const { add } = this.#options;
    const misplaced = new Set(this.#mismatches.map(({ index }) => index));
    const claimed = new Set([...places.values()].map(({ sealedAt }) => sealedAt));
    for (const { sealedAt } of places.values()) {
      if (!misplaced.has(sealedAt))
        add("inserted", { index: sealedAt, detail: "a leaf stands where another was sealed" });
    }
    for (const index of places.keys()) {
      if (!claimed.has(index)) add("removed", { index, detail: "the leaf that was sealed here is gone" });
    }
  }
}

/** With more mismatches than this, only shifts that were seen are tried. */
const MOST_PAIRS = 64;

const candidatesOf = (index: number, shifts: ReadonlySet<number>, indices: readonly number[]): number[] => [
  ...[...shifts].map((shift) => index + shift),
  ...(indices.length <= MOST_PAIRS ? indices : []),
];

/** The index for which the event has the leaf's hash; null where no candidate fits. */
function placeOf({ event, schema, hash }: Mismatch, candidates: readonly number[]): number | null {
  if (typeof event !== "object" || event === null) return null;
  const isAt = (index: number): boolean => index >= 0 && isHashOf(event, { index, schema }, hash);
  return candidates.find(isAt) ?? null;
}

function isHashOf(
  event: StoredEvent,
  place: { readonly index: number; readonly schema: number },
  hash: Hash,
): boolean {
  try {
    return equalBytes(leafHash(utf8(eventEntry(event, place))), hash);
  } catch {
    return false;
  }
}

/** A row that came back after its event was sealed without it. */
const isAbsentLeaf = ({ eventId, index, hash }: Mismatch): boolean =>
  equalBytes(leafHash(utf8(absentEntry(eventId, index))), hash);
