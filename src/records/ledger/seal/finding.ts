/** The kinds of findings of a verification, each with its meaning. */
export const FINDINGS = {
  altered: "The row of an event is not what was sealed.",
  erased_unrecorded: "A field is marked as erased, and no erasure on record leaves such a value.",
  missing: "An event is in the log, and its row is gone.",
  inserted: "A row is not in the log: it was inserted, or its leaf was removed.",
  removed: "An event that the journal names, or a leaf, was removed from the log.",
  reordered: "A leaf stands in another place than it was sealed for.",
  duplicate: "An event has two leaves.",
  absent: "The row of an event was gone, or could not be read, before the event was sealed.",
  entry_altered: "An entry of the log's own is missing, or not what was sealed.",
  tile_altered: "A tile is missing, or does not follow from the tiles below it.",
  forked: "The tree is not the one of a signed checkpoint.",
  truncated: "The tree is smaller than that of a signed checkpoint, or than the log's own state says.",
  unsigned: "A checkpoint has no signature of a known key.",
  wrong_signature: "A checkpoint has a wrong signature of a known key.",
  wrong_origin: "A checkpoint names another log.",
  key_unknown: "The log uses a key that the verifier does not know and that the key before did not sign.",
  gap: "The log has no `time` entry for several hours: the sealer did not run, or entries are missing.",
  misdated: "An event says that it was stored long before it was sealed, or after.",
  unsigned_leaves: "Leaves stand after the last checkpoint for longer than the sealer should take.",
  unsealed_added: "There are more rows without a seal than when the log began.",
  derived_altered: "A value that the ledger derives from its events does not follow from them.",
  totals_altered:
    "A total is not the sum of its interceptions, or its dimension or name does not match them.",
  overdeleted: "More rows are gone than the recorded deletions deleted.",
  unreadable: "A part of the database cannot be read, so that it is not verified.",
  schema_altered: "A table, an index, a view or a trigger is not that of the migrations.",
  backlog: "Events wait to be sealed for longer than the sealer should take.",
} as const;

export type FindingKind = keyof typeof FINDINGS;

export type Finding = {
  readonly kind: FindingKind;
  /** The event; null where the finding is about something else. */
  readonly eventId: string | null;
  /** The index of a leaf, or the size of a tree; null where there is none. */
  readonly index: number | null;
  /** Further facts, never content of an event. */
  readonly detail: string;
};

export type AddFinding = (kind: FindingKind, facts: Partial<Omit<Finding, "kind">>) => void;

/** Keeps the first findings of each kind, and counts all. */
export class Findings {
  readonly list: Finding[] = [];
  readonly counts = new Map<FindingKind, number>();
  readonly #mostOfKind: number;

  constructor(mostOfKind: number) {
    this.#mostOfKind = mostOfKind;
  }

  readonly add: AddFinding = (kind, { eventId = null, index = null, detail = "" }) => {
    const count = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, count);
    if (count <= this.#mostOfKind) this.list.push({ kind, eventId, index, detail });
  };
}
