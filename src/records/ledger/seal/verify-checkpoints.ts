/** Verifies the checkpoints of the log, those in the database and those that the verifier kept, in the order of their trees. */
import { equalBytes, toBase64 } from "./bytes.ts";
import { checkpointIn, type Checkpoint } from "./checkpoint.ts";
import type { AddFinding } from "./finding.ts";
import { endorsementText, type StoredLogEntry } from "./log-entry.ts";
import { hash, type Hash } from "./merkle.ts";
import { isSameKey, parseVerifierKey, type VerifierKey } from "./note-keys.ts";
import { parseNote, verifyNote } from "./note.ts";
import type { Query } from "./rebuild.ts";

/** The keys that count: those that the verifier knows, and each that the key before it named. */
export async function knownKeys(
  entries: readonly StoredLogEntry[],
  trusted: readonly VerifierKey[],
  add: AddFinding,
): Promise<readonly VerifierKey[]> {
  const keys = [...trusted];
  const isKnown = (key: VerifierKey): boolean => keys.some((known) => isSameKey(known, key));
  let isFirst = true;
  for (const entry of entries) {
    if (entry.kind !== "key") continue;
    const key = parseVerifierKey(entry.verifier_key);
    // Without any key of the verifier's own, the log's first key is taken at its word; the caller says so.
    const isTaken = isFirst && trusted.length === 0;
    isFirst = false;
    if (key && isKnown(key)) continue;
    if (key && (isTaken || (await isEndorsed(entry.endorsement, key, entry.verifier_key, keys))))
      keys.push(key);
    else add("key_unknown", { index: entry.index, detail: entry.verifier_key });
  }
  return keys;
}

async function isEndorsed(
  endorsement: string | null,
  { name }: VerifierKey,
  verifierKey: string,
  keys: readonly VerifierKey[],
): Promise<boolean> {
  const note = typeof endorsement === "string" ? parseNote(endorsement) : null;
  if (note?.text !== endorsementText(name, verifierKey)) return false;
  const signed = await verifyNote(note, keys);
  return signed !== "wrong" && signed.length > 0;
}

type Pending = { readonly note: string; readonly source: string; readonly checkpoint: Checkpoint };

const PAGE = 500;
const PAGE_SQL = `SELECT tree_size, note FROM seal_checkpoints WHERE tree_size > ?1 ORDER BY tree_size LIMIT ${PAGE}`;

export type CheckpointOptions = {
  readonly query: Query;
  readonly origin: string | null;
  readonly keys: readonly VerifierKey[];
  /** The verifier key that applies to a tree of a size; null where the log names none. */
  readonly keyAt: (size: number) => string | null;
  /** Notes that the verifier kept: from log lines, object storage or cosigners. */
  readonly trusted: readonly string[];
  readonly add: AddFinding;
};

/** Feed it every size of the growing tree, then `finish`. */
export class CheckpointPass {
  count = 0;
  /** The largest tree that is that of a checkpoint, and those after it that are not. */
  lastGood = 0;
  /** The largest tree of a checkpoint that the verifier kept, and that is the log's. */
  anchored = 0;
  #forked = 0;
  readonly #options: CheckpointOptions;
  #kept: Pending[];
  #page: Pending[] = [];
  #readTo = Number.MIN_SAFE_INTEGER;
  #isRead = false;

  constructor(options: CheckpointOptions) {
    this.#options = options;
    this.#kept = options.trusted
      .flatMap((note) => this.#toPending(note, "kept"))
      .filter((pending) => !this.#isEmptyTree(pending))
      .toSorted(bySize);
  }

  async onSize(size: number, root: () => Hash): Promise<void> {
    await this.#fill();
    let computed: Hash | null = null;
    for (;;) {
      const next = this.#next();
      if (!next || next.checkpoint.size > size) return;
      this.#drop(next);
      computed ??= root();
      await this.#check(next, size, computed);
      await this.#fill();
    }
  }

  /** A tree without leaves is that of every log. */
  #isEmptyTree({ checkpoint: { size, root } }: Pending): boolean {
    return size === 0 && equalBytes(root, hash(new Uint8Array(0)));
  }

  /** The remaining checkpoints are of larger trees than the one that exists. */
  async finish(size: number): Promise<void> {
    await this.#fill();
    for (let next = this.#next(); next; next = this.#next()) {
      this.#drop(next);
      this.#options.add("truncated", {
        index: next.checkpoint.size,
        detail: `a checkpoint (${next.source}) has ${next.checkpoint.size} leaves, the tree ${size}`,
      });
      await this.#checkSignature(next);
      await this.#fill();
    }
  }

  #next(): Pending | undefined {
    const [kept] = this.#kept;
    const [stored] = this.#page;
    if (!kept || !stored) return kept ?? stored;
    return kept.checkpoint.size < stored.checkpoint.size ? kept : stored;
  }

  #drop(pending: Pending): void {
    if (this.#kept[0] === pending) this.#kept.shift();
    else this.#page.shift();
  }

  async #fill(): Promise<void> {
    if (this.#isRead || this.#page.length > 0) return;
    const rows = await this.#options.query(PAGE_SQL, this.#readTo);
    this.#isRead = rows.length < PAGE;
    for (const row of rows) {
      this.#readTo = Number(row["tree_size"]);
      const [pending] = this.#toPending(String(row["note"]), "stored");
      if (pending?.checkpoint.size === this.#readTo) this.#page.push(pending);
      else if (pending)
        this.#options.add("forked", {
          index: this.#readTo,
          detail: "a stored checkpoint is of another tree",
        });
    }
    if (this.#page.length === 0) await this.#fill();
  }

  #toPending(note: string, source: string): Pending[] {
    const checkpoint = checkpointIn(note);
    if (checkpoint) return [{ note, source, checkpoint }];
    this.#options.add("unsigned", { index: this.#readTo, detail: `a checkpoint (${source}) cannot be read` });
    return [];
  }

  async #check(pending: Pending, size: number, root: Hash): Promise<void> {
    this.count += 1;
    const isSigned = await this.#checkSignature(pending);
    if (pending.checkpoint.size === size && equalBytes(pending.checkpoint.root, root)) {
      if (this.#forked > 0 || !isSigned) return;
      this.lastGood = size;
      if (pending.source === "kept") this.anchored = size;
      return;
    }
    // All later ones differ too.
    if ((this.#forked += 1) > 1 && pending.source === "stored") return;
    this.#options.add("forked", {
      index: pending.checkpoint.size,
      detail: `the tree was changed between leaf ${this.lastGood} and ${pending.checkpoint.size - 1}; a checkpoint (${pending.source}) has the root ${toBase64(pending.checkpoint.root)}`,
    });
  }

  /** An earlier key no longer counts for a tree in which another one took its place. */
  async #checkSignature({ note, checkpoint: { origin, size } }: Pending): Promise<boolean> {
    const { add, keys, keyAt, origin: expected } = this.#options;
    if (expected !== null && origin !== expected) add("wrong_origin", { index: size, detail: origin });
    const parsed = parseNote(note);
    const signed = parsed ? await verifyNote(parsed, keys) : [];
    const inForce = parseVerifierKey(keyAt(size) ?? "");
    const counts = (key: VerifierKey): boolean =>
      key.name === origin && (inForce === null || isSameKey(key, inForce));
    if (signed === "wrong") add("wrong_signature", { index: size });
    else if (!signed.some(counts)) add("unsigned", { index: size });
    else return true;
    return false;
  }
}

const bySize = (a: Pending, b: Pending): number => a.checkpoint.size - b.checkpoint.size;
